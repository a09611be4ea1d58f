import math

import numpy as np
import pytest

from freerun.corpora.values import Column, kind, number


@pytest.mark.parametrize(("cell", "value"), [("1.5", 1.5), (" -2e3 ", -2000.0), (3, 3.0), (True, 1.0)])
def test_a_cell_that_is_a_number(cell, value):
    assert number(cell) == value


@pytest.mark.parametrize("cell", ["", "abc", "1_000", "inf", "nan", None, math.inf, "1,5", []])
def test_a_cell_that_is_none(cell):
    assert number(cell) is None


def test_a_column_of_mostly_numbers_holds_numbers():
    assert kind(["1", "2", "", "NaN", "high"]) == "number"
    assert kind(["low", "high", "1"]) == "label"
    assert kind(["", None, "NA"]) == "number"


def test_missing_and_wrong_numbers_are_nan_and_counted():
    column = Column("logp", "number")
    for line, cell in enumerate(["1.5", "", "abc", None, float("nan"), "2", "x"], 2):
        column.add(line, cell)
    np.testing.assert_array_equal(column.array(), [1.5, np.nan, np.nan, np.nan, np.nan, 2, np.nan])
    assert (column.n_missing, column.n_wrong) == (3, 2)
    assert column.remark() == "column 'logp': 3 missing, 2 not a number (first: 'abc' in line 4) of 7 values"


def test_labels_stay_text():
    column = Column("class", "label")
    for line, cell in enumerate(["a", "b", "", "a", 1]):
        column.add(line, cell)
    assert column.array().tolist() == ["a", "b", "", "a", "1"]
    assert column.remark() == "column 'class': 1 missing of 5 values"


def test_a_whole_column_says_nothing():
    column = Column("logp", "number")
    column.add(1, 1.0)
    assert column.remark() == ""
