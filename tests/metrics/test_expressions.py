import math

import pytest

from freerun.metrics.expressions import expression_measures

TRAIN = ["x", "x + 1", "sin ( x )"]


def test_a_hand_worked_set():
    samples = ["x+1", "x + 1", "x*x", "x+", "1/3+x+sin(x*x)"]
    measures = expression_measures(samples, TRAIN, TRAIN, ks=(2, 4))
    assert measures["valid"] == 4 / 5
    assert measures["unique@2"] == 1 / 2, "white space makes no other formula"
    assert measures["unique@4"] == 3 / 4
    assert measures["Novelty"] == 2 / 3
    assert measures["best fit"] == 0
    assert measures["length"] == pytest.approx(2 / 3 + 3 / 12 + 8 / 4)  # 3 3 3 14 beside 1 3 6, by quantiles


def test_the_corpus_itself_is_at_no_distance():
    measures = expression_measures(TRAIN, TRAIN, TRAIN)
    assert measures["length"] == measures["fit"] == 0
    assert measures["Novelty"] == 0


def test_nothing_valid_is_no_number():
    measures = expression_measures(["+", ""], TRAIN, TRAIN)
    assert measures["valid"] == 0
    assert math.isnan(measures["fit"])
