"""The page on which people rate: one HTML file that asks nothing of any network and keeps its answers by itself."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from freerun.files import write_text
from freerun.rating.answer_file import COLUMNS
from freerun.rating.plan import Plan
from freerun.report.molecules import MAX_ATOMS, to_svg
from freerun.report.page import environment, style
from freerun.scores.molecules import molecule

TEMPLATES = Path(__file__).parent / "templates"


def write_page(plan: Plan, out: Path) -> Path:
    """The file `out`, which is returned."""
    write_text(out, render(plan))
    return out


def render(plan: Plan) -> str:
    """The page; the same plan gives the same bytes.

    Strings stand in a block of JSON that cannot end its element, and reach the eye as text only. The one script that
    may run is the page's own, by its hash.
    """
    script = Markup((TEMPLATES / "rate.js").read_text("utf-8"))
    drawings = [_drawing(item.string) if plan.is_chemical else None for item in plan.items]
    data = _data(plan, [drawing is not None for drawing in drawings])
    return (
        environment("freerun.rating")
        .get_template("rate.html.j2")
        .render(
            css=style(TEMPLATES / "rate.css"),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=data,
            drawings=drawings,
            plan=plan,
        )
    )


def _data(plan: Plan, is_drawn: list[bool]) -> dict[str, Any]:
    """What the script reads; answers are kept under a key of all of it."""
    data = {
        "columns": list(COLUMNS),
        "strings": [item.string for item in plan.items],
        "drawn": is_drawn,
        "order": list(plan.order),
        "scale": plan.scale,
        "file": plan.file,
        "rater": plan.rater,
    }
    content = json.dumps(data, sort_keys=True)
    return {**data, "key": f"freerun-rate-{hashlib.sha256(content.encode()).hexdigest()[:16]}"}


def _drawing(smiles: str) -> Markup | None:
    """The molecule without its measures, which would tell the rater what to think; None where it is too large."""
    mol = molecule(smiles)
    return None if mol is None or mol.GetNumAtoms() > MAX_ATOMS else to_svg(mol)
