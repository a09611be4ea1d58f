"""Asked for and obtained on the page: the panels, the tables, and files that hold something else."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from freerun.report.conditions import conditions_of
from freerun.report.folder import read_run
from freerun.report.page import write_report

HOSTILE = "</table><script>alert(1)</script>"
QUALITY = {"valid": 0.912, "unique": 0.998, "novelty": 0.85}


def told(name: str = "logP") -> dict:
    """As `obedience` writes it: a number that is obeyed with an error of 0.3, and a label."""
    rng = np.random.default_rng(0)
    corpus, wanted = rng.normal(2.4, 0.9, 300), rng.normal(2.4, 0.9, 200)
    asked = []
    for quantile in (0.05, 0.5, 0.95):
        value = float(np.quantile(corpus, quantile))
        errors = {"mae": 0.27, "bias": -0.09, "free_mae": 1.8, "lookup_mae": 0.009}
        obtained = rng.normal(value, 0.3, 200).tolist()
        asked.append({"quantile": quantile, "value": value, **QUALITY, **errors, "obtained": obtained})
    number = {"name": name, "mean": 2.4, "deviation": 0.9, "corpus": corpus.tolist(), "free": corpus.tolist()}
    jointly = {"name": name, "deviation": 0.9, "mae": 0.18, "bias": 0.0, "correlation": 0.95, "free_mae": 0.99}
    jointly |= {"lookup_mae": 0.045, "asked": wanted.tolist(), "obtained": (wanted + 0.1).tolist()}
    classes = [{"value": "amide", "share": 0.7, "accuracy": 0.98, **QUALITY}]
    classes += [{"value": "ester", "share": 0.3, "accuracy": None, **QUALITY}]
    return {
        "n": 1000,
        "seed": 0,
        "free": {"valid": 0.93, "unique": 1.0, "novelty": 0.9},
        "numbers": [number | {"asked": asked}],
        "joint": {"n_strings": 400, **QUALITY, "numbers": [jointly]},
        "labels": [{"name": "class", "asked": classes}],
    }


def run_of(folder: Path, value: object) -> Path:
    folder.mkdir()
    (folder / "conditions.json").write_text(json.dumps(value))
    return folder


def test_a_number_has_a_spread_a_scatter_and_a_line_for_each_value(tmp_path):
    shown = conditions_of(read_run(run_of(tmp_path / "run", told())))
    assert shown is not None
    assert [panel.title for panel in shown.spreads] == ["logP, fat over water"]
    assert [panel.title for panel in shown.scatters] == ["logP: obtained against asked for"]
    assert [row.condition for row in shown.numbers] == ["", *["logP"] * 4]
    nothing, low, *_, jointly = shown.numbers
    assert nothing.cells[-3:] == ("0.930", "1.000", "0.900")
    assert low.asked.endswith("(5%)")
    assert low.cells == ("0.27", "0.3", "\u22120.09", "2", "0.01", "0.912", "0.998", "0.850")
    assert jointly.asked == "jointly"
    assert jointly.cells[1] == "0.2"  # standard deviations
    assert [row.cells[0] for row in shown.labels] == ["0.980", "\u2013"]


def test_a_violin_says_the_median_and_the_quartiles_of_what_was_obtained(tmp_path):
    value = told()
    asked = value["numbers"][0]["asked"][0]
    shown = conditions_of(read_run(run_of(tmp_path / "run", value)))
    assert shown is not None
    low, middle, high = np.percentile(asked["obtained"], [25, 50, 75])
    assert f"asked {asked['value']:.3g}: {middle:.3g} ({low:.3g} to {high:.3g})" in shown.spreads[0].caption
    marks = [float(y) for y in re.findall(r"M [\d.]+ ([\d.]+) L [\d.]+ \1", str(shown.spreads[0].svg))]
    assert len(set(marks)) >= 3  # a level line for each asked value


def test_the_page_has_the_section_in_each_runs_own_colour(tmp_path):
    one, two = run_of(tmp_path / "one", told()), run_of(tmp_path / "two", told("TPSA"))
    alone = write_report([one], tmp_path / "alone.html").read_text()
    assert '<section id="conditions">' in alone
    assert 'href="#conditions"' in alone
    assert "--s1:var(" not in alone
    both = write_report([one, two], tmp_path / "both.html").read_text()
    assert both.count('style="--s1:var(--s2)"') == 1
    assert both.count("400") >= 2


def test_a_run_without_conditions_has_no_section_and_misses_nothing(tmp_path):
    (tmp_path / "run").mkdir()
    page = write_report([tmp_path / "run"], tmp_path / "page.html").read_text()
    assert "conditions.json" not in page
    assert 'id="conditions"' not in page


def test_a_damaged_file_is_named_in_its_section(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "conditions.json").write_text("[1, 2")
    page = write_report([tmp_path / "run"], tmp_path / "page.html").read_text()
    assert "conditions.json cannot be read" in page


def test_names_stay_text(tmp_path):
    value = told(HOSTILE)
    value["labels"][0]["asked"][0]["value"] = HOSTILE
    value["n"] = HOSTILE
    page = write_report([run_of(tmp_path / "run", value)], tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


WRONG = ["x", None, [], {}, -1, 0, 1e308, 1e200, [1, None, "<b>"], [{"asked": 3}]]
ENTRY = told()["numbers"][0]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_values_of_a_wrong_kind_are_no_crash(tmp_path, wrong):
    value = told()
    [asked, *_], [jointly] = ENTRY["asked"], value["joint"]["numbers"]
    asked_wrong = [dict.fromkeys(asked, wrong), asked | {"value": wrong}, asked | {"obtained": wrong}]
    jointly_wrong = [dict.fromkeys(jointly, wrong), jointly | {"asked": wrong}, jointly | {"deviation": wrong}]
    cases = [dict.fromkeys(value, wrong)]
    cases += [{"numbers": [ENTRY | {"asked": [asked]} | {key: wrong}]} for key in ENTRY]
    cases += [{"numbers": [ENTRY | {"asked": [entry]}]} for entry in asked_wrong]
    cases += [{"joint": {"numbers": [entry]}} for entry in jointly_wrong]
    cases += [{"labels": [{"name": wrong, "asked": [dict.fromkeys(QUALITY, wrong)]}, wrong, {"asked": wrong}]}]
    run = read_run(run_of(tmp_path / "run", {}))
    for case in cases:
        conditions_of(dataclasses.replace(run, conditions=case))
    page = write_report([run_of(tmp_path / "other", cases[0])], tmp_path / "page.html").read_text()
    assert "<b>" not in page
