import pytest
import torch

from freerun.constraints.base import EOS, PAD, UNK
from freerun.constraints.length import Anything, Length


def test_twenty_words_then_the_end_with_probability_one():
    constraint = Length(9, 20, 20)
    state = constraint.start(1, 100)
    for _ in range(20):
        assert constraint.allowed(state)[0].tolist() == [False] * 4 + [True] * 5
        state = constraint.advance(state, torch.tensor([5]))
    assert constraint.allowed(state)[0].nonzero().flatten().tolist() == [EOS]
    state = constraint.advance(state, torch.tensor([EOS]))
    assert constraint.allowed(state)[0].nonzero().flatten().tolist() == [PAD]


def test_unk_is_a_word_only_where_it_is_declared_one():
    assert not Anything(6).allowed(Anything(6).start(1, 5))[0, UNK]
    wordy = Anything(6, unk_is_word=True)
    assert wordy.allowed(wordy.start(1, 5))[0, UNK]


@pytest.mark.parametrize("settings", [{"shortest": -1}, {"shortest": 3, "longest": 2}])
def test_impossible_lengths_are_refused(settings):
    with pytest.raises(ValueError, match="no string has"):
        Length(9, **settings)


def test_a_vocabulary_without_words_is_refused():
    with pytest.raises(ValueError, match="special tokens alone"):
        Length(4)


def test_each_row_has_a_budget_of_its_own():
    constraint = Anything(6)
    allowed = constraint.allowed(constraint.start(2, torch.tensor([1, 3])))
    assert allowed.sum(1).tolist() == [1, 3]
