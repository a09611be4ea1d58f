"""Objectives: signs, weights, failures, and a file that is never paid twice."""

import csv
import math
from typing import Literal

import numpy as np
import pytest

from freerun.errors import FreerunError, UsageError
from freerun.scores.base import Score
from freerun.search.queries import Objective, Term, find_terms


class Counted:
    """The number of letters; none of an empty string; remembers what it was asked."""

    def __init__(self):
        self.asked: list[str] = []

    def __call__(self, strings) -> np.ndarray:
        self.asked += strings
        return np.array([float(len(string)) if string else math.nan for string in strings])


def term(spec: str, function, direction: Literal["higher", "lower"] = "higher", weight=1.0, worst=-9.0) -> Term:
    return Term(spec, Score(spec, spec, direction, (0.0, math.inf), worst, function), weight)


def plain(string: str) -> tuple[str, bool]:
    return string, bool(string)


def test_the_total_is_the_weighted_sum_with_each_score_in_its_direction():
    ones = term("ones", lambda strings: np.array([string.count("1") for string in strings], float), weight=2.0)
    length = term("length", Counted(), direction="lower", weight=0.5, worst=40.0)
    objective = Objective([ones, length], None, plain)
    assert objective(["11ab", "xyz", ""]).tolist() == [2 * 2 - 0.5 * 4, -0.5 * 3, -0.5 * 40]


def test_a_string_and_other_writings_of_it_are_paid_once():
    counted = Counted()
    objective = Objective([term("n", counted)], None, lambda string: (string.lower(), True))
    assert objective(["ab", "AB", "abc", "aB"]).tolist() == [2, 2, 3, 2]
    objective(["abC", "q"])
    assert counted.asked == ["ab", "abc", "q"]
    assert objective.n_paid == 3


def test_what_is_in_the_file_is_not_paid_again_and_a_line_cut_short_is(tmp_path):
    path, before = tmp_path / "scores.csv", Counted()
    first = Objective([term("n", before)], path, plain)
    totals = first(["a", 'quo"te, comma', "", "line\nbreak"])
    whole = path.read_bytes()
    path.write_bytes(whole + b"4,half a li")
    again = Counted()
    objective = Objective([term("n", again)], path, plain)
    assert path.read_bytes() == whole
    assert np.array_equal(objective(["a", 'quo"te, comma', "", "line\nbreak", "new"])[:4], totals)
    assert again.asked == ["new"]
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["step"] for line in lines] == ["0", "1", "2", "3", "4"]
    assert lines[1]["canonical"] == 'quo"te, comma'
    assert (lines[2]["n"], lines[2]["total"], lines[2]["valid"]) == ("", "-9.0", "False")


def test_a_file_of_other_scores_is_refused_and_a_damaged_one_told(tmp_path):
    path = tmp_path / "scores.csv"
    Objective([term("n", Counted())], path, plain)(["a"])
    with pytest.raises(UsageError, match="other scores"):
        Objective([term("m", Counted())], path, plain)
    path.write_text(path.read_text().replace("1.0", "one"))
    with pytest.raises(FreerunError, match="cannot be read"):
        Objective([term("n", Counted())], path, plain)


def test_a_score_that_raises_or_is_infinite_costs_its_worst():
    def odd(strings) -> np.ndarray:
        if "bad" in strings:
            raise ValueError("never")
        return np.array([math.inf if string == "inf" else 1.0 for string in strings])

    objective = Objective([term("odd", odd)], None, plain)
    assert objective(["good", "bad", "inf"]).tolist() == [1.0, -9.0, -9.0]
    assert sum(objective.failures.values()) == 2


def test_weights_are_read_after_the_last_colon():
    terms = find_terms(["qed:0.5", "similarity:CCO:2", "sa"])
    assert [(each.spec, each.weight, each.sign) for each in terms] == [
        ("qed", 0.5, 1.0),
        ("similarity:CCO", 2.0, 1.0),
        ("sa", 1.0, -1.0),
    ]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [(["qeed"], "did you mean 'qed'"), (["qed:0"], "above 0"), (["qed:-1"], "above 0"), (["qed", "qed:2"], "once")],
)
def test_wrong_scores_are_refused(specs, expected):
    with pytest.raises(UsageError, match=expected):
        find_terms(specs)
