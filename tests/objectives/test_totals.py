import numpy as np
import pytest

from freerun.errors import UsageError
from freerun.objectives.totals import TOTALS, Arithmetic, Geometric, Sum, Turns

PARTS = np.array([[0.25, 1.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
WEIGHTS = np.array([1.0, 3.0])


def test_each_total_by_hand():
    assert Sum()(PARTS, WEIGHTS).tolist() == [3.25, 3.0, 4.0, 2.0]
    assert Arithmetic()(PARTS, WEIGHTS).tolist() == [0.8125, 0.75, 1.0, 0.5]
    assert Geometric()(PARTS, WEIGHTS) == pytest.approx([0.25**0.25, 0.0, 1.0, 0.5])


def test_turns_count_one_part_after_the_other_without_end():
    ones = np.ones(2)
    assert [Turns()(PARTS, ones, turn)[0] for turn in range(4)] == [0.25, 1.0, 0.25, 1.0]
    assert Turns()(PARTS, ones).tolist() == PARTS.mean(1).tolist()


def test_turns_take_no_weights():
    Turns().check(np.array([2.0, 2.0]))
    with pytest.raises(UsageError, match="weights say nothing"):
        Turns().check(WEIGHTS)


@pytest.mark.parametrize("total", TOTALS.values(), ids=TOTALS)
def test_means_of_parts_from_0_to_1_are_from_0_to_1_whatever_the_weights(total):
    rng = np.random.default_rng(0)
    for _ in range(200):
        parts = rng.choice([0.0, 0.3, 1.0], (20, 3))
        totals = total(parts, rng.exponential(1.0, 3) ** 8, 0)
        assert ((totals >= 0) & (totals <= 1)).all()
    assert total(np.zeros((0, 3)), np.ones(3), 0).shape == (0,)
