"""The pages of the course, the architecture and the report: what they link to is there."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))


def slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    text = (DOCS / name).read_text("utf-8")
    anchors = {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)  # a SMILES such as C[C@H](Cl) is no link
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code)
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors
        elif not target.startswith("https://"):
            assert (DOCS / target.split("#")[0]).exists(), target


@pytest.mark.parametrize("path", sorted((DOCS / "diagrams").glob("*.svg")), ids=lambda path: path.stem)
def test_a_diagram_is_a_drawing_that_needs_nothing_else(path):
    root = ET.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = path.read_text("utf-8")
    assert len(text) < 200_000
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', text))
    assert "var(" not in text
    assert "<script" not in text


def test_every_diagram_of_a_script_is_there():
    scripts = {path.stem for path in (DOCS / "diagrams").glob("*.py")} - {"drawing", "pictures"}
    assert scripts <= {path.stem for path in (DOCS / "diagrams").glob("*.svg")}
    assert {"teacher_forcing", "free_running", "house"} <= scripts
