"""Regular expressions as minimal deterministic automata over characters.

A pattern becomes a nondeterministic automaton (`nfa.py`), then a deterministic one (subset construction, Rabin and
Scott 1959), trimmed, and minimised by refinement of partitions (Moore 1956). Its language is the set of strings that
`re.fullmatch` accepts, over a finite alphabet: printable ASCII, and the characters that the pattern names; digits,
letters and white space of classes are those of ASCII.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Int

from freerun.grammars.nfa import MOST_STATES, Nfa, PatternError, nfa_of_regex

NEVER = 2**30  # more symbols than any string has


@dataclasses.dataclass(frozen=True)
class Dfa:
    """A minimal deterministic automaton; its start is state 0, and each state lies on a way to an accepting one.

    Attributes:
        alphabet: Characters, sorted.
        moves: The state after a character; -1: none, no string goes on so.
        accepting: Where a string may end.
    """

    alphabet: tuple[str, ...]
    moves: Int[np.ndarray, "states symbols"]
    accepting: Bool[np.ndarray, " states"]

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """Column of each character."""
        return {character: column for column, character in enumerate(self.alphabet)}

    def run(self, text: str, state: int = 0) -> int:
        """The state after `text`; -1 where there is none."""
        for character in text:
            column = self.index.get(character)
            if column is None or state < 0:
                return -1
            state = int(self.moves[state, column])
        return state

    def accepts(self, text: str) -> bool:
        state = self.run(text)
        return state >= 0 and bool(self.accepting[state])


def dfa_of_regex(pattern: str, also: str = "") -> Dfa:
    """The automaton of a pattern of Python's `re`, which matches whole strings.

    Lazy repetitions are read as the others, which is the same for whole strings; `^` and `$` at the very ends are read
    and dropped. Groups may have names or flags `i s x`.

    Args:
        pattern: Without look-around, back-references, conditions, inner anchors, possessive or atomic parts.
        also: Further characters that `.` and negated classes match.

    Raises:
        PatternError: If the pattern cannot be read, is not supported, matches nothing or needs too many states.
    """
    nfa = nfa_of_regex(pattern, also)
    classes = _classes(nfa)
    moves, accepting = _deterministic(nfa, list(classes))
    alive = distance(moves, accepting) < NEVER
    if not alive[0]:
        raise PatternError(pattern, "it matches no string")
    moves, accepting = minimal(*kept(moves, accepting, alive))
    used = np.any(moves >= 0, axis=0)
    columns = {c: column for column, members in enumerate(classes.values()) if used[column] for c in members}
    alphabet = sorted(columns)
    return Dfa(tuple(alphabet), moves[:, [columns[character] for character in alphabet]], accepting)


def _classes(nfa: Nfa) -> dict[frozenset[int], list[str]]:
    """Characters that the same edges take: from the numbers of these edges' sets to the characters."""
    sets = list(dict.fromkeys(characters for edges in nfa.edges for characters, _ in edges))
    found: dict[frozenset[int], list[str]] = {}
    for character in sorted(nfa.universe):
        taken_by = frozenset(number for number, characters in enumerate(sets) if character in characters)
        found.setdefault(taken_by, []).append(character)
    return found


def _closure(nfa: Nfa, states: frozenset[int]) -> frozenset[int]:
    found, front = set(states), list(states)
    while front:
        new = set(nfa.silent[front.pop()]) - found
        found |= new
        front += new
    return frozenset(found)


def _deterministic(nfa: Nfa, classes: list[frozenset[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Subset construction: moves (states, classes), and which states hold the end."""
    sets: dict[frozenset[str], int] = {}
    edges = [[(sets.setdefault(characters, len(sets)), after) for characters, after in out] for out in nfa.edges]
    start = _closure(nfa, frozenset({0}))
    numbers, order, rows = {start: 0}, [start], []
    for subset in order:  # grows while it is walked
        leaving = [edge for state in subset for edge in edges[state]]
        row = []
        for taken_by in classes:
            targets = frozenset(after for number, after in leaving if number in taken_by)
            row.append(-1)
            if targets:
                following = _closure(nfa, targets)
                row[-1] = numbers.setdefault(following, len(order))
                if row[-1] == len(order):
                    order.append(following)
        rows.append(row)
        if len(order) > MOST_STATES:
            raise PatternError(nfa.pattern, f"it needs more than {MOST_STATES:,} states; write it simpler")
    return np.array(rows, dtype=np.int64), np.array([nfa.end in subset for subset in order])


def kept(
    moves: Int[np.ndarray, "states symbols"], accepting: Bool[np.ndarray, " states"], keep: Bool[np.ndarray, " states"]
) -> tuple[Int[np.ndarray, "fewer symbols"], Bool[np.ndarray, " fewer"]]:
    """The automaton of some of the states, renumbered in order; moves into the others are none."""
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    return np.where(moves >= 0, number[moves], -1)[keep], accepting[keep]


def distance(
    moves: Int[np.ndarray, "states symbols"], accepting: Bool[np.ndarray, " states"]
) -> Int[np.ndarray, " states"]:
    """Fewest symbols from each state to an accepting one; NEVER where no way leads there."""
    found = np.where(accepting, 0, NEVER)
    front = accepting
    for n in range(1, len(moves) + 1):
        front = (found == NEVER) & ((moves >= 0) & front[moves]).any(1)
        if not front.any():
            break
        found[front] = n
    return found


def minimal(
    moves: Int[np.ndarray, "states symbols"], accepting: Bool[np.ndarray, " states"]
) -> tuple[Int[np.ndarray, "fewer symbols"], Bool[np.ndarray, " fewer"]]:
    """States of the same future merged; start 0 stays 0, the others are numbered in the order of first reach.

    Every state must be reachable, and lie on a way to an accepting one.
    """
    group = distance(moves, accepting)  # states of the same future have the same distance
    n_before, n_groups = 0, len(np.unique(group))
    while n_groups > n_before:
        signature = np.concatenate([group[:, None], np.where(moves >= 0, group[moves], -1)], axis=1)
        numbers: dict[bytes, int] = {}
        group = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in signature])
        n_before, n_groups = n_groups, len(numbers)
    order: dict[int, int] = {int(group[0]): 0}
    front = [0]
    for state in front:  # grows while it is walked: one state of each group, breadth first
        for following in moves[state]:
            if following >= 0 and int(group[following]) not in order:
                order[int(group[following])] = len(order)
                front.append(int(following))
    new = np.array([order[int(one)] for one in group])
    first = np.array(front)
    return np.where(moves[first] >= 0, new[moves[first]], -1), accepting[first]
