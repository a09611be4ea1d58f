"""The mean of a score over samples: of the valid ones alone, whichever way they are written."""

import math

import pytest

from freerun.measuring import Measuring
from freerun.representations.smiles import Smiles
from freerun.scores import find_score


def test_a_mean_is_that_of_the_valid_strings():
    measuring = Measuring(4, "moses", "zinc250k", ("qed", "length"), "cpu", None)
    found = measuring.means(["OCC", "C(", "c1ccccc1", ""], Smiles())
    ethanol, benzene = find_score("qed")(["CCO", "c1ccccc1"])
    assert found["qed"] == pytest.approx((ethanol + benzene) / 2)
    assert math.isnan(measuring.means(["C(", "("], Smiles())["qed"])
