"""Bootstrap intervals against counting out every draw, closed forms, and the normal approximation."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from freerun.bootstrap import Estimate, estimate, paired


def counted(values: list[int]) -> tuple[float, float]:
    """Both ends of the 95 % interval of whole numbers, in exact arithmetic: the smallest mean that a share reaches."""
    means = sorted(Fraction(sum(draw), len(values)) for draw in itertools.product(values, repeat=len(values)))
    low, high = (means[math.ceil(share * len(means)) - 1] for share in (Fraction(1, 40), Fraction(39, 40)))
    return float(low), float(high)


@pytest.mark.parametrize("values", [[3, 8], [1, 5, 6], [0, 0, 7, 11], [2, 3, 5, 7, 11], [-4, 1, 1, 2, 9, 30]])
def test_the_interval_of_few_values_is_that_of_all_draws(values):
    found = estimate([float(value) for value in values])
    assert (found.n, found.mean) == (len(values), pytest.approx(sum(values) / len(values), abs=1e-12))
    assert (found.low, found.high) == pytest.approx(counted(values), abs=1e-12)


@pytest.mark.parametrize("values", [[2.0, 5.0], [1.0, 9.0, 4.0]])
def test_the_interval_of_two_or_three_values_is_their_range_and_clear_of_nothing(values):
    found = estimate(values)
    assert (found.low, found.high) == pytest.approx((min(values), max(values)))
    assert not found.is_clear


def test_the_interval_of_many_values_is_near_that_of_the_normal_law():
    x = np.random.default_rng(3).normal(2.0, 1.5, size=400)
    found = estimate(x.tolist())
    half = 1.95996 * x.std() / math.sqrt(400)
    # an end is a quantile of 20,000 draws: its standard error is 0.02 of half the width
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.1 * half)
    assert estimate(x.tolist()) == found


def test_a_share_of_the_draws_lies_in_an_interval_of_that_share():
    wide, narrow = (estimate([1.0, 2.0, 4.0, 8.0, 9.0], share) for share in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_one_value_has_no_interval_and_none_has_no_mean():
    assert estimate([]).n == estimate([math.nan, math.inf]).n == 0
    assert math.isnan(estimate([]).mean)
    one = estimate([math.nan, 4.0])
    assert (one.n, one.mean, one.has_interval, one.is_clear) == (1, 4.0, False, False)


def test_what_pairs_have_in_common_falls_out():
    shared = [0.0, 50.0, -30.0, 7.0, 1e3]
    own = [1.0, 1.5, 0.5, 1.2, 0.8]
    found = paired([a + b for a, b in zip(shared, own, strict=True)], shared)
    assert found.mean == pytest.approx(1.0)
    assert found.is_clear
    assert (found.low, found.high) == pytest.approx((estimate(own).low, estimate(own).high))


def test_a_pair_without_both_is_left_out():
    found = paired([1.0, math.nan, 3.0, 4.0], [0.5, 1.0, math.nan, 2.0])
    assert (found.n, found.mean) == (2, 1.25)
    with pytest.raises(ValueError):
        paired([1.0], [1.0, 2.0])


def test_a_difference_is_clear_where_the_interval_leaves_out_nothing():
    assert Estimate(4, 1.0, 0.5, 1.5).is_clear
    assert Estimate(4, -1.0, -1.5, -0.5).is_clear
    assert not Estimate(4, 0.5, 0.0, 1.0).is_clear
