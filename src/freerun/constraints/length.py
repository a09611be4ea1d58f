"""Every token may come: `Anything`; and between a shortest and a longest length: `Length`."""

import dataclasses
import functools
from typing import ClassVar

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import BOS, EOS, PAD, UNK, AbstractConstraint, budgets
from freerun.rows import Rows

WORDS, WORDS_OR_END, END, CLOSED = 0, 1, 2, 3  # the four distinct masks


@dataclasses.dataclass(frozen=True)
class LengthState(Rows):
    """Tokens still owed before `<eos>` may come, tokens that may still be written, and whether the row has ended."""

    owed: Int[Tensor, " batch"]
    left: Int[Tensor, " batch"]
    closed: Bool[Tensor, " batch"]


@dataclasses.dataclass(frozen=True)
class Length(AbstractConstraint[LengthState]):
    """Strings of `shortest` to `longest` tokens, `<eos>` not counted; any token at any place.

    Args:
        n_vocab: Size of the vocabulary, the four special tokens included.
        shortest: Fewest tokens before `<eos>`.
        longest: Most tokens before `<eos>`; None: only the budget bounds it.
        unk_is_word: Word-level text may write `<unk>`; elsewhere it is never allowed.

    Raises:
        ValueError: If `shortest` is negative or exceeds `longest`, or the vocabulary holds no word.
    """

    is_free: ClassVar[bool] = True

    n_vocab: int
    shortest: int = 0
    longest: int | None = None
    unk_is_word: bool = False

    def __post_init__(self):
        if self.shortest < 0 or (self.longest is not None and self.longest < self.shortest):
            raise ValueError(f"no string has at least {self.shortest} and at most {self.longest} tokens")
        if self.n_vocab <= UNK + 1 and not self.unk_is_word:
            raise ValueError(
                f"a vocabulary of {self.n_vocab} tokens holds the special tokens alone; fit it on a corpus first"
            )

    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> LengthState:
        left = budgets(budget, n, self.shortest + 1, device)
        if self.longest is not None:
            left = left.clamp(max=self.longest + 1)
        owed = torch.full_like(left, self.shortest)
        return LengthState(owed, left, torch.zeros_like(left, dtype=torch.bool))

    def allowed(self, state: LengthState) -> Bool[Tensor, "batch vocab"]:
        return _masks(self.n_vocab, self.unk_is_word, state.left.device)[self._mask_index(state)]

    def advance(self, state: LengthState, tokens: Int[Tensor, " batch"]) -> LengthState:
        word = (tokens > UNK) | ((tokens == UNK) & self.unk_is_word)
        goes_on = word & (state.left > 1) & ~state.closed
        return LengthState((state.owed - 1).clamp(min=0), state.left - 1, ~goes_on)

    def _objection(self, state: LengthState, token: int) -> str:
        if token == EOS:
            return f"{int(state.owed[0])} more tokens are owed before the end"
        return "the string is as long as it may be"

    def _mask_index(self, state: LengthState) -> Int[Tensor, " batch"]:
        index = torch.where(state.owed > 0, WORDS, WORDS_OR_END)
        index = torch.where(state.left <= 1, END, index)
        return torch.where(state.closed, CLOSED, index)


@dataclasses.dataclass(frozen=True)
class Anything(AbstractConstraint[LengthState]):
    """The plain constraint: every string of the vocabulary, the empty one included, that fits into the budget."""

    is_free: ClassVar[bool] = True

    n_vocab: int
    unk_is_word: bool = False

    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> LengthState:
        return self._length.start(n, budget, device)

    def allowed(self, state: LengthState) -> Bool[Tensor, "batch vocab"]:
        return self._length.allowed(state)

    def advance(self, state: LengthState, tokens: Int[Tensor, " batch"]) -> LengthState:
        return self._length.advance(state, tokens)

    def _objection(self, state: LengthState, token: int) -> str:
        return self._length._objection(state, token)

    @property
    def _length(self) -> Length:
        return Length(self.n_vocab, unk_is_word=self.unk_is_word)


@functools.cache
def _masks(n_vocab: int, unk_is_word: bool, device: torch.device) -> Bool[Tensor, "4 vocab"]:
    masks = torch.zeros(4, n_vocab, dtype=torch.bool, device=device)
    masks[WORDS : WORDS_OR_END + 1, UNK if unk_is_word else UNK + 1 :] = True
    masks[WORDS_OR_END : END + 1, EOS] = True
    masks[CLOSED, PAD] = True
    assert not masks[:, BOS].any()
    return masks
