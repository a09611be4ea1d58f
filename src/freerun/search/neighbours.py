"""Strings whose derivation differs in one subtree: the neighbourhood that a grammar gives to a string."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from freerun.grammars.derivation import Speller
from freerun.grammars.earley import Parser
from freerun.grammars.grammar import Grammar


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """A node of the derivation is chosen, all nodes alike; what it derives is derived anew.

    The new subtree takes a random number of rules, `most` at most, and each of them is drawn uniformly from those after
    which what is owed still fits.
    """

    parser: Parser
    most: int = 8

    @property
    def grammar(self) -> Grammar:
        return self.parser.grammar

    def __call__(self, strings: Sequence[str], n: int, seed: int) -> list[str]:
        """n neighbours of strings that the grammar has, each of a string chosen at random."""
        rng = np.random.default_rng(seed)
        parsed = [self.parser.parse(string).rules.tolist() for string in strings]
        spell = Speller(self.grammar).text_of
        return [spell(self._changed(parsed[rng.integers(len(parsed))], rng)) for _ in range(n)]

    def _changed(self, rules: list[int], rng: np.random.Generator) -> list[int]:
        at = int(rng.integers(len(rules)))
        left = self.grammar.rules[rules[at]].left
        need = self.grammar.n_needed[left]
        size = int(rng.integers(need, max(need, self.most) + 1))
        return rules[:at] + self._derived(left, size, rng) + rules[self._end(rules, at) :]

    def _end(self, rules: list[int], at: int) -> int:
        """Behind the subtree that begins there, in pre-order."""
        due = 1
        while due:
            due += self._n_due(rules[at]) - 1
            at += 1
        return at

    def _derived(self, left: int, size: int, rng: np.random.Generator) -> list[int]:
        needs, due, rules = self.grammar.n_needed, [left], []
        owed = needs[left]
        while due:
            nonterminal = due.pop()
            owed -= needs[nonterminal]
            fitting = [
                number
                for number in self.grammar.rules_of[nonterminal]
                if len(rules) + 1 + owed + self._need(number) <= size
            ]
            number = fitting[rng.integers(len(fitting))]
            rules.append(number)
            owed += self._need(number)
            due += [symbol for symbol in self.grammar.rules[number].right if isinstance(symbol, int)][::-1]
        return rules

    def _need(self, number: int) -> int:
        return sum(self.grammar.n_needed[s] for s in self.grammar.rules[number].right if isinstance(s, int))

    def _n_due(self, number: int) -> int:
        return sum(isinstance(symbol, int) for symbol in self.grammar.rules[number].right)
