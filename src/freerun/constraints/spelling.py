"""Automata of characters as automata of tokens: a token moves as the characters do that it spells."""

import numpy as np
from jaxtyping import Bool, Int

from freerun.constraints.base import SPECIALS
from freerun.grammars.regular import NEVER, dfa_of_regex, distance, kept, minimal


def spelled(
    vocab: tuple[str, ...], pattern: str, separator: str
) -> tuple[Int[np.ndarray, "states vocab"], Bool[np.ndarray, " states"]]:
    """A regular expression over what tokens spell, joined by `separator`: the state after each token (-1: none), and
    which states may end a string. Row 0 is the state before any token; row i + 1 is state i of the characters'
    automaton, after at least one token: from there on the separator comes first.

    Raises:
        PatternError: If the pattern is wrong or not supported.
    """
    dfa = dfa_of_regex(pattern, also="".join(sorted(set("".join(vocab[len(SPECIALS) :]) + separator))))
    n = len(dfa.accepting)
    table = np.full((n + 1, len(dfa.alphabet) + 1), n)  # state n is none; the last column is of all other characters
    table[:n, :-1] = np.where(dfa.moves >= 0, dfa.moves, n)

    def after(states: np.ndarray, text: str) -> np.ndarray:
        for character in text:
            states = table[states, dfa.index.get(character, -1)]
        return states

    between = after(np.arange(n), separator)
    moves = np.full((n + 1, len(vocab)), n)
    for index, token in enumerate(vocab):
        if index >= len(SPECIALS) and token:  # one that spells nothing could be written for ever
            moves[0, index] = after(np.zeros(1, dtype=np.int64), token)[0]
            moves[1:, index] = after(between, token)
    return np.where(moves < n, moves + 1, -1), np.concatenate([dfa.accepting[:1], dfa.accepting])


def compact(
    moves: Int[np.ndarray, "states vocab"], ends: Bool[np.ndarray, " states"], named: str
) -> tuple[Int[np.ndarray, "fewer vocab"], Bool[np.ndarray, " fewer"]]:
    """The minimal automaton of the same strings, its start 0; every state lies on a way from there to an end.

    Args:
        named: What errors call the language.

    Raises:
        ValueError: If it holds no string.
    """
    columns: dict[bytes, int] = {}  # tokens that move every state alike are worked on once
    column = [columns.setdefault(one.tobytes(), len(columns)) for one in np.ascontiguousarray(moves.T)]
    narrow = np.stack([np.frombuffer(one, dtype=moves.dtype) for one in columns], axis=1)
    alive = (distance(narrow, ends) < NEVER) & _reachable(narrow)
    if not alive[0]:
        raise ValueError(
            f"no string of {named} can be written with this vocabulary of {moves.shape[1]} tokens; "
            "add what it lacks to the corpus, or change the pattern"
        )
    narrow, ends = minimal(*kept(narrow, ends, alive))
    return narrow[:, column], ends


def _reachable(moves: Int[np.ndarray, "states symbols"]) -> Bool[np.ndarray, " states"]:
    found = np.zeros(len(moves), dtype=np.bool_)
    front = np.zeros(1, dtype=np.int64)
    while len(front):
        found[front] = True
        following = np.unique(moves[front])
        front = following[(following >= 0) & ~found[following]]
    return found
