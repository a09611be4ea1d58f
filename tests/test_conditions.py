"""Conditions: what enters the networks, what is fitted, and what is refused with a clear line."""

import math

import numpy as np
import pytest
import torch

from freerun.conditions import Conditions, Label, Number, fitted
from freerun.errors import UsageError

CPU = torch.device("cpu")
LOGP = Number("logP", mean=2.0, deviation=0.5, low=-1.0, high=5.0, quantiles=(0.0, 2.0, 4.0))
KIND = Label("kind", ("1", "acid", "amide"), (3, 2, 1))
BOTH = Conditions((LOGP, KIND))


def labels(*values: str) -> np.ndarray:
    return np.array(values, dtype=object)


def test_a_number_enters_standardised_with_a_flag_and_a_label_as_one_of_k():
    columns = {"logP": torch.tensor([3.0, math.nan]), "kind": torch.tensor([2.0, math.nan])}
    assert BOTH.width == 5
    assert BOTH.encoded(columns, 2, CPU).tolist() == [[2.0, 1.0, 0.0, 0.0, 1.0], [0.0] * 5]
    assert BOTH.encoded({}, 2, CPU).tolist() == [[0.0] * 5] * 2


def test_what_is_asked_of_samples_enters_as_the_same_values_of_strings_do():
    of_strings = BOTH.encoded({"logP": torch.tensor([3.0]), "kind": torch.tensor([1.0])}, 1, CPU)
    assert torch.equal(BOTH.asked({"logP": 3.0, "kind": "acid"}, 1, CPU), of_strings)
    assert torch.equal(BOTH.asked({"LOGP": "3.0", "Kind": "acid"}, 1, CPU), of_strings)
    assert BOTH.told({"LOGP": "3", "kind": "1.0"}) == {"logP": 3.0, "kind": "1"}


def test_without_conditions_nothing_enters():
    assert Conditions().encoded({}, 3, CPU).shape == (3, 0)
    assert Conditions().asked({}, 3, CPU).shape == (3, 0)


def test_columns_become_numbers_and_what_cannot_be_read_is_missing():
    found = BOTH.numbers({"logP": np.array([1.5, np.inf]), "kind": labels("amide", "ester"), "other": np.zeros(2)})
    assert list(found) == ["logP", "kind"]
    np.testing.assert_array_equal(found["logP"], np.array([1.5, np.nan], np.float32))
    np.testing.assert_array_equal(found["kind"], np.array([2, np.nan], np.float32))
    of_words = BOTH.numbers({"logP": labels("2.5", "many", ""), "kind": labels("1.0", "", "acid")})
    np.testing.assert_array_equal(of_words["logP"], np.array([2.5, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(of_words["kind"], np.array([0, np.nan, 1], np.float32))
    np.testing.assert_array_equal(BOTH.numbers({"kind": np.array([1.0, np.nan])})["kind"], np.array([0, np.nan]))


def test_unknown_classes_are_named_once():
    assert BOTH.unknown("kind", labels("ester", "acid", "", "1.0", "ester", "ether")) == ["ester", "ether"]
    assert BOTH.unknown("logP", np.array([99.0])) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"logp2": 1.0}, "'logp2' is no condition of this run, did you mean 'logP'.*there are logP, kind"),
        ({"logP": "much"}, "logP = 'much' must be a number"),
        ({"logP": "nan"}, "must be a number"),
        ({"logP": math.inf}, "must be a number"),
        ({"kind": "amid"}, "kind has no class 'amid', did you mean 'amide'.*there are 1, acid, amide"),
        ({"logP": 1.0, "LogP": 2.0}, "logP is asked for twice"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        BOTH.asked(given, 1, CPU)


def test_names_that_differ_in_capitals_alone_must_be_exact():
    two = Conditions((LOGP, Number("LOGP", 0.0, 1.0, 0.0, 1.0, (0.0, 0.5, 1.0))))
    assert two.part("LOGP").name == "LOGP"
    with pytest.raises(UsageError, match="is no condition"):
        two.part("logp")


def test_a_run_without_conditions_says_how_to_train_one():
    with pytest.raises(UsageError, match=r"trained without conditions.*--condition logP"):
        Conditions().remarks({"logP": 1.0})


def test_a_value_outside_the_corpus_is_remarked_with_the_range():
    (remark,) = BOTH.remarks({"logP": 9.0, "kind": "acid"})
    assert "logP = 9 lies outside" in remark
    assert "-1 to 5" in remark
    assert BOTH.remarks({"logP": 5.0}) == []


def test_a_fitted_number_has_the_moments_and_the_range_of_what_is_there():
    values = np.array([1.0, 2.0, np.nan, 6.0])
    (part,) = fitted({"x": values}).parts
    assert isinstance(part, Number)
    assert (part.mean, part.low, part.high) == (3.0, 1.0, 6.0)
    assert part.deviation == pytest.approx(math.sqrt(14 / 3))


def test_fitted_classes_are_counted_and_numbers_may_be_classes():
    kind, year = fitted({"kind": labels("b", "a", "", "b"), "year": np.array([1.0, 2.0, 2.0, np.nan])}, ["year"]).parts
    assert kind == Label("kind", ("a", "b"), (1, 2))
    assert year == Label("year", ("1", "2"), (1, 2))


def test_long_numbers_stay_different_classes():
    (part,) = fitted({"id": np.array([12345671.0, 12345672.0])}, ["id"]).parts
    assert isinstance(part, Label)
    assert part.classes == ("12345671", "12345672")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([np.nan, np.nan]), "'x' has no value in any training string"),
        (np.array([2.5, np.nan, 2.5]), "'x' is 2.5 in every training string"),
        (labels("", ""), "'x' has no value in any training string"),
        (labels("a", "a", ""), "'x' is 'a' in every training string"),
        (labels(*map(str, range(30))), "30 different values in 30 strings.*that is text, not a class"),
    ],
)
def test_a_column_that_says_nothing_is_refused_and_named(values, message):
    with pytest.raises(UsageError, match=message):
        fitted({"x": values})


def test_conditions_come_back_from_the_facts_of_a_run():
    assert Conditions.of_facts(BOTH.facts()) == BOTH
