import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from freerun.corpora.corpus import open_corpus
from freerun.corpora.fetch import fetch
from freerun.metrics.molecules import describe
from freerun.metrics.moses import cosine, internal_diversity, moses_measures, property_distance, unique_at
from freerun.metrics.moses_reference import moses_reference
from freerun.metrics.reference import Reference, reference, statistics

GOLDEN = Path(__file__).parents[1] / "golden"
LINES = (GOLDEN / "moses_a.smi").read_text().split("\n")[:-1]


def golden(name: str) -> dict[str, float]:
    return json.loads((GOLDEN / name).read_text())


def assert_equal(measures: dict[str, float], expected: dict[str, float], fcd: float) -> None:
    """Names in the order of the published table; figures within 1e-6, FCD within `fcd` relative."""
    assert list(measures) == list(expected)
    for name, value in expected.items():
        close = pytest.approx(value, rel=fcd) if name.startswith("FCD") else pytest.approx(value, abs=1e-6)
        assert measures[name] == close, name


def test_figures_of_the_original_code_against_the_embedded_corpus():
    train, test = (path.read_text().split() for path in fetch(["moses-mini"])["moses-mini"])
    measures = moses_measures(LINES[:200], reference(test), train=train, ks=(50, 100))
    assert_equal(measures, golden("moses_mini.json"), 1e-2)


@pytest.mark.slow
def test_figures_of_the_original_code_against_the_full_benchmark():
    train = (string for _, string in open_corpus("moses").strings("train+valid"))
    with pytest.warns(UserWarning, match="unique@10000 is of 2166 valid samples"):
        measures = moses_measures(LINES, moses_reference("test"), moses_reference("test_scaffolds"), train)
    assert_equal(measures, golden("moses_a.json"), 1e-3)


@pytest.fixture(scope="module")
def small() -> Reference:
    return statistics(["CCO", "Cc1ccc(NC(=O)c2ccccc2)cc1", "c1ccccc1"])


@pytest.mark.parametrize("samples", [[], ["", "C1CC"]], ids=["none", "invalid"])
def test_without_a_valid_sample_measures_are_undefined_and_it_says_so(small: Reference, samples: list[str]):
    with pytest.warns(UserWarning, match=r"is a valid molecule|unique@"):
        measures = moses_measures(samples, small, small, train=["CCO"])
    assert len(measures) == 19
    valid = measures.pop("valid")
    assert valid == 0 if samples else math.isnan(valid)
    assert all(math.isnan(value) for value in measures.values())


def test_one_valid_sample_has_all_measures_but_the_distance(small: Reference):
    measures = moses_measures(["Cc1ccccc1"], small, train=[], ks=(1,))
    undefined = {name for name, value in measures.items() if math.isnan(value)}
    assert undefined == {"FCD/Test", "Scaf/Test"}
    assert measures["Novelty"] == 1
    assert measures["IntDiv"] == measures["IntDiv2"] == 0


def test_a_set_compared_with_itself_is_perfect(small: Reference):
    measures = moses_measures(["OCC", "Cc1ccc(NC(=O)c2ccccc2)cc1", "c1ccccc1"], small, train=["CCO"], ks=(3,))
    assert measures["FCD/Test"] == pytest.approx(0, abs=1e-6)
    assert [measures[f"{name}/Test"] for name in ("SNN", "Frag", "Scaf")] == pytest.approx([1, 1, 1])
    assert [measures[name] for name in ("logP", "SA", "QED", "weight")] == pytest.approx([0] * 4, abs=1e-12)
    assert measures["Novelty"] == pytest.approx(2 / 3)


def test_parts_are_told_as_they_are_done(small: Reference):
    parts = Counter()
    moses_measures(["CCO"], small, ks=(1,), progress=lambda part, done, total: parts.update([part]))
    assert set(parts) == {"molecules", "ChemNet", "SNN/Test", "IntDiv"}


def test_uniqueness_is_of_the_first_k():
    assert unique_at(["a", "a", "b", "c"], 2) == 0.5
    with pytest.warns(UserWarning, match="unique@10 is of 4"):
        assert unique_at(["a", "a", "b", "c"], 10) == 0.75


def test_diversity_of_two_molecules_by_hand():
    rows = describe(["C", "CC(F)(Cl)Br", "CC(F)(Cl)Br"])
    same = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1]])
    first, second = internal_diversity(rows)
    assert first == pytest.approx(1 - same.mean())
    assert second == pytest.approx(1 - np.sqrt((same**2).mean(1)).mean())


def test_cosine_of_counts_by_hand():
    assert cosine(Counter(a=3, b=4), Counter(a=4, c=3)) == pytest.approx(12 / 25)
    assert math.isnan(cosine(Counter(), Counter(a=1)))


def test_a_molecule_without_a_property_is_left_out():
    with pytest.warns(UserWarning, match="undefined for 1 molecules"):
        assert property_distance(np.array([1.0, math.nan]), np.array([3.0])) == 2
