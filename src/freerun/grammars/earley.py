"""Strings to derivations, for any context-free grammar: one table-driven Earley parser.

A derivation is the sequence of its rules' numbers, leftmost, in pre-order: which nonterminal a rule rewrites is always
the leftmost one still open, so the sequence alone spells the string.

Where a string has several derivations the first is taken that the chart finds: items are followed in the order in which
they were made, rules in the order of the grammar. It is the same in every run; of an empty part it is the shortest.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int32, Int64

from freerun.errors import InvalidSequence
from freerun.grammars.expected import expectation
from freerun.grammars.grammar import Grammar
from freerun.grammars.tables import ANY, END, FINAL, PARSED, TOO_LARGE, Compiled, compiled

MAX_ITEMS = 1 << 25  # 800 MB


@dataclasses.dataclass(frozen=True, eq=False)
class Derivation:
    """One string's rules; `ambiguous`: it has another derivation, too."""

    rules: Int32[np.ndarray, " rules"]
    ambiguous: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Derivations:
    """Of many strings, one after another; what cannot be read has no rules.

    Args:
        rules: All rule numbers.
        offsets: String i has rules[offsets[i] : offsets[i + 1]].
        failures: Position from which each string cannot be read on; -1 if it was parsed; see `Parser.error`.
        ambiguous: Which have another derivation.
    """

    rules: Int32[np.ndarray, " rules"]
    offsets: Int64[np.ndarray, " strings_and_one"]
    failures: Int64[np.ndarray, " strings"]
    ambiguous: Bool[np.ndarray, " strings"]

    def __len__(self) -> int:
        return len(self.failures)

    def __iter__(self) -> Iterator[Int32[np.ndarray, " rules"]]:
        return (self.rules[a:b] for a, b in zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True))


@dataclasses.dataclass(frozen=True)
class Parser:
    """Left recursion, ambiguity, empty rules and cycles are all allowed.

    Linear in the string's length for grammars without ambiguity that a few characters of lookahead decide; at worst
    cubic.

    Args:
        max_items: A string that needs a larger chart is refused.
    """

    grammar: Grammar
    max_items: int = MAX_ITEMS

    @functools.cached_property
    def compiled(self) -> Compiled:
        return compiled(self.grammar)

    def parse(self, text: str) -> Derivation:
        """The string's leftmost derivation.

        Raises:
            InvalidSequence: If the grammar has none, with the first position that no string of it shares and what it
                expects there.
        """
        found = self.parse_many([text])
        if found.failures[0] != PARSED:
            raise self.error(text, int(found.failures[0]))
        return Derivation(found.rules, bool(found.ambiguous[0]))

    def accepts(self, text: str) -> bool:
        """Whether the string is of the language."""
        return bool(self.parse_many([text]).failures[0] == PARSED)

    def parse_many(self, texts: Sequence[str]) -> Derivations:
        """All of them in one call of the kernel, which lets go of the interpreter."""
        from freerun.grammars.chart import parse_all  # loads numba, which only those who parse should wait for

        separated = self.compiled.classes("\0".join([*texts, ""]))
        ends = np.cumsum([len(text) + 1 for text in texts], dtype=np.int64)
        separated[ends - 1] = END
        offsets = np.concatenate((np.zeros(1, np.int64), ends))
        rules, rule_ends, failures, ambiguous = parse_all(self.compiled.tables, separated, offsets, self.max_items)
        return Derivations(rules, np.concatenate((np.zeros(1, np.int64), rule_ends)), failures, ambiguous)

    def error(self, text: str, failure: int) -> InvalidSequence:
        """What to say of a string that `parse_many` could not read."""
        if failure <= TOO_LARGE:
            reason = (
                f"it needs more than {self.max_items:,} chart items; shorten it, or make the grammar less ambiguous"
            )
            return InvalidSequence(text, TOO_LARGE - failure, reason)
        literals, may_end = self.expected(text[:failure])
        if failure == len(text):
            reason = f"it ends too early: expected {expectation(literals, may_end)}"
        else:
            reason = f"{text[failure]!r} cannot stand here: expected {expectation(literals, may_end)}"
        return InvalidSequence(text, failure, reason)

    def expected(self, prefix: str) -> tuple[set[str], bool]:
        """Literals, or what is left of them, that can follow the beginning of a string; whether it can end there.

        Nothing and False if no string begins so.
        """
        from freerun.grammars.chart import N_ITEMS, build

        classes = np.append(self.compiled.classes(prefix), np.int32(ANY))
        items, records = np.empty((N_ITEMS, 6), np.int32), np.empty((N_ITEMS, 5), np.int32)
        items, _, first, n_items, place, root = build(self.compiled.tables, classes, items, records, self.max_items)
        if place < len(prefix):
            return set(), False
        states = set(items[first:n_items, 0].tolist())
        literals = {self.compiled.rest[state] for state in states if self.compiled.tables.symbol[state] < FINAL}
        return literals, bool(root >= 0 or (not prefix and self.compiled.tables.null[0]))
