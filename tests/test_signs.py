"""Signs in a log that a training has come to nothing."""

import pytest

from freerun.signs import signs


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"uniqueness": 0.0625}, "the generator repeats itself: 6.2 % of its last strings were different ones"),
        ({"critic_accuracy_held_out": 0.5}, "right on 50 % of held-out strings"),
        ({"critic_accuracy_held_out": 1.0}, "the critic has won: right on 100 %"),
    ],
)
def test_the_last_values_of_a_log_are_judged(last, expected):
    records = [
        {"step": 1, "uniqueness": 0.9, "critic_accuracy_held_out": 0.7},
        {"step": 2, **last},
        {"step": 2, "lr": 1},
    ]
    (sign,) = signs(records)
    assert expected in sign


def test_a_log_of_nothing_odd_has_no_sign():
    assert signs([]) == signs([{"step": 1, "uniqueness": 0.2, "critic_accuracy_held_out": 0.6}]) == []
