import math

import numpy as np
import pytest

from freerun.errors import UsageError
from freerun.objectives.shapes import SHAPES, Clip, Identity, Sigmoid, Step, Window, read_shape, written

ALL = [
    Identity(),
    Clip(5.0, 1.5),
    Clip(-2.12, 6.04),
    Step(0.5, "higher"),
    Step(0.5, "lower"),
    Sigmoid(2.0, 0.5, "lower"),
    Window(1.0, 2.0, 0.5),
    Window(1.0, 1.0),
]


def shaped(shape, *values: float) -> list[float]:
    return shape(np.array(values)).tolist()


def test_every_shape_has_its_worked_values():
    assert shaped(Identity(), 0.0, 0.25) == [0.0, 0.25]
    assert shaped(Clip(5.0, 1.5), 6.0, 5.0, 3.25, 1.5, 1.0) == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert shaped(Clip(-2.0, 6.0), -3.0, 0.0, 7.0) == [0.0, 0.25, 1.0]
    assert shaped(Step(0.5, "higher"), 0.4, 0.5, 0.6) == [0.0, 1.0, 1.0]
    assert shaped(Step(0.5, "lower"), 0.4, 0.5, 0.6) == [1.0, 1.0, 0.0]
    assert shaped(Window(1.0, 2.0, 0.5), 0.0, 0.75, 1.0, 2.0, 2.25, 3.0) == [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    assert shaped(Window(1.0, 2.0), 0.99, 1.0, 2.0, 2.01) == [0.0, 1.0, 1.0, 0.0]


def test_the_sigmoid_is_the_logistic_function_and_overflows_nowhere():
    values = np.linspace(-5.0, 9.0, 29)
    expected = 1 / (1 + np.exp(-(values - 2.0) / 0.5))
    assert Sigmoid(2.0, 0.5, "higher")(values) == pytest.approx(expected, abs=1e-15)
    assert Sigmoid(2.0, 0.5, "lower")(values) == pytest.approx(1 - expected, abs=1e-15)
    assert shaped(Sigmoid(2.0, 0.5, "higher"), -1e300, 1e300) == [0.0, 1.0]


@pytest.mark.parametrize("shape", ALL, ids=repr)
def test_shapes_stay_from_0_to_1_and_leave_what_has_no_value(shape):
    values = shape(np.array([math.nan, 0.0, 0.3, 1.0]))
    assert np.isnan(values).tolist() == [True, False, False, False]
    assert ((values[1:] >= 0) & (values[1:] <= 1)).all()
    assert shape(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("shape", ALL, ids=repr)
def test_what_is_written_is_read_back(shape):
    assert read_shape(written(shape), "here", "higher") == shape


def test_a_direction_that_is_not_given_is_the_scores():
    assert read_shape({"shape": "step", "at": 3}, "here", "lower") == Step(3.0, "lower")
    assert read_shape({"shape": "sigmoid", "middle": 3, "width": 1, "better": "higher"}, "", "lower") == Sigmoid(
        3.0, 1.0, "higher"
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"shape": "clipp"}, "shape = 'clipp' is not known, did you mean 'clip'"),
        ({"worst": 1}, "shape = None is not known; there are identity, clip, step, sigmoid, window"),
        ({"shape": "clip", "worst": 1, "bset": 2}, "bset is not known, did you mean 'best'"),
        ({"shape": "clip", "worst": 1}, "clip needs best"),
        ({"shape": "clip", "worst": 1, "best": 1}, "they must differ"),
        ({"shape": "clip", "worst": "1", "best": 2}, "worst = '1' must be a finite number"),
        ({"shape": "clip", "worst": True, "best": 2}, "worst = True must be a finite number"),
        ({"shape": "clip", "worst": math.inf, "best": 2}, "worst = inf must be a finite number"),
        ({"shape": "step", "at": 1, "better": "up"}, "better = 'up' must be 'higher' or 'lower'"),
        ({"shape": "sigmoid", "middle": 1, "width": 0}, "width = 0 must be above 0"),
        ({"shape": "window", "low": 2, "high": 1}, "low = 2 lies above high = 1"),
        ({"shape": "window", "low": 1, "high": 2, "margin": -1}, "margin = -1 must be 0 or more"),
        ({"shape": "identity", "best": 1}, "best is not known; identity takes no numbers"),
    ],
)
def test_a_wrong_table_is_told_with_its_place(table, message: str):
    with pytest.raises(UsageError, match=r"^\[here\]: ") as raised:
        read_shape(table, "[here]", "higher")
    assert message in str(raised.value)


def test_every_shape_is_tested_here():
    assert {type(shape) for shape in ALL} == set(SHAPES.values())
