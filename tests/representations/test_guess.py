"""Which representation fits a file."""

import pytest

from freerun.errors import FreerunError
from freerun.representations import guess_representation
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

MOLECULES = ["CCO", "c1ccccc1", "CC(=O)N", "C1CC1"]


def test_molecules_are_recognised_and_the_share_is_said():
    representation, reason = guess_representation(MOLECULES * 250)
    assert representation == Smiles()
    assert reason == "smiles: 100.0 % of the first 1,000 lines parse as molecules"


def test_some_junk_and_empty_lines_do_not_matter():
    representation, reason = guess_representation([*MOLECULES * 2, "", "  ", "hello"])
    assert representation == Smiles()
    assert "88.9 % of the first 9 lines" in reason


def test_sentences_that_repeat_their_words_are_words():
    lines = [f"a {animal} rides a {thing} ." for animal in ("man", "dog", "cat") for thing in ("bike", "horse")] * 10
    representation, reason = guess_representation(lines)
    assert representation == Text(unit="word")
    assert reason.startswith("text by words: 0.0 % of the first 60 lines parse as molecules; a line has 6.0 words")


def test_other_text_is_characters():
    assert guess_representation(["To be, or not to be,", "that is the question"])[0] == Text()
    assert guess_representation(["1+2", "3*x", "sin(x)"])[0] == Text()


def test_only_the_first_thousand_lines_are_looked_at():
    assert guess_representation(MOLECULES * 250 + ["hello"] * 5000)[0] == Smiles()


def test_nothing_cannot_be_guessed_from():
    with pytest.raises(FreerunError, match="no line with anything on it"):
        guess_representation(["", " "])


def test_a_line_without_end_is_no_molecule():
    assert guess_representation(["C" * 100_000])[0] == Text()
