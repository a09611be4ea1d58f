"""A grammar as integer arrays, for the parser's kernel: what each state of each rule expects, and what may follow it.

A state is a rule with a dot in it; literals are split, so that a step of the dot passes one character or one
nonterminal. Characters are classes: one for each character of the grammar, one for all others, one for the end of the
string, and one, `any`, that stands for whatever the grammar allows (it is used to say what was expected).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32

from freerun.grammars.grammar import Grammar

FINAL = -1  # the symbol after the dot of a finished rule
OTHER, END, ANY = 0, 1, 2  # classes; those of the grammar's characters come after them
N_RESERVED = 3
PARSED, TOO_LARGE = -1, -2  # in place of the position at which a string cannot be read on


class Tables(NamedTuple):
    """What the kernel reads.

    Args:
        symbol: What stands after the dot: a nonterminal, `FINAL`, or -2 - class.
        rule: The rule of each state.
        useful: Whether a state can be part of a derivation if the next character is of this class: the rest of its
            rule can begin with it, or be empty and then be followed by it.
        offsets: Of nonterminal A before class c: `starts[offsets[A, c] : offsets[A, c] + counts[A, c]]`.
        counts: How many rules of A can begin with c.
        starts: First states of these rules, in the grammar's order.
        null: Whether a nonterminal can be empty, and in how many ways: 0, 1, or 2 for more.
        null_offsets: The shortest derivation of the empty string from A is
            `null_rules[null_offsets[A] : null_offsets[A + 1]]`.
        null_rules: Rule numbers, leftmost derivation, pre-order.
    """

    symbol: Int32[np.ndarray, " states"]
    rule: Int32[np.ndarray, " states"]
    useful: Bool[np.ndarray, "states classes"]
    offsets: Int32[np.ndarray, "nonterminals classes"]
    counts: Int32[np.ndarray, "nonterminals classes"]
    starts: Int32[np.ndarray, " starts"]
    null: Int32[np.ndarray, " nonterminals"]
    null_offsets: Int32[np.ndarray, " nonterminals_and_one"]
    null_rules: Int32[np.ndarray, " null_rules"]


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A grammar's tables, and what relates them to characters.

    Args:
        tables: For the kernel.
        lookup: Class of each code point; the last entry is for all greater ones.
        rest: What is left of the literal in which the dot of a state stands; empty before a nonterminal.
    """

    tables: Tables
    lookup: Int32[np.ndarray, " codes"]
    rest: tuple[str, ...]

    def classes(self, text: str) -> Int32[np.ndarray, " characters"]:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        return self.lookup[np.minimum(codes, len(self.lookup) - 1)]


def compiled(grammar: Grammar) -> Compiled:
    characters = sorted({c for rule in grammar.rules for s in rule.right if isinstance(s, str) for c in s})
    class_of = {character: N_RESERVED + i for i, character in enumerate(characters)}
    lookup = np.full(max(map(ord, characters), default=0) + 2, OTHER, dtype=np.int32)
    lookup[list(map(ord, characters))] = list(class_of.values())
    symbols, rules, bases, rest = [], [], [], []
    for number, rule in enumerate(grammar.rules):
        bases.append(len(symbols))
        for symbol in rule.right:
            parts = [symbol] if isinstance(symbol, int) else [-2 - class_of[c] for c in symbol]
            symbols += parts
            rest += [""] if isinstance(symbol, int) else [symbol[i:] for i in range(len(symbol))]
        symbols.append(FINAL)
        rest.append("")
        rules += [number] * (len(symbols) - bases[-1])
    n_classes = N_RESERVED + len(characters)
    nullable = [need == 0 for need in grammar.n_characters_needed]
    first = _first(grammar, symbols, bases, nullable)
    useful = _useful(grammar, symbols, rules, nullable, first)
    starts: list[int] = []
    offsets = np.zeros((len(grammar.nonterminals), n_classes), dtype=np.int32)
    counts = np.zeros_like(offsets)
    for left, numbers in enumerate(grammar.rules_of):
        begins = [(bases[number], _beginning(symbols, bases[number], nullable, first)[0]) for number in numbers]
        for class_ in range(n_classes):
            found = [state for state, mask in begins if mask >> class_ & 1]
            offsets[left, class_], counts[left, class_] = len(starts), len(found)
            starts += found
    null_rules = _null_derivations(grammar)
    tables = Tables(
        np.array(symbols, dtype=np.int32),
        np.array(rules, dtype=np.int32),
        _bits(useful, n_classes),
        offsets,
        counts,
        np.array(starts, dtype=np.int32),
        np.array(_n_null_derivations(grammar), dtype=np.int32),
        np.cumsum([0, *map(len, null_rules)], dtype=np.int32),
        np.array([rule for derivation in null_rules for rule in derivation], dtype=np.int32),
    )
    return Compiled(tables, lookup, tuple(rest))


def _beginning(symbols: list[int], state: int, nullable: list[bool], first: list[int]) -> tuple[int, bool]:
    """Classes, as bits, with which what stands after the dot can begin; and whether it can be empty."""
    mask = 0
    while (symbol := symbols[state]) != FINAL:
        if symbol < 0:
            return mask | 1 << (-2 - symbol) | 1 << ANY, False
        mask |= first[symbol]
        if not nullable[symbol]:
            return mask, False
        state += 1
    return mask, True


def _first(grammar: Grammar, symbols: list[int], bases: list[int], nullable: list[bool]) -> list[int]:
    """Classes with which each nonterminal can begin: the least fixpoint."""
    first = [0] * len(grammar.nonterminals)

    def extend() -> bool:
        before = list(first)
        for rule, base in zip(grammar.rules, bases, strict=True):
            first[rule.left] |= _beginning(symbols, base, nullable, first)[0]
        return first != before

    _until_still(extend)
    return first


def _useful(
    grammar: Grammar, symbols: list[int], rules: list[int], nullable: list[bool], first: list[int]
) -> list[int]:
    """Classes before which each state can be of use, from those that can follow each nonterminal."""
    follow = [1 << END] + [0] * (len(grammar.nonterminals) - 1)
    lefts = [grammar.rules[number].left for number in rules]
    beginnings = [_beginning(symbols, state, nullable, first) for state in range(len(symbols))]
    followed = [(symbol, *beginnings[state + 1], lefts[state]) for state, symbol in enumerate(symbols) if symbol >= 0]

    def extend() -> bool:
        before = list(follow)
        for symbol, mask, empty, left in followed:
            follow[symbol] |= mask | (follow[left] if empty else 0)
        return follow != before

    _until_still(extend)
    return [
        mask | (follow[left] if empty else 0) | 1 << ANY for (mask, empty), left in zip(beginnings, lefts, strict=True)
    ]


def _n_null_derivations(grammar: Grammar) -> list[int]:
    """How many derivations of the empty string each nonterminal has, 2 standing for all greater numbers.

        n(A) = sum over A -> B_1 .. B_k of n(B_1) .. n(B_k)

    Sums and products cut off at 2 are those of the numbers cut off at 2, so the least fixpoint is found in few steps.
    """
    counts = [0] * len(grammar.nonterminals)

    def extend() -> bool:
        new = [0] * len(counts)
        for rule in grammar.rules:
            ways = 1
            for symbol in rule.right:
                ways = min(2, ways * (counts[symbol] if isinstance(symbol, int) else 0))
            new[rule.left] = min(2, new[rule.left] + ways)
        changed, counts[:] = new != counts, new
        return changed

    _until_still(extend)
    return counts


def _null_derivations(grammar: Grammar) -> list[tuple[int, ...]]:
    """The shortest derivation of the empty string from each nonterminal, the first rule of equals; () if none."""
    found: list[tuple[int, ...]] = [()] * len(grammar.nonterminals)

    def extend() -> bool:
        changed = False
        for number, rule in enumerate(grammar.rules):
            if all(isinstance(symbol, int) and found[symbol] for symbol in rule.right):
                derivation = (number, *(r for symbol in rule.right if isinstance(symbol, int) for r in found[symbol]))
                if not found[rule.left] or len(derivation) < len(found[rule.left]):
                    found[rule.left], changed = derivation, True
        return changed

    _until_still(extend)
    return found


def _until_still(extend: Callable[[], bool]) -> None:
    while extend():
        pass


def _bits(masks: list[int], width: int) -> Bool[np.ndarray, "masks width"]:
    n_bytes = -(-width // 8)
    rows = np.frombuffer(b"".join(mask.to_bytes(n_bytes, "little") for mask in masks), np.uint8)
    bits = np.unpackbits(rows.reshape(len(masks), n_bytes), axis=1, bitorder="little", count=width)
    return np.ascontiguousarray(bits).astype(bool)
