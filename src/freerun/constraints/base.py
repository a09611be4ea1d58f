"""Which token may come next, for a whole batch at once.

A constraint is part of the model: the mask that sampling obeys is the mask under which the loss is computed. Its state
has one row a sequence and is indexed with the generator's state, so prefixes can be forked and rows dropped or
reordered.
"""

import abc
from typing import ClassVar, Generic, TypeVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.rows import Rows

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")


State = TypeVar("State", bound=Rows)


class AbstractConstraint(abc.ABC, Generic[State]):
    """Immutable tables over a vocabulary of `n_vocab` tokens, whose ids 0-3 are `<pad> <bos> <eos> <unk>`."""

    n_vocab: int
    is_free: ClassVar[bool] = False  # nearly every token may follow every other: replaying the masks costs nothing

    @property
    def code_version(self) -> str:
        """Changes whenever the same settings would give other masks; part of the key under which masks are kept."""
        return "1"

    @abc.abstractmethod
    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> State:
        """The state of `n` empty sequences.

        Args:
            budget: How many tokens may still be written, `<eos>` included; one number, or one a row.

        Raises:
            ValueError: If no string of the language fits into the budget.
        """

    @abc.abstractmethod
    def allowed(self, state: State) -> Bool[Tensor, "batch vocab"]:
        """The tokens that may come next: never none, and after each some completion fits into the budget.

        A finished row, and a dead one (a forbidden token was forced on it), allows exactly `<pad>`.
        """

    @abc.abstractmethod
    def advance(self, state: State, tokens: Int[Tensor, " batch"]) -> State:
        """The state after `tokens`; a forbidden token makes its row dead."""

    def reason(self, state: State, token: int) -> str:
        """Why `token` is not allowed in a state of one row, as one short clause; empty where it is allowed."""
        allowed = self.allowed(state)[0]
        if allowed[token]:
            return ""
        if token in (PAD, BOS, UNK):
            return f"{SPECIALS[token]} is never written"
        return "the string has ended" if allowed[PAD] else self._objection(state, token)

    def _objection(self, state: State, token: int) -> str:
        """The clause for a word or `<eos>` that a row under way forbids."""
        return "no string of the language that fits into the budget goes on so"

    def replay(
        self, tokens: Int[Tensor, "batch time"], budget: int | Int[Tensor, " batch"]
    ) -> Bool[Tensor, "batch time vocab"]:
        """The mask at each step of given sequences: `<eos>` after the ids, then `<pad>`.

        Where a sequence breaks the rule, its own token is off the mask: it scores -inf there, never NaN.
        """
        state = self.start(len(tokens), budget, tokens.device)
        masks = []
        for column in tokens.unbind(1):
            masks.append(self.allowed(state))
            state = self.advance(state, column)
        return torch.stack(masks, 1)


def budgets(budget: int | Tensor, n: int, shortest: int, device: torch.device | str) -> Int[Tensor, " batch"]:
    """One budget a row, checked against the length of the shortest string of the language, `<eos>` included."""
    left = torch.as_tensor(budget, device=device).expand(n).clone()
    if n and int(left.min()) < shortest:
        raise ValueError(
            f"a budget of {int(left.min())} tokens is below the shortest string of this language "
            f"({shortest} tokens with <eos>); allow a greater maximum length"
        )
    return left
