import dataclasses

import numpy as np
import pytest

from freerun.scores import SCORES, find_score
from freerun.scores.base import Score
from freerun.scores.cache import Cached
from freerun.scores.guard import Guarded

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
ETHANOLS = ["CCO", "OCC", "C(O)C", "[CH3][CH2]O"]


def recording(score: Score) -> tuple[Score, list[list[str]]]:
    calls: list[list[str]] = []

    def function(strings):
        calls.append(list(strings))
        return score(strings)

    return dataclasses.replace(score, function=function), calls


def test_all_writings_of_a_molecule_are_paid_for_once():
    score, calls = recording(SCORES["qed"])
    cached = Cached(score)
    values = cached([*ETHANOLS, ASPIRIN, "CCO"])
    assert calls == [["CCO", ASPIRIN]]
    assert (values[:4] == values[0]).all()
    assert np.array_equal(values, cached([*ETHANOLS, ASPIRIN, "CCO"]))
    assert len(calls) == 1
    assert (cached.n_asked, cached.n_computed) == (12, 2)


@pytest.mark.parametrize("spec", ["sa", "np_likeness", "alerts", "length", f"similarity:{ASPIRIN}", "expression"])
def test_cached_values_are_those_of_the_score(spec: str):
    strings = [*ETHANOLS, ASPIRIN, "", "x", "C1CC", "é", "\udc80", "N[C@@H](C)O", "N[C@H](C)O", "C.CCO", "*"]
    score = find_score(spec)
    assert np.allclose(Cached(score)(strings), score(strings), rtol=1e-12, equal_nan=True)


def test_a_value_does_not_depend_on_which_writing_came_first():
    one, other = Cached(SCORES["plogp"]), Cached(SCORES["plogp"])
    writings = ["CC(=O)Oc1ccccc1C(=O)O", "OC(=O)c1ccccc1OC(C)=O", "O=C(C)Oc1c(C(=O)O)cccc1"]
    assert np.array_equal(one(writings), other(writings[::-1]))


def test_writings_of_a_string_score_are_not_confused():
    assert Cached(SCORES["length"])(["CCO", "[CH3]CO"]).tolist() == [3, 7]


def test_mirror_images_are_two_molecules():
    cached = Cached(SCORES["qed"])
    cached(["N[C@@H](C)O", "N[C@H](C)O"])
    assert cached.n_computed == 2


def test_strings_that_are_no_molecules_are_remembered_too():
    score, calls = recording(SCORES["qed"])
    cached = Cached(score)
    assert np.isnan(cached(["x", "x", ""])).all()
    assert np.isnan(cached(["x"])).all()
    assert calls == [["x", ""]]


def test_nothing_asked_nothing_computed():
    score, calls = recording(SCORES["qed"])
    assert Cached(score)([]).shape == (0,)
    assert not calls


def test_a_batch_score_is_never_cached():
    def share(strings):
        return np.full(len(strings), len(set(strings)) / len(strings))

    score, calls = recording(Score("unique", "", "higher", (0.0, 1.0), 0.0, share, scope="batch"))
    cached = Cached(score)
    assert cached(["a", "b"]).tolist() == [1, 1]
    assert cached(["a", "a"]).tolist() == [0.5, 0.5]
    assert len(calls) == 2
    assert cached.n_computed == 4
    assert not cached.values


def test_what_is_known_from_before_is_not_computed():
    score, calls = recording(SCORES["qed"])
    cached = Cached(score, known={"CCO": 0.25})
    assert cached(["OCC"]).tolist() == [0.25]
    assert not calls
    cached([ASPIRIN])
    assert dict(cached.values) == {"CCO": 0.25, ASPIRIN: SCORES["qed"]([ASPIRIN])[0]}


def test_a_guard_fits_inside():
    def function(strings):
        return np.array([1 / len(string) for string in strings])

    score = Score("inverse", "", "higher", (0.0, 1.0), 0.0, function)
    guarded = Guarded(score)
    cached = Cached(score, function=lambda strings: guarded(strings).values)
    assert np.array_equal(cached(["ab", "", "ab"]), [0.5, np.nan, 0.5], equal_nan=True)
