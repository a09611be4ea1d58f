"""What each symbol of a grammar can become when one token is read: the left-corner transform, symbol by symbol.

With (A\\B), "A without its left corner B", for what is still to be written when B stands and A is wanted:

    A     reads a:  beta (A\\B)    for each rule B -> alpha a beta with alpha =>* empty                          (1)
    (A\\B) is:       gamma (A\\C)   for each rule C -> alpha B gamma with alpha =>* empty;  empty, if A = B       (2)

Source: Rosenkrantz & Lewis 1970, "Deterministic left corner parsing"; Moore 2000 (NAACL) restates it. It ends left
recursion, and empty rules need no elimination: they are stepped over in alpha and carried in beta and gamma. Since
(A\\A) is closed under concatenation, (A\\A)(B\\A) = (B\\A) = (B\\A)(B\\B): such pairs are collapsed, which keeps
ambiguous recursion (E -> E + E) deterministic.
"""

import functools
from collections import defaultdict

from freerun.grammars.composition import Tokens
from freerun.grammars.over_tokens import TokenGrammar
from freerun.grammars.token_classes import Classes

String = tuple[int, ...]  # of symbols
Outcomes = dict[int, frozenset[String]]  # token class -> what may follow

NEVER = 1_000_000  # tokens needed by what cannot be finished


class LeftCorner:
    """Symbols are numbered as they are met: sets of token classes, nonterminals A and pairs (A\\B).

    Args:
        grammar: Every nonterminal is reachable and derives some string.
    """

    def __init__(self, grammar: TokenGrammar):
        self.rules = grammar.rules
        self.classes = Classes.of(grammar)
        self._keys: list[Tokens | int | tuple[int, int]] = []
        self._number: dict[Tokens | int | tuple[int, int], int] = {}
        self._need_of_rule_symbol = self._least_needs()
        self._parents: dict[int, set[tuple[tuple, int]]] = defaultdict(set)  # B -> (gamma, C) of (2)
        self._tokens: dict[int, set[tuple[Tokens, tuple]]] = defaultdict(set)  # B -> (a, beta) of (1)
        self._corners: dict[int, set[int]] = defaultdict(set)  # C -> B
        for left, of in enumerate(self.rules):
            for right in of:
                for place, symbol in enumerate(right):
                    if isinstance(symbol, int):
                        self._parents[symbol].add((right[place + 1 :], left))
                        self._corners[left].add(symbol)
                        if self._need_of_rule_symbol[symbol]:
                            break
                    else:
                        self._tokens[left].add((symbol, right[place + 1 :]))
                        break

    @functools.cached_property
    def start(self) -> String:
        return self._string((0,))

    @functools.cache  # noqa: B019 - lives as long as one compilation
    def reads(self, symbol: int) -> Outcomes:
        """What may follow each token class that the symbol can begin with."""
        found: dict[int, set[String]] = defaultdict(set)
        key = self._keys[symbol]
        if isinstance(key, frozenset):
            for token_class in self.classes.of_set[key]:
                found[token_class].add(())
        elif isinstance(key, int):
            for corner in self._below(key):
                for tokens, rest in self._tokens[corner]:
                    for token_class in self.classes.of_set[tokens]:
                        found[token_class].add(self.joined(self._string(rest), self._without(key, corner)))  # (1)
        else:
            for string in self._expanded(symbol):
                for place, head in enumerate(string):
                    if not isinstance(self._keys[head], tuple):  # a pair's own strings are in `_expanded` too
                        for token_class, outcomes in self.reads(head).items():
                            found[token_class] |= {self.joined(o, string[place + 1 :]) for o in outcomes}
                    if self.need(head):
                        break
        return {token_class: frozenset(strings) for token_class, strings in found.items()}

    @functools.cache  # noqa: B019
    def need(self, symbol: int) -> int:
        """Fewest tokens that finish a symbol; 0: it can be empty."""
        key = self._keys[symbol]
        if isinstance(key, frozenset):
            return 1
        return self._need_of_rule_symbol[key] if isinstance(key, int) else self._pair_needs(key[0])[key[1]]

    def joined(self, first: String, second: String) -> String:
        """Concatenation, with (A\\A)(B\\A) and (B\\A)(B\\B) collapsed to (B\\A)."""
        while first and second:
            left, right = self._keys[first[-1]], self._keys[second[0]]
            if not (isinstance(left, tuple) and isinstance(right, tuple)):
                break
            if left[0] == left[1] == right[1]:
                first = first[:-1]
            elif right[0] == right[1] == left[0]:
                second = second[1:]
            else:
                break
        return first + second

    def _symbol(self, key: Tokens | int | tuple[int, int]) -> int:
        if key not in self._number:
            self._number[key] = len(self._keys)
            self._keys.append(key)
        return self._number[key]

    def _string(self, right: tuple) -> String:
        """Symbols of a part of a right side, without those that write nothing but the empty string."""
        return tuple(self._symbol(s) for s in right if isinstance(s, frozenset) or not self._is_silent(s))

    @functools.cache  # noqa: B019
    def _is_silent(self, nonterminal: int) -> bool:
        return not any(self._tokens[corner] for corner in self._below(nonterminal))

    @functools.cache  # noqa: B019
    def _below(self, nonterminal: int) -> frozenset[int]:
        """The left corners of a nonterminal, itself included."""
        found, waiting = {nonterminal}, [nonterminal]
        while waiting:
            new = self._corners[waiting.pop()] - found
            found |= new
            waiting += new
        return frozenset(found)

    @functools.cache  # noqa: B019
    def _ways(self, goal: int, corner: int) -> frozenset[tuple[tuple, int]]:
        """The pairs (gamma, C) of (2); those that add nothing, C = B with an empty gamma, left out."""
        below = self._below(goal)
        silent = {(rest, left) for rest, left in self._parents[corner] if left == corner and not self._string(rest)}
        return frozenset(way for way in self._parents[corner] - silent if way[1] in below)

    def _without(self, goal: int, corner: int) -> String:
        """(A\\B) as a string: its one string where it has but one, else one symbol."""
        ways = self._ways(goal, corner)
        if goal == corner:
            return (self._symbol((goal, corner)),) if ways else ()
        if len(ways) == 1:
            (rest, left) = next(iter(ways))
            return self.joined(self._string(rest), self._without(goal, left))
        return (self._symbol((goal, corner)),)

    @functools.cache  # noqa: B019
    def _expanded(self, symbol: int) -> frozenset[String]:
        """The strings of (2), and those of the pairs that they begin with once what may be empty is stepped over."""
        found: set[String] = set()
        seen, waiting = {symbol}, [symbol]
        while waiting:
            goal, corner = self._pair(waiting.pop())
            for rest, left in self._ways(goal, corner):
                string = self.joined(self._string(rest), self._without(goal, left))
                found.add(string)
                last = string[-1] if string and not any(map(self.need, string[:-1])) else symbol
                if last not in seen and isinstance(self._keys[last], tuple):
                    seen.add(last)
                    waiting.append(last)
        return frozenset(found)

    def _pair(self, symbol: int) -> tuple[int, int]:
        key = self._keys[symbol]
        assert isinstance(key, tuple)
        return key

    def _least_needs(self) -> list[int]:
        """Fewest tokens of each nonterminal: the least fixpoint."""
        best = [NEVER] * len(self.rules)
        changed = True
        while changed:
            changed = False
            for left, of in enumerate(self.rules):
                cost = min(sum(best[s] if isinstance(s, int) else 1 for s in right) for right in of)
                if cost < best[left]:
                    best[left], changed = cost, True
        return best

    @functools.cache  # noqa: B019
    def _pair_needs(self, goal: int) -> dict[int, int]:
        """Fewest tokens of each (goal\\B)."""
        best = dict.fromkeys(self._below(goal), NEVER)
        best[goal] = 0
        changed = True
        while changed:
            changed = False
            for corner in best:
                for rest, left in self._parents[corner]:
                    if left in best:
                        cost = best[left] + sum(self._need_of_rule_symbol[s] if isinstance(s, int) else 1 for s in rest)
                        if cost < best[corner]:
                            best[corner], changed = cost, True
        return best
