"""Characters and words."""

import pytest

from freerun.errors import InvalidSequence
from freerun.representations.text import Text


def test_characters_are_kept_as_they_stand():
    assert Text().tokenize(" a\tB\n") == [" ", "a", "\t", "B", "\n"]
    assert Text().normalise(" a\tB\n") == " a\tB\n"


def test_words_are_what_stands_between_white_space():
    words = Text(unit="word")
    assert words.tokenize("  a man\trides .\n") == ["a", "man", "rides", "."]
    assert words.normalise("  a man\trides .\n") == "a man rides ."


def test_lower_case_is_part_of_the_normal_form():
    assert Text(lower=True).normalise("A b") == "a b"
    assert Text(unit="word", lower=True).tokenize("A  Man") == ["a", "man"]


def test_a_word_that_is_a_special_token_is_refused_where_it_stands():
    with pytest.raises(InvalidSequence, match=r"the word '<eos>' is reserved .* at position 7 of"):
        Text(unit="word").tokenize("a<eos> <eos>")
    assert Text().tokenize("<eos>") == list("<eos>")


def test_numbers_are_all_in_the_vocabulary_whatever_the_corpus_shows():
    numbers = Text(unit="word", numbers=12)
    assert numbers.with_vocab(numbers.fixed_vocab).encode("0 11 3") == [4, 15, 7]
    with pytest.raises(InvalidSequence, match=r"the word '12' is no whole number from 0 to 11 at position 2 of"):
        numbers.tokenize("3 12")
    with pytest.raises(InvalidSequence, match="the word '007'"):
        numbers.tokenize("007")
    with pytest.raises(ValueError, match="numbers = 12 are words"):
        Text(numbers=12)
