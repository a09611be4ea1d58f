"""The page of a comparison: finite, escaped, the same bytes each time, and marked only where the interval says so."""

import dataclasses
import math
import re
from pathlib import Path

import pytest

from freerun.report.comparison import render, write_comparison
from freerun.standings import Comparison, Ran, standings


def ran(label: str, seed: int, **values: float) -> Ran:
    costs = {"steps": 100.0, "tokens": 5000.0, "calls": 0.0, "seconds": 75.0}
    return Ran(f"{label}-seed{seed}", seed, values, costs, "finished")


def compared(path: Path, n_seeds: int = 5, second: str = "b") -> Comparison:
    runs = {
        "a": [
            ran("a", s, valid=0.5 + s / 100, length=2.0 + s, **{"mean logp": 1.0 - s}, odd=math.nan)
            for s in range(n_seeds)
        ],
        second: [
            ran("b", s, valid=0.7 + s / 90, length=3.0 + 1.1 * s, **{"mean logp": 3.0 - s}, odd=math.nan)
            for s in range(n_seeds)
        ],
    }
    found, paid = standings(runs), {"mean logp": ("what logp says", 1)}
    return Comparison(path, "steps", 100.0, n_seeds, 2000, "text", "coco", found, paid, ("a < remark",))


def test_the_page_shows_measures_differences_costs_and_runs(tmp_path):
    page = write_comparison(compared(tmp_path)).read_text("utf-8")
    assert page.count("<html") == 1
    for expected in ("0.5200", "+0.2022", "1\u00a0min 15\u00a0s", "5,000", "a &lt; remark", 'href="b-seed4/"'):
        assert expected in page, expected
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).lower().replace("nanose", "")
    assert "objective calls" not in page
    assert page.count("<svg") == 3
    assert write_comparison(compared(tmp_path)).read_text("utf-8") == page


def test_better_and_worse_follow_the_direction_of_the_measure(tmp_path):
    page = render(compared(tmp_path))
    assert re.search(r'class="better"><b>\+0\.2022', page)
    assert re.search(r'class="worse"><b>\+1\.2000', page)
    assert re.search(r'class="better"><b>\+2\.0000', page)
    assert "what logp says; more is better" in page


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_of_few_seeds_nothing_is_marked(tmp_path, n_seeds):
    page = render(compared(tmp_path, n_seeds))
    assert 'class="better"' not in page
    assert ("\u2026" in page) == (n_seeds > 1)


def test_names_cannot_break_out_of_the_page(tmp_path):
    page = render(compared(tmp_path, second='<script>alert("1")</script>'))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_comparison_under_way_says_of_how_many_seeds(tmp_path):
    whole = compared(tmp_path)
    page = render(dataclasses.replace(whole, n_seeds=7))
    assert "of 5 seeds" in page
