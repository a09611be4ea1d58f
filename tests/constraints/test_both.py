"""Pairs of constraints, against strings enumerated without either."""

import itertools
import re
from typing import Any

import pytest
import torch

from freerun.constraints.automaton import Automaton
from freerun.constraints.base import EOS, SPECIALS
from freerun.constraints.both import both
from freerun.constraints.capped import Capped
from freerun.constraints.kekule import Kekule
from freerun.constraints.language import Language
from freerun.constraints.length import Anything, Length
from freerun.constraints.productions import Productions
from freerun.errors import UsageError

WORDS = ("a", "b", "c")
VOCAB = (*SPECIALS, *WORDS)
SUMS = "S -> 'a' S 'b' | T\nT -> 'c' T |"
LONGEST = 7


def walked(constraint: Any, budget: int) -> set[str]:
    found, prefixes, state = set(), [""], constraint.start(1, budget)
    while prefixes:
        allowed = constraint.allowed(state)
        assert allowed.any(1).all(), "a dead end"
        rows, tokens = allowed.nonzero(as_tuple=True)
        found |= {prefixes[row] for row in rows[tokens == EOS].tolist()}
        rows, tokens = rows[tokens != EOS], tokens[tokens != EOS]
        prefixes = [prefixes[row] + VOCAB[token] for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)]
        state = constraint.advance(state[rows], tokens)
    return found


def strings(*patterns: str, shortest: int = 0, longest: int = LONGEST) -> set[str]:
    words = ("".join(w) for n in range(shortest, longest + 1) for w in itertools.product(WORDS, repeat=n))
    return {word for word in words if all(re.fullmatch(pattern, word) for pattern in patterns)}


NESTED = {f"{'a' * n}{'c' * m}{'b' * n}" for n in range(4) for m in range(8) if 2 * n + m <= LONGEST}
PAIRS = {
    "two lengths": (Length(7, 1, 5), Length(7, 2), strings(shortest=2, longest=5)),
    "automata": (Automaton(VOCAB, "a*b*c?"), Automaton(VOCAB, "(aa|b)*c"), strings("a*b*c?", "(aa|b)*c")),
    "automaton and lengths": (Automaton(VOCAB, "a*b+"), Length(7, 3, 5), strings("a*b+", shortest=3, longest=5)),
    "automaton and the least": (Automaton(VOCAB, "a*b+"), Length(7, 4), strings("a*b+", shortest=4)),
    "grammar and automaton": (Language(VOCAB, SUMS), Automaton(VOCAB, "a+c+.*"), {w for w in NESTED if "ac" in w}),
    "grammar and lengths": (Language(VOCAB, SUMS), Length(7, 4, 6), {w for w in NESTED if 4 <= len(w) <= 6}),
    "grammar and the longest": (Language(VOCAB, SUMS), Length(7, 0, 3), {w for w in NESTED if len(w) <= 3}),
    "anything": (Anything(7), Automaton(VOCAB, "abc|c"), {"abc", "c"}),
    "capped twice": (Capped(Automaton(VOCAB, "a*b"), 5), Length(7, 0, 3), strings("a*b", longest=3)),
    "capped, then more": (Capped(Automaton(VOCAB, "a*b"), 5), Automaton(VOCAB, "(aa)*b"), {"b", "aab", "aaaab"}),
}


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS.values(), ids=PAIRS)
def test_a_pair_allows_what_both_allow_in_either_order(a, b, expected):
    for budget in (LONGEST + 1, LONGEST - 1):
        wanted = {word for word in expected if len(word) < budget}
        assert walked(both(a, b), budget) == wanted
        assert walked(both(b, a), budget) == wanted


def test_a_longest_length_goes_with_productions_and_molecules():
    constraint = both(Productions(SUMS), Length(Productions(SUMS).n_vocab, 0, 3))
    tokens = torch.full((1,), 4)
    assert constraint.allowed(constraint.start(1, 50))[0].nonzero()[:, 0].tolist() == [4, 5]
    assert constraint.allowed(constraint.advance(constraint.start(1, 50), tokens))[0].nonzero()[:, 0].tolist() == [5]
    molecules = Kekule((*SPECIALS, "C", "=", "(", ")"))
    short = both(molecules, Length(molecules.n_vocab, 0, 2))
    state = short.advance(short.start(1, 50), torch.tensor([4]))
    assert short.allowed(state)[0].nonzero()[:, 0].tolist() == [EOS, 4]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Productions(SUMS), Length(Productions(SUMS).n_vocab, 3)),
        (Kekule((*SPECIALS, "C")), Automaton((*SPECIALS, "C"), "C*")),
        (Language(VOCAB, SUMS), Language(VOCAB, SUMS)),
        (Length(6), Length(7)),
        (Automaton(VOCAB, "a"), Automaton(VOCAB, "b")),
        (Language(VOCAB, SUMS), Automaton(VOCAB, "ba")),
        (Length(7, 3), Length(7, 0, 2)),
    ],
)
def test_what_cannot_be_combined_is_refused(a, b):
    with pytest.raises(UsageError, match=r"cannot be combined|no string in common"):
        both(a, b)
