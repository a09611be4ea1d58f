"""Grammars over the tokens of a vocabulary: what is left of a grammar over characters when only these tokens may write.

The grammar is composed with one of two automata:

- the speller. Its state is what is still unread of the token that is being read: '' between two tokens. It writes a
  token when it reads the first character: the grammar over tokens is the inverse image of the one over characters;
- a deterministic automaton over tokens (`TokenDfa`): what is left are the strings that both accept.
"""

import dataclasses
import functools
import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Bool, Int

from freerun.grammars.composition import Symbol, Tokens, composed
from freerun.grammars.grammar import Grammar


@dataclasses.dataclass(frozen=True)
class TokenGrammar:
    """Right sides of each nonterminal, over sets of token ids and nonterminals; the start symbol is nonterminal 0."""

    rules: tuple[tuple[tuple[Symbol, ...], ...], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class TokenDfa:
    """A deterministic automaton over token ids, state 0 its start: -1 in `moves` is no move."""

    moves: Int[np.ndarray, "states vocab"]
    accepting: Bool[np.ndarray, " states"]

    @functools.cached_property
    def digest(self) -> str:
        """Its content as 16 hexadecimal digits."""
        content = np.ascontiguousarray(self.moves, dtype=np.int64).tobytes() + self.accepting.tobytes()
        return hashlib.sha256(content).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"TokenDfa({len(self.moves)} states, {self.digest})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenDfa) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def over_tokens(grammar: Grammar, words: Sequence[str | None], separator: str = "") -> TokenGrammar:
    """The token sequences that spell a string of the grammar.

    Args:
        words: What each token id writes; None: the token is never written.
        separator: Stands between any two tokens.

    Raises:
        ValueError: If a word is empty, or no string of the grammar can be spelled.
    """
    if "" in words:
        raise ValueError(f"token {words.index('')} writes the empty string; a grammar needs tokens of characters")
    rules = [[rule.right for rule in map(grammar.rules.__getitem__, of)] for of in grammar.rules_of]
    flat = [[tuple(c for s in right for c in ((s,) if isinstance(s, int) else s)) for right in of] for of in rules]
    start = 0
    if separator:  # every token is written after a separator, and so is the whole string
        start = len(flat)
        flat.append([(*separator, 0), *([()] if grammar.n_characters_needed[0] == 0 else [])])
    heads: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for token, word in enumerate(words):
        if word is not None:
            heads[(separator + word)[0]][(separator + word)[1:]].add(token)
    starts = {head: [(rest, frozenset(tokens)) for rest, tokens in rests.items()] for head, rests in heads.items()}

    def spell(unread: Hashable, character: Hashable) -> Sequence[tuple[Hashable, Tokens | None]]:
        assert isinstance(unread, str)
        assert isinstance(character, str)
        if not unread:
            return starts.get(character, ())
        return ((unread[1:], None),) if unread[0] == character else ()

    follow = _follow(flat)

    def may_end(left: int, unread: Hashable) -> bool:
        assert isinstance(unread, str)
        return not unread or unread[0] in follow[left]

    found = composed(flat, start, spell, "", [""], may_end)
    if found is None:
        n_words = sum(word is not None for word in words)
        raise ValueError(
            f"no string of this grammar can be written with the {n_words} tokens of this vocabulary"
            f"{f' joined by {separator!r}' if separator else ''}; fit the representation on strings of the language"
        )
    return TokenGrammar(found)


def intersected(grammar: TokenGrammar, automaton: TokenDfa) -> TokenGrammar:
    """The token sequences that both accept (Bar-Hillel, Perles & Shamir 1961).

    Raises:
        ValueError: If there is none.
    """

    def move(state: Hashable, tokens: Hashable) -> Sequence[tuple[Hashable, Tokens | None]]:
        assert isinstance(state, int)
        assert isinstance(tokens, frozenset)
        targets: dict[int, set[int]] = defaultdict(set)
        for token in tokens:
            targets[int(automaton.moves[state, token])].add(token)
        return [(target, frozenset(group)) for target, group in targets.items() if target >= 0]

    finals = np.flatnonzero(automaton.accepting).tolist()
    found = composed(grammar.rules, 0, move, 0, finals, lambda left, state: True)
    if found is None:
        raise ValueError("no string satisfies both the grammar and the other constraint; loosen one of them")
    return TokenGrammar(found)


def _follow(rules: Sequence[Sequence[tuple[int | str, ...]]]) -> list[set[str]]:
    """The characters that may come after each nonterminal: the least fixpoint."""
    nullable: set[int] = set()
    first: list[set[str]] = [set() for _ in rules]
    follow: list[set[str]] = [set() for _ in rules]
    size = -1
    while size != (size := len(nullable) + sum(map(len, first)) + sum(map(len, follow))):
        for left, of in enumerate(rules):
            for right in of:
                after, rest_is_nullable = set(follow[left]), True  # what may come after the symbols read so far
                begins: set[str] = set()
                for symbol in reversed(right):
                    if isinstance(symbol, str):
                        after, begins, rest_is_nullable = {symbol}, {symbol}, False
                        continue
                    follow[symbol] |= after
                    if symbol in nullable:
                        after, begins = after | first[symbol], begins | first[symbol]
                    else:
                        after, begins, rest_is_nullable = set(first[symbol]), set(first[symbol]), False
                first[left] |= begins
                if rest_is_nullable:
                    nullable.add(left)
    return follow
