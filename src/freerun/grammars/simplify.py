"""Smaller grammars of the same language: names for the same thing are one name, and names for one symbol vanish."""

from collections import defaultdict
from collections.abc import Sequence

Right = tuple  # of nonterminals (int) and sets of tokens (frozenset)


def simplified(rules: Sequence[Sequence[Right]]) -> tuple[tuple[Right, ...], ...]:
    """The same language from nonterminal 0: rules joined, aliases replaced, equal nonterminals merged."""
    current = [set(of) for of in rules]
    size, smaller = None, _size(current)
    while size != smaller:
        size = smaller
        current = _merged(_without_aliases([_joined(of) for of in current]))
        smaller = _size(current)
    return tuple(tuple(sorted(of, key=repr)) for of in current)


def _size(rules: list[set[Right]]) -> tuple[int, int, int]:
    """Nonterminals, rules, symbols: none of them grows from one round to the next."""
    return len(rules), sum(map(len, rules)), sum(len(right) for of in rules for right in of)


def _joined(of: set[Right]) -> set[Right]:
    """Rules that differ in one place only, by the tokens that stand there, become one rule of a set of tokens."""
    for place in range(max(map(len, of), default=0)):
        contexts: dict[tuple[Right, Right], set[int]] = defaultdict(set)
        others = set()
        for right in of:
            if place < len(right) and isinstance(right[place], frozenset):
                contexts[right[:place], right[place + 1 :]] |= right[place]
            else:
                others.add(right)
        of = others | {(*before, frozenset(tokens), *after) for (before, after), tokens in contexts.items()}
    return of


def _without_aliases(rules: list[set[Right]]) -> list[set[Right]]:
    """A nonterminal with one rule of at most one symbol is that symbol; A -> A says nothing."""
    rules = [of - {(left,)} for left, of in enumerate(rules)]
    alias = {left: next(iter(of)) for left, of in enumerate(rules) if len(of) == 1 and len(next(iter(of))) <= 1}

    def meaning(symbol) -> Right:
        while symbol in alias:
            if alias[symbol] == ():
                return ()
            symbol = alias[symbol][0]
        return (symbol,)

    return [{tuple(s for symbol in right for s in meaning(symbol)) for right in of} for of in rules]


def _merged(rules: list[set[Right]]) -> list[set[Right]]:
    """Nonterminals whose rules are the same up to such names: the coarsest partition; then those in use, in order."""
    block = [0] * len(rules)
    n_blocks = 0
    while n_blocks != len(set(block)):
        n_blocks = len(set(block))
        names: dict[tuple, int] = {}
        signatures = [(block[left], frozenset(_renamed(right, block) for right in of)) for left, of in enumerate(rules)]
        block = [names.setdefault(signature, len(names)) for signature in signatures]
    first = {name: left for left, name in reversed(list(enumerate(block)))}
    order: dict[int, int] = {block[0]: 0}
    waiting = [block[0]]
    for name in waiting:
        for right in sorted(rules[first[name]], key=repr):
            for symbol in right:
                if isinstance(symbol, int) and block[symbol] not in order:
                    order[block[symbol]] = len(order)
                    waiting.append(block[symbol])
    number = [order.get(name, -1) for name in block]
    return [{_renamed(right, number) for right in rules[first[name]]} for name in waiting]


def _renamed(right: Right, names: Sequence[int]) -> Right:
    return tuple(names[s] if isinstance(s, int) else s for s in right)
