"""A context-free grammar over characters, as every part of the house reads it: rules of nonterminals and literals.

Whatever form a grammar was written in, it ends here. A terminal that is a regular expression has become rules too, one
character each, so that a derivation spells the whole string and nothing is left to a lexer.
"""

import dataclasses
import functools

Symbol = int | str  # index of a nonterminal, or a literal: one character or several


@dataclasses.dataclass(frozen=True)
class Rule:
    """left -> right; an empty right side writes the empty string."""

    left: int
    right: tuple[Symbol, ...]


@dataclasses.dataclass(frozen=True)
class Grammar:
    """Nonterminals by name, the first of them the start symbol, and rules in the order in which they were written.

    The number of a rule in `rules` is its name in a derivation. Readers return only grammars in which every
    nonterminal is reachable and derives some string.
    """

    nonterminals: tuple[str, ...]
    rules: tuple[Rule, ...]

    @functools.cached_property
    def rules_of(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the rules of each nonterminal, in order."""
        found: list[list[int]] = [[] for _ in self.nonterminals]
        for number, rule in enumerate(self.rules):
            found[rule.left].append(number)
        return tuple(map(tuple, found))

    @functools.cached_property
    def n_needed(self) -> tuple[int, ...]:
        """Fewest productions that finish each nonterminal, its own included: the least fixpoint of

        need(A) = min over A -> B_1 .. B_k of 1 + need(B_1) + .. + need(B_k)
        """
        return _least(self, lambda rule: 1.0, lambda literal: 0.0)

    @functools.cached_property
    def n_characters_needed(self) -> tuple[int, ...]:
        """Length of the shortest string of each nonterminal, in characters; 0: it can be empty."""
        return _least(self, lambda rule: 0.0, lambda literal: float(len(literal)))

    def shown(self, number: int) -> str:
        """A rule as text: `S -> S '+' T`; the empty right side is `ε`."""
        rule = self.rules[number]
        right = (self.nonterminals[s] if isinstance(s, int) else repr(s) for s in rule.right)
        return f"{self.nonterminals[rule.left]} -> {' '.join(right) or 'ε'}"


def _least(grammar: Grammar, of_rule, of_literal) -> tuple[int, ...]:
    """Cheapest derivation of each nonterminal; -1 where there is none."""
    best = [float("inf")] * len(grammar.nonterminals)
    changed = True
    while changed:
        changed = False
        for rule in grammar.rules:
            cost = of_rule(rule) + sum(best[s] if isinstance(s, int) else of_literal(s) for s in rule.right)
            if cost < best[rule.left]:
                best[rule.left], changed = cost, True
    return tuple(-1 if cost == float("inf") else int(cost) for cost in best)
