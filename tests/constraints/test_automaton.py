import itertools
import re

import numpy as np
import pytest
import torch

from freerun.constraints.automaton import Automaton
from freerun.constraints.base import BOS, EOS, PAD, SPECIALS, UNK
from freerun.grammars.nfa import PatternError

ABC = (*SPECIALS, "a", "b", "c")
CHUNKS = (*SPECIALS, "a", "ab", "ba", "bb", "")
WORDS = (*SPECIALS, "the", "a", "cat", "sleeps", "x y")
CASES = [
    (ABC, "(a|b)*abb", ""),
    (ABC, "a{2,4}|c", ""),
    (ABC, "a*", ""),
    (ABC, "(ab)+c?", ""),
    (ABC, ".{3}", ""),
    (ABC, "[^a]*a[^a]*", ""),
    (ABC, "(a|b|c){6}", ""),
    (ABC, "a(,[bc])*", ","),
    (CHUNKS, "(a|b)*abb", ""),
    (CHUNKS, "abab|bbb?a", ""),
    (WORDS, "(the|a) cat( sleeps)?", " "),
    (WORDS, "(x y )*a", " "),
]


def language(vocab, pattern, separator, longest):
    """Every sequence of at most `longest` tokens that spells a string of the language."""
    known = re.compile(pattern)
    words = [index for index in range(UNK + 1, len(vocab)) if vocab[index]]
    found = set()
    for n in range(longest + 1):
        for tokens in itertools.product(words, repeat=n):
            if known.fullmatch(separator.join(vocab[token] for token in tokens)):
                found.add((*tokens, EOS))
    return found


def walked(constraint, budget):
    """Every sequence that the masks allow; each step must allow something."""
    found, front = [], [()]
    state = constraint.start(1, budget)
    while front:
        masks = constraint.allowed(state)
        assert masks.any(1).all()
        pairs = masks.nonzero()
        ended = masks[:, PAD]
        assert (masks[ended].sum(1) == 1).all()
        found += [written for written, end in zip(front, ended.tolist(), strict=True) if end]
        pairs = pairs[~ended[pairs[:, 0]]]
        front = [(*front[row], token) for row, token in pairs.tolist()]
        state = constraint.advance(state[pairs[:, 0]], pairs[:, 1])
    return found


@pytest.mark.parametrize(("vocab", "pattern", "separator"), CASES)
def test_masks_allow_exactly_the_strings_that_fit(vocab, pattern, separator):
    constraint = Automaton(vocab, pattern, separator)
    expected = language(vocab, pattern, separator, 7 if len(vocab) < 9 else 5)
    shortest = min(map(len, expected))
    for budget in range(shortest, (9 if len(vocab) < 9 else 7)):
        found = walked(constraint, budget)
        assert len(found) == len(set(found))
        assert set(found) == {tokens for tokens in expected if len(tokens) <= budget}
    with pytest.raises(ValueError, match="below the shortest string"):
        constraint.start(1, shortest - 1)


def test_a_table_is_the_automaton_that_it_came_from():
    one = Automaton(ABC, "(a|b)*abb")
    other = Automaton.of_table(ABC, one.token_moves, one.accepting)
    assert walked(one, 7) == walked(other, 7)
    np.testing.assert_array_equal(one.token_moves, other.token_moves)


def test_tables_are_trimmed_and_merged():
    """States 2 (no end), 3 (never reached), and 1 and 4 (the same future) of five."""
    none = [-1] * 4
    moves = np.array([[*none, 1, 4, 2], [*none, 1, -1, -1], [*none, 2, 2, 2], [*none, 1, 1, 1], [*none, 4, -1, -1]])
    constraint = Automaton.of_table(ABC, moves, np.array([False, True, False, True, True]))
    assert constraint.token_moves.tolist() == [[*none, 1, 1, -1], [*none, 1, -1, -1]]
    assert constraint.accepting.tolist() == [False, True]


def test_replay_equals_step_by_step_and_never_pays_for_forbidden_tokens():
    constraint = Automaton(ABC, "(a|b)*abb")
    tokens = torch.tensor(
        [[4, 5, 5, EOS, PAD], [4, 4, 5, 5, EOS], [5, 6, 4, 4, 4], [BOS, 4, 5, 5, EOS], [4, 5, 4, 5, 5]]
    )
    budget = torch.tensor([5, 5, 9, 5, 5])
    state = constraint.start(5, budget)
    masks = constraint.replay(tokens, budget)
    for step, column in enumerate(tokens.unbind(1)):
        assert torch.equal(masks[:, step], constraint.allowed(state))
        state = constraint.advance(state, column)
    written = masks.gather(2, tokens.unsqueeze(2)).squeeze(2).all(1)
    assert written.tolist() == [True, True, False, False, False]
    assert masks[2, 2:].nonzero()[:, 1].tolist() == [PAD] * 3


def test_a_token_that_outruns_the_budget_is_dead_though_the_pattern_allows_it():
    constraint = Automaton(ABC, "a{2,4}|c")
    state = constraint.advance(constraint.start(1, 2), torch.tensor([4]))
    assert constraint.allowed(state)[0].nonzero().flatten().tolist() == [PAD]


def test_the_vocabulary_decides_which_strings_there_are():
    assert walked(Automaton((*SPECIALS, "ab"), "(a|b)*", ""), 3) == [(EOS,), (4, EOS), (4, 4, EOS)]
    with pytest.raises(ValueError, match="with this vocabulary of 5 tokens"):
        Automaton((*SPECIALS, "ab"), "b.")


def test_a_dot_matches_what_the_vocabulary_writes():
    assert len(walked(Automaton((*SPECIALS, "é", "a"), "."), 3)) == 2


@pytest.mark.parametrize("settings", [{}, {"pattern": "a", "moves": ((-1,) * 7,), "ends": (True,)}])
def test_one_of_pattern_and_table_is_needed(settings):
    with pytest.raises(ValueError, match="either a pattern or moves"):
        Automaton(ABC, **settings)


def test_a_table_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match="one row a state"):
        Automaton(ABC, moves=((1, 2),), ends=(True,))


def test_a_wrong_pattern_is_a_wrong_request():
    with pytest.raises(PatternError, match="unterminated"):
        Automaton(ABC, "(a")


def test_reasons_name_what_is_wrong():
    constraint = Automaton(ABC, "(ab)+c?")
    state = constraint.start(1, 4)
    assert constraint.reason(state, 5) == "no string of the language goes on with 'b' here (what does: 'a')"
    assert constraint.reason(state, EOS) == "the string cannot end here (what goes on: 'a')"
    assert constraint.reason(state, UNK) == "<unk> is never written"
    for token in (4, 5):
        state = constraint.advance(state, torch.tensor([token]))
    assert "'a' and the shortest completion are 3 tokens with <eos>, the budget leaves 2" in constraint.reason(state, 4)
    state = constraint.advance(state, torch.tensor([6]))
    assert "(what does: the end)" in constraint.reason(state, 4)
    state = constraint.advance(state, torch.tensor([EOS]))
    assert "has ended" in constraint.reason(state, 4)
