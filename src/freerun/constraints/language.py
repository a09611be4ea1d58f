"""The strings of a context-free grammar, written token by token: characters, words, or any other tokens.

A prefix is a stack of what is still due, or a set of stacks where the grammar does not determine one
(`grammars/pushdown.py` says how grammars are compiled). With the fewest tokens that finish each stack kept as a running
sum, a token is allowed if and only if some string of the language goes on with it and fits:

    1 + need(stack after the token) + 1 <= left        for some stack, <eos> the last 1

So what can be written under a budget is exactly the strings of the language of at most budget - 1 tokens.
"""

import dataclasses
import functools
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import EOS, SPECIALS, AbstractConstraint, budgets
from freerun.constraints.many_stacks import ManyStacks, StacksState
from freerun.constraints.one_stack import OneStack, StackState
from freerun.grammars.over_tokens import TokenDfa, intersected, over_tokens
from freerun.grammars.pushdown import Pushdown, pushdown
from freerun.grammars.reading import grammar_of

ROOM = 100_000  # tokens: a budget that forbids nothing


@dataclasses.dataclass(frozen=True)
class Language(AbstractConstraint[Any]):
    """The strings of a grammar that the tokens of a vocabulary can write.

    Args:
        vocab: The tokens, the four special ones first; a token may be a part of a symbol or reach over several.
        grammar: The text of the grammar.
        separator: What stands between two tokens of a string, " " for words.
        within: Automata over tokens that accept the string too.

    Raises:
        GrammarError: If the text is no grammar.
        ValueError: If no string of the language can be written.
    """

    vocab: tuple[str, ...]
    grammar: str
    separator: str = ""
    within: tuple[TokenDfa, ...] = ()
    n_vocab: int = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "n_vocab", len(self.vocab))
        assert self.machine.start is not None  # compiled now: a grammar that cannot be used is refused here

    @functools.cached_property
    def machine(self) -> Pushdown:
        """The compiled grammar."""
        return _compiled(self.vocab, self.grammar, self.separator, self.within)

    def intersected(self, automaton: TokenDfa) -> "Language":
        """The strings that the automaton accepts too, with completions of both looked for.

        Raises:
            ValueError: If there is none.
        """
        return dataclasses.replace(self, within=(*self.within, automaton))

    def start(
        self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu"
    ) -> StackState | StacksState:
        need = sum(int(self.machine.need[symbol]) for symbol in self.machine.start)
        left = budgets(budget, n, need + 1, device)
        most = budget if isinstance(budget, int) else int(budget.max()) if n else 1
        return self._reader.start(left, most)

    def allowed(self, state: Any) -> Bool[Tensor, "batch vocab"]:
        return self._reader.allowed(state)

    def advance(self, state: Any, tokens: Int[Tensor, " batch"]) -> Any:
        return self._reader.advance(state, tokens)

    def _objection(self, state: Any, token: int) -> str:
        roomy = dataclasses.replace(state, left=state.left + ROOM)
        shown = "<eos>" if token == EOS else repr(self.vocab[token])
        if self.allowed(roomy)[0, token]:
            after = self.advance(roomy, torch.tensor([token], device=state.left.device))
            shortest = int(after.need[after.height > 0].min())
            return f"after {shown} at least {shortest} more tokens and <eos> are due; {int(state.left[0]) - 1} fit"
        if token != EOS and token not in self.machine.of_token:
            return f"no string of the language can be written with {shown}"
        expected = self.allowed(roomy)[0].nonzero()[:, 0].tolist()
        names = ["the end" if other == EOS else repr(self.vocab[other]) for other in expected]
        more = f", or {len(names) - 8} others" if len(names) > 8 else ""
        return f"{shown} cannot stand here; {', '.join(names[:8])}{more} can"

    @functools.cached_property
    def _reader(self) -> OneStack | ManyStacks:
        return (OneStack if self.machine.is_deterministic else ManyStacks)(self.machine, self.n_vocab)


@functools.lru_cache(maxsize=32)
def _compiled(vocab: tuple[str, ...], grammar: str, separator: str, within: tuple[TokenDfa, ...]) -> Pushdown:
    words = [None] * len(SPECIALS) + list(vocab[len(SPECIALS) :])
    tokens = over_tokens(grammar_of(grammar), words, separator)
    for automaton in within:
        tokens = intersected(tokens, automaton)
    return pushdown(tokens)
