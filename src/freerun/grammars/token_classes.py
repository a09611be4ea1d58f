"""Tokens that a grammar never tells apart are one class: tables need one column for all of them."""

import dataclasses
from typing import Self

from freerun.grammars.composition import Tokens
from freerun.grammars.over_tokens import TokenGrammar


@dataclasses.dataclass(frozen=True)
class Classes:
    """The coarsest partition of the tokens by which every token set of a grammar is a union of classes.

    Args:
        of_token: Class of each token that the grammar writes.
        of_set: The classes of each token set of the grammar.
    """

    of_token: dict[int, int]
    of_set: dict[Tokens, frozenset[int]]

    @classmethod
    def of(cls, grammar: TokenGrammar) -> Self:
        sets = sorted(
            {s for of in grammar.rules for right in of for s in right if isinstance(s, frozenset)}, key=sorted
        )
        member: dict[int, list[int]] = {}
        for number, tokens in enumerate(sets):
            for token in tokens:
                member.setdefault(token, []).append(number)
        names: dict[tuple[int, ...], int] = {}
        of_token = {token: names.setdefault(tuple(member[token]), len(names)) for token in sorted(member)}
        return cls(of_token, {tokens: frozenset(of_token[token] for token in tokens) for tokens in sets})

    def __len__(self) -> int:
        return len(set(self.of_token.values()))
