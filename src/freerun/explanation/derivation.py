"""The leftmost derivation of a string: its sentential forms, one a rule, and its tree."""

import dataclasses
from collections.abc import Iterator, Sequence

from freerun.grammars.grammar import Grammar, Symbol


@dataclasses.dataclass(frozen=True)
class Form:
    """A sentential form: what is written, the nonterminal that is due, and what waits behind it.

    Args:
        due: None once the whole string is there.
        rule: Number of the rule that replaces `due`; None for the last form.
    """

    written: str
    due: int | None
    waiting: tuple[Symbol, ...]
    rule: int | None


@dataclasses.dataclass(frozen=True)
class Node:
    """One symbol of the tree; nodes are numbered in pre-order, the root is 0.

    Args:
        rule: Number of the rule that was applied here; None for a literal.
        step: How many rules were applied before.
        children: Numbers of nodes.
    """

    symbol: Symbol
    depth: int
    rule: int | None
    step: int | None
    children: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Derivation:
    """The rules of a leftmost derivation, in the order in which they are applied."""

    grammar: Grammar
    rules: tuple[int, ...]

    def __post_init__(self):
        if not self.rules:
            raise ValueError("a derivation has at least one rule; the string was not parsed")

    def forms(self) -> Iterator[Form]:
        """One before each rule, and the string at the end.

        Raises:
            ValueError: If a rule is not of the nonterminal that is due, or nonterminals are left over.
        """
        written, symbols = "", list[Symbol]([0])  # the next symbol stands last
        for number in self.rules:
            written, symbols = _advanced(written, symbols)
            rule = self.grammar.rules[number]
            if not symbols or symbols[-1] != rule.left:
                due = self.named(symbols[-1]) if symbols else "the end"
                raise ValueError(f"rule {number} ({self.grammar.shown(number)}) is applied where {due} is due")
            yield Form(written, rule.left, tuple(symbols[-2::-1]), number)
            symbols[-1:] = rule.right[::-1]
        written, symbols = _advanced(written, symbols)
        if symbols:
            raise ValueError(f"{len(symbols)} symbols are left over after {len(self.rules)} rules")
        yield Form(written, None, (), None)

    def tree(self) -> tuple[Node, ...]:
        """The nodes in pre-order; an empty right side has the one child ''."""
        symbols: list[Symbol] = []
        depths: list[int] = []
        steps: list[int | None] = []
        children: list[list[int]] = []
        waiting: list[tuple[Symbol, int, int]] = [(0, 0, -1)]  # symbol, depth, parent
        step = 0
        while waiting:
            symbol, depth, parent = waiting.pop()
            node = len(symbols)
            symbols.append(symbol)
            depths.append(depth)
            children.append([])
            if parent >= 0:
                children[parent].append(node)
            if isinstance(symbol, str):
                steps.append(None)
                continue
            steps.append(step)
            right = self.grammar.rules[self.rules[step]].right or ("",)
            step += 1
            waiting += [(child, depth + 1, node) for child in reversed(right)]
        rules = [None if step is None else self.rules[step] for step in steps]
        rows = zip(symbols, depths, rules, steps, map(tuple, children), strict=True)
        return tuple(Node(*row) for row in rows)

    def named(self, symbol: Symbol) -> str:
        """A symbol as it is shown: a nonterminal by its name, a literal as it stands."""
        return symbol if isinstance(symbol, str) else self.grammar.nonterminals[symbol]


def _advanced(written: str, symbols: Sequence[Symbol]) -> tuple[str, list[Symbol]]:
    """Literals on top of the stack become part of the string."""
    left = list(symbols)
    while left and isinstance(left[-1], str):
        written += str(left.pop())
    return written, left
