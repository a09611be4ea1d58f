"""Two constraints at once: only strings that both allow.

A mask that is the intersection of two masks is not enough: each may promise a completion that the other forbids. So a
pair is combined only where completions of the intersection itself can be looked for, and refused otherwise.
"""

import numpy as np

from freerun.constraints.automaton import Automaton
from freerun.constraints.base import SPECIALS, AbstractConstraint
from freerun.constraints.capped import Capped
from freerun.constraints.language import Language
from freerun.constraints.length import Anything, Length
from freerun.errors import UsageError
from freerun.grammars.over_tokens import TokenDfa


def both(a: AbstractConstraint, b: AbstractConstraint) -> AbstractConstraint:
    """The constraint of the strings that `a` and `b` allow.

    `Anything` adds nothing. A longest length is a smaller budget, so it goes with every constraint. Automata, and
    lengths, which are automata too, have a product; a grammar over tokens is intersected with one by its rules.

    Raises:
        UsageError: For any other pair, with what can be combined; or if no string is left.
    """
    if a.n_vocab != b.n_vocab:
        raise UsageError(f"constraints over {a.n_vocab} and {b.n_vocab} tokens cannot be combined")
    try:
        found = _combined(a, b) or _combined(b, a)
    except ValueError as error:
        raise UsageError(f"{_name(a)} and {_name(b)} have no string in common: {error}") from error
    if found is None:
        raise UsageError(
            f"{_name(a)} and {_name(b)} cannot be combined: nothing here finds what both can still complete. A longest "
            "length goes with every constraint, automaton and length with one another, and each of them with grammar"
        )
    return found


def _combined(a: AbstractConstraint, b: AbstractConstraint) -> AbstractConstraint | None:
    """One order of the pair; None where it is not known how."""
    match a, b:
        case Anything(), _:
            return b
        case Capped(), _:
            inner = _combined(a.constraint, b) or _combined(b, a.constraint)
            return None if inner is None else Capped(inner, a.longest)
        case Length(), Length():
            longest = min((x.longest for x in (a, b) if x.longest is not None), default=None)
            return Length(a.n_vocab, max(a.shortest, b.shortest), longest, a.unk_is_word and b.unk_is_word)
        case Length(shortest=0, longest=int() as longest), _:
            return Capped(b, longest)
        case Automaton() | Length(), Automaton():
            product = _product(_automaton(a), _automaton(b))
            return Automaton.of_table(b.vocab, product.moves, product.accepting)
        case Length(shortest=shortest, longest=int() as longest), Language():
            return Capped(b.intersected(_automaton(Length(a.n_vocab, shortest))), longest)
        case Automaton() | Length(), Language():
            return b.intersected(_automaton(a))
    return None


def _name(constraint: AbstractConstraint) -> str:
    return type(constraint).__name__.lower()


def _automaton(constraint: Automaton | Length) -> TokenDfa:
    if isinstance(constraint, Automaton):
        return TokenDfa(constraint.token_moves, constraint.accepting)
    # As many states as tokens are counted: up to the longest, or to the shortest, which is then never left.
    last = constraint.shortest if constraint.longest is None else constraint.longest
    moves = np.full((last + 1, constraint.n_vocab), -1)
    moves[:, len(SPECIALS) :] = np.minimum(np.arange(1, last + 2), last)[:, None]
    if constraint.longest is not None:
        moves[last] = -1
    return TokenDfa(moves, np.arange(last + 1) >= constraint.shortest)


def _product(a: TokenDfa, b: TokenDfa) -> TokenDfa:
    """Pairs of states, numbered as they are reached from the two starts."""
    numbers = {(0, 0): 0}
    rows, accepting = [], []
    for one, other in (pairs := [(0, 0)]):
        row = np.full(a.moves.shape[1], -1)
        for token in np.flatnonzero((a.moves[one] >= 0) & (b.moves[other] >= 0)).tolist():
            pair = (int(a.moves[one, token]), int(b.moves[other, token]))
            if pair not in numbers:
                numbers[pair] = len(numbers)
                pairs.append(pair)
            row[token] = numbers[pair]
        rows.append(row)
        accepting.append(bool(a.accepting[one] and b.accepting[other]))
    return TokenDfa(np.array(rows), np.array(accepting))
