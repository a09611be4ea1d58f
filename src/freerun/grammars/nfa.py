"""Patterns of Python's `re` as nondeterministic automata, from the tree of `re`'s own parser (Thompson 1968)."""

import re
import string
from re import _constants as ops  # pyright: ignore[reportAttributeAccessIssue]
from re import _parser as parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any

from freerun.errors import UsageError, excerpt

PRINTABLE = "".join(map(chr, range(32, 127)))
_CATEGORIES = {
    ops.CATEGORY_DIGIT: frozenset(string.digits),
    ops.CATEGORY_SPACE: frozenset(string.whitespace),
    ops.CATEGORY_WORD: frozenset(string.ascii_letters + string.digits + "_"),
}
_NEGATED_CATEGORIES = {
    ops.CATEGORY_NOT_DIGIT: ops.CATEGORY_DIGIT,
    ops.CATEGORY_NOT_SPACE: ops.CATEGORY_SPACE,
    ops.CATEGORY_NOT_WORD: ops.CATEGORY_WORD,
}
_REFUSED = {
    ops.ASSERT: "look-around (?=..) (?<=..)",
    ops.ASSERT_NOT: "look-around (?!..) (?<!..)",
    ops.GROUPREF: "a back-reference",
    ops.GROUPREF_EXISTS: "a condition (?(1)..)",
    ops.AT: "an anchor (^ $ \\b \\A \\Z) inside a pattern",
    ops.POSSESSIVE_REPEAT: "a possessive repetition (*+ ++ ?+)",
    ops.ATOMIC_GROUP: "an atomic group (?>..)",
}
MOST_STATES = 10_000


class PatternError(UsageError):
    """A regular expression that `re` cannot read, or that is not regular, or too large."""

    def __init__(self, pattern: str, reason: str):
        self.pattern, self.reason = pattern, reason
        super().__init__(f"regular expression {excerpt(pattern)}: {reason}")


class Nfa:
    """A nondeterministic automaton that grows: state 0 is its start, `end` the one where strings are accepted.

    Attributes:
        universe: All characters that there are: what `.` and negated classes range over.
        edges: Of each state, sets of characters and the state after one of them.
        silent: Of each state, the states that are reached without a character.
    """

    def __init__(self, pattern: str, universe: frozenset[str]):
        self.pattern, self.universe = pattern, universe
        self.edges: list[list[tuple[frozenset[str], int]]] = [[]]
        self.silent: list[list[int]] = [[]]
        self.end = 0

    def state(self) -> int:
        if len(self.edges) >= MOST_STATES:
            raise PatternError(self.pattern, f"it is too long (over {MOST_STATES:,} places); repeat with * or +")
        self.edges.append([])
        self.silent.append([])
        return len(self.edges) - 1

    def sequence(self, items: Any, start: int, flags: int) -> int:
        """Adds parts one after the other from `start`; returns where they end."""
        for op, value in items:
            start = self.part(op, value, start, flags)
        return start

    def part(self, op: Any, value: Any, start: int, flags: int) -> int:
        if op in _REFUSED:
            raise PatternError(self.pattern, f"{_REFUSED[op]} is not supported here")
        if op is ops.SUBPATTERN:
            _, added, dropped, items = value
            return self.sequence(items, start, (flags | added) & ~dropped)
        if op is ops.BRANCH:
            end = self.state()
            for branch in value[1]:
                self.silent[self.sequence(branch, self.fork(start), flags)].append(end)
            return end
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, high, items = value
            return self.repeat(low, high, items, start, flags)
        end = self.state()
        self.edges[start].append((self.characters(op, value, flags), end))
        return end

    def fork(self, start: int) -> int:
        following = self.state()
        self.silent[start].append(following)
        return following

    def repeat(self, low: int, high: Any, items: Any, start: int, flags: int) -> int:
        for _ in range(low):
            start = self.sequence(items, start, flags)
        if high is ops.MAXREPEAT:
            loop = self.fork(start)
            self.silent[self.sequence(items, loop, flags)].append(loop)
            return self.fork(loop)
        ends = [start]
        for _ in range(high - low):
            ends.append(self.sequence(items, self.fork(ends[-1]), flags))
        end = self.state()
        for one in ends:
            self.silent[one].append(end)
        return end

    def characters(self, op: Any, value: Any, flags: int) -> frozenset[str]:
        """The characters that one part matches."""
        if op is ops.ANY:
            return self.universe if flags & re.DOTALL else self.universe - {"\n"}
        if op is ops.IN:
            negated = value[0][0] is ops.NEGATE
            found = frozenset().union(*(self.characters(inner, its, flags) for inner, its in value[negated:]))
            return self.universe - found if negated else found
        if op is ops.NOT_LITERAL:
            return self.universe - self.characters(ops.LITERAL, value, flags)
        if op is ops.CATEGORY:
            if value in _NEGATED_CATEGORIES:
                return self.universe - _CATEGORIES[_NEGATED_CATEGORIES[value]]
            return _CATEGORIES[value]
        codes = range(value[0], value[1] + 1) if op is ops.RANGE else [value]
        plain = {chr(code) for code in codes}
        return frozenset(set().union(*map(_cases, plain)) if flags & re.IGNORECASE else plain)


def nfa_of_regex(pattern: str, also: str = "") -> Nfa:
    """The automaton of a pattern; see `regular.dfa_of_regex`.

    Raises:
        PatternError: If the pattern cannot be read, is not supported or too long.
    """
    try:
        tree = parser.parse(pattern)
    except re.error as error:
        raise PatternError(pattern, f"{error.msg} at position {error.pos}") from error
    items = list(tree)
    if items and items[0] in ((ops.AT, ops.AT_BEGINNING), (ops.AT, ops.AT_BEGINNING_STRING)):
        items = items[1:]
    if items and items[-1] in ((ops.AT, ops.AT_END), (ops.AT, ops.AT_END_STRING)):
        items = items[:-1]
    nfa = Nfa(pattern, frozenset(PRINTABLE + also) | _named(tree))
    nfa.end = nfa.sequence(items, 0, tree.state.flags)
    return nfa


def _named(tree: Any) -> frozenset[str]:
    """Characters that a pattern itself names, in either case: those of its ranges and white space by `\\s` included."""
    found: set[str] = set()
    if isinstance(tree, (list, tuple, parser.SubPattern)):
        items = list(tree)
        if len(items) == 2 and items[0] in (ops.LITERAL, ops.NOT_LITERAL):
            found |= _cases(chr(items[1]))
        elif len(items) == 2 and items == [ops.CATEGORY, ops.CATEGORY_SPACE]:
            found |= set(string.whitespace)
        elif len(items) == 2 and items[0] is ops.RANGE:
            found |= set().union(*(_cases(chr(code)) for code in range(items[1][0], items[1][1] + 1)))
        else:
            for item in items:
                found |= _named(item)
    return frozenset(found)


def _cases(character: str) -> set[str]:
    """A character in both cases, where each is one character."""
    return {c for c in (character, character.lower(), character.upper()) if len(c) == 1}
