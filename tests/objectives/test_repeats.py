import pytest

from freerun.objectives.repeats import repeat_weights


def test_the_weight_of_a_repeat_by_hand():
    keys = ["a", "b", "a", "a", "c"]  # 3 distinct of 5
    assert repeat_weights(keys, "count").tolist() == [1 / 3, 1, 1 / 3, 1 / 3, 1]
    assert repeat_weights(keys, "count+fraction") == pytest.approx([0.2, 0.6, 0.2, 0.2, 0.6])
    assert repeat_weights(keys, "none").tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["count", "count+fraction", "none"])
def test_nothing_has_no_weights_and_different_strings_weigh_one(kind):
    assert repeat_weights([], kind).shape == (0,)
    assert repeat_weights(["a", "b"], kind).tolist() == [1, 1]
