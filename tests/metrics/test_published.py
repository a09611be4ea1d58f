import json
from pathlib import Path

from freerun.metrics.published import PUBLISHED, PUBLISHED_SPREAD, TEXT_PUBLISHED


def test_published_measures_bear_the_names_that_ours_bear():
    ours = set(json.loads((Path(__file__).parents[1] / "golden" / "moses_a.json").read_text()))
    assert all(set(row) <= ours for row in PUBLISHED.values())


def test_every_model_has_all_figures():
    assert {len(row) for name, row in PUBLISHED.items() if name != "MOSES train"} == {15}
    assert PUBLISHED["MOSES train"].keys() == PUBLISHED["CharRNN"].keys() - {"Novelty"}
    assert {len(row) for row in TEXT_PUBLISHED.values()} == {8}


def test_every_spread_belongs_to_a_figure():
    assert all(set(spread) <= set(PUBLISHED[model]) for model, spread in PUBLISHED_SPREAD.items())


def test_the_row_that_decides():
    assert (PUBLISHED["CharRNN"]["FCD/Test"], PUBLISHED["CharRNN"]["FCD/TestSF"]) == (0.0732, 0.5204)
