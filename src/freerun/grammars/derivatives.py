"""What becomes of a set of strings of symbols when one token is read: Brzozowski's derivative, kept as a product.

Source: Brzozowski 1964, "Derivatives of regular expressions"; here of finite sets, whose symbols the left-corner
transform tells how to read.
"""

import dataclasses
from collections import defaultdict

from freerun.grammars.left_corner import LeftCorner, String

Strings = frozenset[String]
Pushed = tuple[Strings, ...]  # bottom first, at most two
Glued = set[tuple[Strings, Strings]]  # what is on top, what is below: not to be cut in two
NOTHING = frozenset({()})


class TooWide(Exception):
    """The sets of strings grow without end."""


@dataclasses.dataclass(frozen=True)
class Width:
    """How far sets of strings may grow.

    Args:
        strings: Most strings of a set.
        length: Longest string of a set.
        in_all: Most strings of all sets of a machine.
        is_strict: A set that outgrows the limits ends the attempt; else it is left in parts, each an outcome.
    """

    strings: int
    length: int
    in_all: int
    is_strict: bool

    def holds(self, strings: Strings) -> bool:
        fits = len(strings) <= self.strings and max(map(len, strings)) <= self.length
        if self.is_strict and not fits:
            raise TooWide
        return fits


def need_of(corner: LeftCorner, strings: Strings) -> int:
    return min(sum(map(corner.need, string)) for string in strings)


def _heads(corner: LeftCorner, strings: Strings) -> dict[int, set[String]]:
    """The symbols that may read the next token, each with what follows it."""
    heads: dict[int, set[String]] = defaultdict(set)
    for string in strings:
        for place, symbol in enumerate(string):
            heads[symbol].add(string[place + 1 :])
            if corner.need(symbol):
                break
    return heads


def wide_steps(corner: LeftCorner, top: Strings, glued: Glued, width: Width) -> dict[int, tuple[Pushed, ...]]:
    """One outcome a class: the derivative of the set, cut in two where only one way of cutting it is in question."""
    products: dict[int, dict[Strings, Strings]] = defaultdict(dict)  # class -> tails -> what comes of the heads
    for head, tails in _heads(corner, top).items():
        for token_class, outcomes in corner.reads(head).items():
            rest = frozenset(tails)
            products[token_class][rest] = products[token_class].get(rest, frozenset()) | outcomes
    steps = {}
    for token_class, product in products.items():
        by_outcome: dict[Strings, Strings] = {}
        for rest, outcomes in product.items():
            by_outcome[outcomes] = by_outcome.get(outcomes, frozenset()) | rest
        if len(by_outcome) == 1:
            ((outcomes, rest),) = by_outcome.items()
            steps[token_class] = (_cut(corner, outcomes, rest, glued, width),)
            continue
        whole = frozenset().union(*(_whole(corner, outcomes, rest) for outcomes, rest in by_outcome.items()))
        if width.holds(whole):
            steps[token_class] = (_pushed(whole),)
        else:
            parts = {_cut(corner, outcomes, rest, glued, width) for outcomes, rest in by_outcome.items()}
            steps[token_class] = tuple(sorted(parts, key=lambda way: [sorted(part) for part in way]))
    return steps


def _cut(corner: LeftCorner, outcomes: Strings, rest: Strings, glued: Glued, width: Width) -> Pushed:
    if outcomes == NOTHING or rest == NOTHING:
        return _pushed(rest if outcomes == NOTHING else outcomes)
    whole = _whole(corner, outcomes, rest)
    is_shorter = max(map(len, whole)) < max(map(len, outcomes)) + max(map(len, rest))  # by a collapsed pair
    is_whole = (is_shorter or (outcomes, rest) in glued) and width.holds(whole)
    return _pushed(whole) if is_whole else (rest, outcomes)


def _whole(corner: LeftCorner, first: Strings, second: Strings) -> Strings:
    return frozenset(corner.joined(a, b) for a in first for b in second)


def _pushed(strings: Strings) -> Pushed:
    return () if strings == NOTHING else (strings,)


def narrow_steps(corner: LeftCorner, top: Strings) -> dict[int, tuple[Pushed, ...]]:
    """Every outcome by itself: strings are suffixes of a grammar's right sides, so there are finitely many."""
    steps: dict[int, set[Pushed]] = defaultdict(set)
    for head, tails in _heads(corner, top).items():
        for token_class, outcomes in corner.reads(head).items():
            for outcome in outcomes:
                for rest in tails:
                    joined = corner.joined(outcome, rest)
                    parts = (joined,) if len(joined) < len(outcome) + len(rest) else (rest, outcome)
                    steps[token_class].add(tuple(frozenset({part}) for part in parts if part))
    return {
        token_class: tuple(sorted(ways, key=lambda way: [min(part) for part in way]))
        for token_class, ways in steps.items()
    }
