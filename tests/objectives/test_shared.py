import numpy as np
import pytest

from freerun.objectives.shared import FEWEST, Shared
from freerun.scores import SCORES


@pytest.mark.slow
def test_the_values_do_not_depend_on_the_processes_that_computed_them():
    strings = ["C" * n for n in range(1, 150)] + ["no molecule"]
    shared = Shared("qed", SCORES["qed"], n_workers=2, patience=-1.0)
    try:
        values = shared(strings)
        assert shared._computed is not None
        assert np.array_equal(shared(strings[::-1]), values[::-1], equal_nan=True)
    finally:
        shared.close()
    assert np.array_equal(values, SCORES["qed"](strings), equal_nan=True)


def test_little_work_starts_no_process():
    shared = Shared("length", SCORES["length"], n_workers=2)
    assert shared(["a"] * 10 * FEWEST).tolist() == [1] * 10 * FEWEST
    hasty = Shared("length", SCORES["length"], n_workers=2, patience=-1.0)
    assert hasty(["a"] * (FEWEST - 1)).sum() == FEWEST - 1
    alone = Shared("length", SCORES["length"], n_workers=1, patience=-1.0)
    assert alone(["a"] * FEWEST).sum() == FEWEST
    assert shared._computed is hasty._computed is alone._computed is None
