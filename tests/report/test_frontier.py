"""NLL_oracle over NLL_test, drawn for one run and for several, of folders that may hold anything."""

import json
from pathlib import Path

import pytest

from freerun.metrics.oracle import ENTROPY
from freerun.report.folder import read_run
from freerun.report.frontier import curve_of, frontier_panels
from freerun.report.page import write_report


def points(shift: float = 0.0) -> list[dict[str, float]]:
    nll_test = {1.0: 7.7, 0.35: 10.5, 0.55: 8.4}
    return [
        {"temperature": t, "nll_test": x + shift, "nll_oracle": 16 - 0.8 * x, "nll_valid": x, "n": 9.0}
        for t, x in nll_test.items()
    ]


def run_of(path: Path, content: object) -> Path:
    path.mkdir()
    (path / "frontier.json").write_text(json.dumps(content))
    return path


def test_the_curve_goes_from_cold_to_warm(tmp_path):
    temperatures, x, y = curve_of(points())
    assert temperatures.tolist() == [0.35, 0.55, 1.0]
    assert x.tolist() == [10.5, 8.4, 7.7]
    assert y[0] == pytest.approx(7.6)
    near, far = frontier_panels([read_run(run_of(tmp_path / "run", points()))])
    assert near.caption == "7.6 at NLL_test 10.5 (T = 0.35) to 9.84 at NLL_test 7.7 (T = 1)."
    assert ">0.35</text>" in near.svg
    assert f"{ENTROPY:.2f}" in far.caption
    assert ">oracle</text>" in far.svg


def test_runs_stand_on_one_chart_and_no_name_enters_it(tmp_path):
    runs = [read_run(run_of(tmp_path / name, points(0.1 * i))) for i, name in enumerate(("first-name", "second-name"))]
    near, _ = frontier_panels(runs)
    assert "var(--s1)" in near.svg
    assert "var(--s2)" in near.svg
    assert "-name" not in near.svg
    assert ">0.35</text>" not in near.svg
    assert [key.label for key in near.keys][1:] == ["first-name", "second-name"]
    page = write_report([run.path for run in runs], tmp_path / "page.html").read_text("utf-8")
    assert page.count('id="frontier"') == 1


def test_a_run_of_another_corpus_has_no_such_section(tmp_path):
    (tmp_path / "run").mkdir()
    assert 'id="frontier"' not in write_report([tmp_path / "run"], tmp_path / "page.html").read_text("utf-8")


WRONG = ["x", None, True, [], {}, 1e308, float("nan"), ["<b>"]]


@pytest.mark.parametrize("wrong", WRONG)
def test_values_of_a_wrong_kind_are_no_point(tmp_path, wrong):
    strange = [dict.fromkeys(points()[0], wrong), wrong, {}, *points()]
    run = run_of(tmp_path / "run", strange)
    assert len(curve_of(read_run(run).frontier)[0]) == 3
    assert "<b>" not in write_report([run], tmp_path / "page.html").read_text("utf-8").split("<main>")[1]
    (run / "frontier.json").write_text(json.dumps(wrong))
    write_report([run], tmp_path / "page.html")


def test_a_damaged_file_is_named_with_its_remedy(tmp_path):
    run = run_of(tmp_path / "run", [])
    (run / "frontier.json").write_text("[1, 2")
    assert "frontier.json cannot be read" in write_report([run], tmp_path / "page.html").read_text("utf-8")
