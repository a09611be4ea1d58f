import random

import pytest

from freerun.corpora.reading import Reading, Refusals, refuse
from freerun.errors import FreerunError


def test_the_first_refusals_are_kept_whatever_the_order_of_finding():
    lines = list(range(1, 101))
    random.Random(0).shuffle(lines)
    refusals = Refusals()
    for line in lines:
        refusals.add(refuse(line, "f.smi", 3, "bad"))
    assert refusals.count == 100
    assert [example.line for example in refusals.examples] == list(range(1, 11))
    assert str(refusals) == "100 lines were left out; the first: f.smi, line 1, position 3: bad"
    assert Refusals.from_dict(refusals.to_dict()) == refusals


def test_a_refusal_says_file_line_position_and_reason_in_one_short_line():
    text = str(refuse(7, "f.smi", 600, "token 'X'", "C" * 600 + "X" + "C" * 600))
    assert text.startswith("f.smi, line 7, position 600: token 'X': ...")
    assert "X" in text[40:]
    assert len(text) < 150


def test_strict_reading_ends_at_the_first_refusal():
    with pytest.raises(FreerunError, match=r"f\.smi, line 2, position 0: bad.*--strict"):
        Reading(strict=True).refused(refuse(2, "f.smi", 0, "bad"))


def test_a_remark_is_made_once():
    reading = Reading()
    reading.note("a")
    reading.note("a")
    assert reading.notes == ["a"]
