"""The order in which strings are asked."""

from collections import Counter

import pytest

from freerun.errors import UsageError
from freerun.rating.plan import check_scale, order_of


@pytest.mark.parametrize(
    ("n", "share", "n_again"), [(50, 0.1, 5), (7, 0.5, 3), (3, 0.3, 1), (1, 0.5, 0), (0, 0.5, 0), (20, 0.0, 0)]
)
def test_every_string_comes_once_and_the_share_of_them_twice(n, share, n_again):
    counts = Counter(order_of(n, share, seed=3))
    assert sorted(counts) == list(range(n))
    assert sorted(counts.values()) == [1] * (n - n_again) + [2] * n_again


@pytest.mark.parametrize("seed", range(40))
def test_what_comes_again_comes_at_least_a_sixth_later(seed):
    n = 30
    order = order_of(n, 0.5, seed)
    for item in range(n):
        places = [place for place, each in enumerate(order) if each == item]
        assert places[-1] - places[0] >= n // 6 or len(places) == 1


def test_the_order_follows_the_seed():
    assert order_of(40, 0.1, 1) == order_of(40, 0.1, 1)
    assert order_of(40, 0.1, 1) != order_of(40, 0.1, 2)


@pytest.mark.parametrize("share", [-0.1, 0.6, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(UsageError, match=r"must be from 0 to 0\.5"):
        order_of(10, share, 0)


def test_a_scale_has_a_key_for_each_rating():
    check_scale(2)
    check_scale(9)
    for scale in (1, 10):
        with pytest.raises(UsageError, match="one key"):
            check_scale(scale)
