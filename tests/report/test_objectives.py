"""What an objective paid: read from a stranger's file, reckoned again by hand, drawn for one run and for several."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from freerun.chemistry import parse
from freerun.report import calls as reading
from freerun.report.calls import Calls, read_calls
from freerun.report.discoveries import N_BEST
from freerun.report.folder import read_run
from freerun.report.objectives import objectives_of, strings_of
from freerun.report.page import MAX_BYTES, write_report
from freerun.report.variety import diversity, scaffolds

MOLECULES = """
Cc1cc(C)c(CC(=O)N2CCN(CCO)CC2)cc1C COCc1noc(CNC(=O)Cc2ccccc2)n1 CC(=O)Nc1ccc(S(=O)(=O)N2CCCC2)cc1 CN1CCCC1c1cccnc1
N#CCCN1CCN(C(=O)c2ccc(Cl)s2)CC1 CC(C)Cc1ccc(C(C)C(=O)O)cc1 O=C(NCc1ccco1)c1ccc2[nH]cnc2c1 OCC1CCCN1c1ncnc2sccc12
""".split()
SENTENCES = [
    "a kitchen with a stove .",
    "two dogs in the park .",
    "three people are standing .",
    "",
    "a man ,",
    "a man .",
]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</style><script>alert(3)</script>",
    "\x00\x07\u202egnirts\ufffe",
    "=cmd|' /C calc'!A0",
    "C" * 5000,
]
HEAD = ["step", "string", "canonical", "valid", "qed", "qed (shaped)", "total", "seconds"]


def folder_of(path: Path, lines: list[list], head: list[str] = HEAD, *, chemical: bool = True) -> Path:
    path.mkdir(exist_ok=True)
    facts = {"representation": {"name": "smiles", "is_chemical": chemical}}
    (path / "run.json").write_text(json.dumps(facts))
    with open(path / "scores.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\r\n").writerows([head, *lines])
    return path


def line(step: int, string: str, total: object, valid: bool = True) -> list:
    return [step, string, string, valid, total if valid else "", total, total if valid else 0.0, "0.001"]


def learning(n: int = 400) -> list[list]:
    """Totals that rise; every fifth string is not valid."""
    return [line(i, MOLECULES[i % 8], 0.2 + 0.5 * i / n, valid=i % 5 > 0) for i in range(n)]


def told(folder: Path) -> Calls:
    found = read_calls(folder / "scores.csv")
    assert found is not None
    return found


def test_the_table_is_what_arithmetic_on_the_lines_gives(tmp_path):
    run = folder_of(tmp_path / "run", learning())
    found = objectives_of([read_run(run)], [told(run)])
    assert found is not None
    assert found.heads == ("first 40 calls", "last 40 calls")
    cells = {(row.label, row.note): row.cells for row in found.rows}
    totals = [each[6] for each in learning()]
    assert cells["total", "mean"] == (f"{np.mean(totals[:40]):#.3g}", f"{np.mean(totals[-40:]):#.3g}")
    assert cells["valid", "share"] == ("0.800", "0.800")
    values = [each[4] for each in learning() if each[3]]
    assert cells["score qed", "mean"] == (f"{np.mean(values[:32]):#.3g}", f"{np.mean(values[-32:]):#.3g}")
    assert cells["total", "99th percentile"][1] == f"{np.percentile(totals[-40:], 99):#.3g}"


def test_the_best_are_valid_and_the_first_are_as_they_came(tmp_path):
    lines = [line(0, "CC1CCC(", 0.9, valid=False), line(1, "CCO", 0.2), line(2, "CCN", 0.7), line(3, "CCC", 0.7)]
    run = folder_of(tmp_path / "run", lines)
    found = strings_of(read_run(run), told(run), 6)
    assert found is not None
    assert [each.string for each in found.best] == ["CCN", "CCC", "CCO"]
    assert found.best[0].note == "0.7 \u00b7 call 3"
    assert [each.string for each in found.first] == ["CC1CCC(", "CCO", "CCN"]
    assert found.first[0].svg is None
    assert "left open" in found.first[0].note


def test_scaffolds_and_diversity_agree_with_rdkit():
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
    from rdkit.DataStructs import TanimotoSimilarity

    prints = [GetMorganGenerator(radius=2, fpSize=1024).GetFingerprint(parse(each)) for each in MOLECULES[:5]]
    each = [TanimotoSimilarity(a, b) for a in prints for b in prints]
    assert diversity([*MOLECULES[:5], "no molecule"]) == pytest.approx(1 - sum(each) / 25)
    assert math.isnan(diversity(["C1CC"]))
    assert scaffolds(["CCc1ccc(-c2ccccc2O)cc1", "c1ccccc1CC", "C1CC"]) == ["c1ccc(-c2ccccc2)cc1", "", ""]
    assert scaffolds(["c1ccccc1" * 100]) == [""]  # too long to be looked at


def test_scaffolds_are_counted_of_what_is_paid_above_a_threshold_that_is_named(tmp_path):
    two = ["c1ccc(-c2ccccc2)cc1", "Cc1ccc(-c2ccccc2)cc1", "c1ccc2ccccc2c1"]
    run = folder_of(tmp_path / "run", [line(i, string, 0.5) for i, string in enumerate(two)])
    found = objectives_of([read_run(run)], [told(run)])
    assert found is not None
    titles = {panel.title: panel.caption for panel in found.panels}
    assert titles["Scaffolds of what was paid 0.5 or more"] == "Different ones so far: 2 in 3 molecules."
    assert f"Diversity of the best {N_BEST} so far" in titles


def test_several_runs_share_the_table_and_each_panel(tmp_path):
    runs = [folder_of(tmp_path / "one", learning()), folder_of(tmp_path / "two", learning(100)), tmp_path / "three"]
    runs[2].mkdir()
    page = write_report(runs, tmp_path / "page.html").read_text("utf-8")
    assert "first 10 calls" in page
    assert "first 40 calls" in page
    assert page.count("The best of all calls") == 2
    assert page.count('id="objective"') == 1


def test_sentences_are_listed_and_have_no_scaffolds(tmp_path):
    lines = [line(i, sentence, i / 6) for i, sentence in enumerate(SENTENCES)]
    run = folder_of(tmp_path / "run", lines, chemical=False)
    found = objectives_of([read_run(run)], [told(run)])
    assert found is not None
    assert [panel.title for panel in found.panels] == ["What valid strings are paid", "Total"]
    page = write_report([run], tmp_path / "page.html").read_text("utf-8")
    assert "three people are standing" in page


def test_a_score_of_many_has_a_panel_of_its_own(tmp_path):
    head = [*HEAD[:5], "module.py:<b>", "total", "seconds"]
    run = folder_of(tmp_path / "run", [[i, "CCO", "CCO", True, i / 9, -i, i / 9, 0] for i in range(9)], head)
    found = objectives_of([read_run(run)], [told(run)])
    assert found is not None
    assert [panel.title for panel in found.panels][-2:] == ["Score qed", "Score module.py:<b>"]
    page = write_report([run], tmp_path / "page.html").read_text("utf-8")
    assert "<b>" not in page.split("<main>")[1]


@pytest.mark.parametrize("chemical", [True, False])
def test_hostile_lines_stay_text(tmp_path, chemical):
    lines = [line(i, string, 0.5) for i, string in enumerate([*HOSTILE, *MOLECULES])]
    run = folder_of(tmp_path / "run", lines, [*HEAD[:4], HOSTILE[1], HOSTILE[2], "total", "seconds"], chemical=chemical)
    page = write_report([run], tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search("[\x00-\x08\x0e-\x1f\u202e\ud800-\udfff]", page)
    assert len(page.encode()) < MAX_BYTES


STRANGE = [
    b"",
    b"\xff\xfe\x00",
    b"a,b,c\n1,2,3\n",
    b"step,string,canonical,valid,total,seconds\n",
    b"step,string,canonical,valid,total,seconds\n0,C,C,True,,0\n",
    b"step,string,canonical,valid,total,seconds\n0,C,C,True,nan,0\n1,C,C,True,inf,0\n2,C,C,True,1e300,0\n",
    b"step,string,canonical,valid,total,seconds\n-1,C,C,True,1,0\n1e3,C,C,True,1,0\n,,,,,\n\n",
    b"step,string,canonical,valid,total,seconds\n0,C,C,True,1,0",  # cut short
    b'step,string,canonical,valid,total,seconds\n0,"' + b"C" * 200_000 + b"\n",
]


@pytest.mark.parametrize("content", STRANGE)
def test_a_file_of_another_shape_is_left_out(tmp_path, content):
    (tmp_path / "scores.csv").write_bytes(content)
    assert read_calls(tmp_path / "scores.csv") is None
    page = write_report([tmp_path], tmp_path / "page.html").read_text("utf-8")
    assert 'id="objective"' not in page


def test_what_is_no_file_is_left_out(tmp_path):
    assert read_calls(tmp_path / "scores.csv") is None
    (tmp_path / "scores.csv").mkdir()
    assert read_calls(tmp_path / "scores.csv") is None


@pytest.mark.parametrize("totals", [["0.5"], ["-7", "-7"], ["0", "1e11", "x"], ["", "3"]])
@pytest.mark.parametrize("valid", ["True", "no"])
def test_few_and_odd_totals_are_no_crash(tmp_path, totals, valid):
    run = folder_of(tmp_path / "run", [[i, "CCO", "CCO", valid, "", "", total, ""] for i, total in enumerate(totals)])
    assert 'id="objective"' in write_report([run], tmp_path / "page.html").read_text("utf-8")


def test_lines_in_another_order_are_sorted_and_wrong_ones_left_out(tmp_path):
    lines = [line(2, "CCN", 0.3), line(0, "C\nC", 0.1), ["x"] * 8, ["1", "C"], line(1, "CCO", 0.2)]
    found = told(folder_of(tmp_path / "run", lines))
    assert found.step.tolist() == [0, 1, 2]
    assert found.written == ["C\nC", "CCO", "CCN"]
    assert found.total.tolist() == [0.1, 0.2, 0.3]
    assert list(found.raw) == ["qed"]


def test_of_a_large_file_pieces_are_read_that_lie_evenly(tmp_path, monkeypatch):
    run = folder_of(tmp_path / "run", [line(i, "C" * (i % 7 + 1), i / 20_000) for i in range(20_000)])
    whole = told(run)
    monkeypatch.setattr(reading, "MOST_BYTES", 100_000)
    monkeypatch.setattr(reading, "N_PIECES", 50)
    monkeypatch.setattr(reading, "PIECE", 2_000)
    part = told(run)
    assert not part.is_whole
    assert 1_000 < len(part) < 4_000
    assert (part.step[0], part.step[-1]) == (0, 19_999)
    assert part.total.mean() == pytest.approx(whole.total.mean(), abs=0.02)
    assert set(part.step.tolist()) <= set(whole.step.tolist())
    page = write_report([run], tmp_path / "page.html").read_text("utf-8")
    assert "first tenth" in page
    assert "lines that lie evenly were read" in page
