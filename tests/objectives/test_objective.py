"""Objectives: signs, weights, shapes, failures, what stands beside, and a course that can be rewound."""

import dataclasses
import math

import numpy as np
import pytest
from counted import Counted, plain, term

from freerun.errors import FreerunError, UsageError
from freerun.objectives.objective import Objective
from freerun.objectives.shapes import Clip, Identity
from freerun.objectives.totals import Arithmetic, Geometric, Turns


def ones(strings) -> np.ndarray:
    return np.array([string.count("1") for string in strings], float)


def shares(strings) -> np.ndarray:
    """1 / the number of strings that it was asked with: what stands beside is seen in it."""
    return np.full(len(strings), 1 / max(1, len(strings)))


def test_the_total_of_a_search_is_the_weighted_sum_with_each_score_in_its_direction():
    n_ones = term("ones", ones, weight=2.0)
    length = term("length", Counted(), direction="lower", weight=0.5, worst=40.0)
    objective = Objective([n_ones, length], None, plain)
    assert objective(["11ab", "xyz", ""]) == pytest.approx([2 * 2 - 0.5 * 0.4, -0.5 * 0.3, -0.5 * 40])


@pytest.mark.parametrize(
    ("total", "expected"), [(Arithmetic(), (0.5 + 3 * 0.3) / 4), (Geometric(), (0.5 * 0.3**3) ** 0.25)]
)
def test_shaped_terms_are_averaged_by_weight(total, expected: float):
    n_ones = term("ones", ones, shape=Clip(0.0, 4.0))
    length = term("length", Counted(), weight=3.0, shape=Identity())
    assert Objective([n_ones, length], None, plain, total)(["11b"]) == pytest.approx([expected])


def test_terms_take_turns():
    objective = Objective(
        [term("ones", ones, shape=Clip(0.0, 4.0)), term("length", Counted(), shape=Identity())], None, plain, Turns()
    )
    assert objective(["11b"]).tolist() == [0.5]
    objective.turn = 1
    assert objective(["11b"]).tolist() == [0.3]
    objective.turn = 2
    assert objective(["11b"]).tolist() == [0.5]


def test_a_string_that_is_not_valid_is_worth_nothing_and_no_score_sees_it():
    counted = Counted()
    objective = Objective([term("n", counted, shape=Identity())], None, plain, Arithmetic())
    assert objective(["ab", "-ab", "", "abc"]).tolist() == [0.2, 0, 0, 0.3]
    assert counted.asked == ["ab", "abc"]
    assert (objective.n_distinct, objective.n_paid) == (4, 2)
    assert not objective.failures


def test_a_valid_string_without_a_value_is_worth_nothing_and_is_counted():
    def odd(strings) -> np.ndarray:
        return np.array([{"nan": math.nan, "inf": math.inf}.get(string, 0.5) for string in strings])

    objective = Objective([term("n", odd, shape=Clip(0.0, 1.0))], None, plain, Arithmetic())
    assert objective(["a", "nan", "inf"]).tolist() == [0.5, 0, 0]
    assert objective.failures == {"no value": 1, "infinite": 1}
    assert objective.examples["no value"] == "'nan': NaN"


def test_a_score_that_fails_on_all_it_is_asked_ends_the_training():
    def broken(strings) -> np.ndarray:
        raise ValueError("no such file: weights.bin")

    objective = Objective([term("n", broken, shape=Identity())], None, plain, Arithmetic())
    assert not objective([f"a{k}" for k in range(63)]).any()
    with pytest.raises(FreerunError, match=r"n failed on all 64 strings .* \('a0': ValueError: no such file"):
        objective(["b"])


@pytest.mark.parametrize("scope", ["string", "batch"])
@pytest.mark.parametrize("total", [Arithmetic(), Geometric()])
def test_a_score_that_always_fails_ends_the_training_whatever_others_say(scope, total):
    def broken(strings) -> np.ndarray:
        raise ValueError("no such file: weights.bin")

    terms = [term("n", Counted()), term("share", shares, scope="batch"), term("odd", broken, scope=scope)]
    terms = [dataclasses.replace(each, shape=Clip(0.0, 1.0)) for each in terms]
    with pytest.raises(FreerunError, match=r"odd failed on all 100 strings"):
        Objective(terms, None, plain, total)([f"a{k}" for k in range(100)])


def test_a_score_that_has_a_value_now_and_then_is_never_given_up():
    def odd(strings) -> np.ndarray:
        return np.array([1.0 if string == "a7" else math.inf for string in strings])

    objective = Objective([term("n", odd, shape=Identity())], None, plain, Arithmetic())
    assert objective([f"a{k}" for k in range(200)]).sum() == 1
    assert not objective([f"b{k}" for k in range(200)]).any()
    assert objective.failures == {"infinite": 399}


def test_a_string_and_other_writings_of_it_are_paid_once():
    counted = Counted()
    objective = Objective([term("n", counted)], None, lambda string: (string.lower(), True))
    assert objective(["ab", "AB", "abc", "aB"]).tolist() == [0.2, 0.2, 0.3, 0.2]
    objective(["abC", "q"])
    assert counted.asked == ["ab", "abc", "q"]
    assert (objective.n_paid, objective.n_distinct) == (3, 3)


def test_a_value_outside_0_to_1_without_a_shape_of_its_own_is_refused_with_the_remedy(tmp_path):
    objective = Objective([term("n", Counted(), shape=Identity())], tmp_path / "scores.csv", plain, Arithmetic())
    assert objective(["x" * 10]).tolist() == [1.0]
    with pytest.raises(UsageError, match=r'n answered 1\.2, .* \[objective\.shapes\."n"\] with shape = "clip"'):
        objective(["ab", "x" * 12])
    kept = Objective([term("n", Counted(), shape=Identity())], tmp_path / "scores.csv", plain, Arithmetic())
    assert kept.values == {"x" * 10: (1.0,), "ab": (0.2,), "x" * 12: (1.2,)}  # nothing that was paid for is lost


def test_what_fails_in_a_new_way_is_told_at_once_and_silence_is_seen():
    heard = []

    def odd(strings) -> np.ndarray:
        return np.full(len(strings), math.inf if "b" in strings[0] else math.nan)

    objective = Objective([term("n", odd, shape=Clip(0.0, 1.0))], None, plain, Arithmetic())
    objective.listen(lambda: heard.append(dict(objective.failures)))
    objective(["a"])
    objective([f"a{k}" for k in range(62)])
    assert (heard, objective.is_silent) == ([{"no value": 1}], False)
    objective(["b"])
    assert heard == [{"no value": 1}, {"no value": 63, "infinite": 1}]
    assert objective.is_silent


@pytest.mark.parametrize(("batch", "expected"), [(0, [0.25] * 4), (2, [0.5] * 4), (3, [1 / 3] * 3 + [1.0])])
def test_terms_that_look_beside_see_groups_of_consecutive_strings(batch: int, expected: list[float]):
    beside = term("share", shares, scope="batch", shape=Identity())
    assert Objective([beside], None, plain, Arithmetic())(["a", "b", "c", "d"], batch).tolist() == expected


def test_terms_that_look_beside_see_valid_strings_only_and_are_asked_again_each_time():
    counted = Counted()
    beside = term("n", counted, scope="batch", shape=Identity())
    objective = Objective([beside], None, plain, Arithmetic())
    assert objective(["ab", "-", "ab", "abc"], 2).tolist() == [0.2, 0, 0.2, 0.3]
    objective(["-", "ab"])
    assert counted.asked == ["ab", "ab", "abc", "ab"]


def test_terms_of_both_kinds_keep_their_places():
    beside = term("share", shares, scope="batch", shape=Identity(), weight=1.0)
    alone = term("length", Counted(), shape=Identity(), weight=3.0)
    for terms in ([beside, alone], [alone, beside]):
        objective = Objective(terms, None, plain, Arithmetic())
        assert objective(["ab", "abcd"]) == pytest.approx([(0.5 + 3 * 0.2) / 4, (0.5 + 3 * 0.4) / 4])


def test_a_score_that_raises_or_is_infinite_costs_its_worst_in_a_search():
    def odd(strings) -> np.ndarray:
        if "bad" in strings:
            raise ValueError("never")
        return np.array([math.inf if string == "inf" else 1.0 for string in strings])

    objective = Objective([term("odd", odd)], None, plain)
    assert objective(["good", "bad", "inf"]).tolist() == [1.0, -9.0, -9.0]
    assert sum(objective.failures.values()) == 2


@pytest.mark.parametrize("scope", ["string", "batch"])
def test_nothing_is_asked_of_nothing(scope):
    objective = Objective([term("n", Counted(), scope=scope, shape=Identity())], None, plain, Arithmetic())
    assert objective([]).shape == (0,)
    assert objective.n_distinct == 0


def test_an_objective_needs_a_score():
    with pytest.raises(UsageError, match="an objective needs a score"):
        Objective([], None, plain)


def test_a_rewound_course_counts_as_if_it_had_never_gone_on_and_pays_nothing_twice(tmp_path):
    path = tmp_path / "scores.csv"
    course = [["a", "b", "a"], ["c", "-"], ["a", "dd", "c"], ["e"]]
    first = Objective([term("n", Counted(), shape=Identity())], path, plain, Arithmetic())
    counts = []
    for strings in course:
        first(strings)
        counts.append(first.n_distinct)
    assert counts == [2, 4, 5, 6]
    content, counted = path.read_bytes(), Counted()
    again = Objective([term("n", counted, shape=Identity())], path, plain, Arithmetic())
    assert again.n_distinct == 0
    again.rewind(2)
    recounted = []
    for strings in course[1:]:
        again(strings)
        recounted.append(again.n_distinct)
    assert recounted == counts[1:]
    assert counted.asked == []
    assert path.read_bytes() == content


def test_a_course_that_is_longer_than_its_file_is_one_clear_error(tmp_path):
    objective = Objective([term("n", Counted())], tmp_path / "scores.csv", plain)
    objective(["a"])
    with pytest.raises(FreerunError, match=r"scores\.csv holds 1 strings, and 5 had been asked for; put the file back"):
        objective.rewind(5)
