"""A constraint with a longest length of its own, whatever budget it is given."""

import dataclasses
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import AbstractConstraint


@dataclasses.dataclass(frozen=True)
class Capped(AbstractConstraint[Any]):
    """The strings of another constraint that have at most `longest` tokens, `<eos>` not counted."""

    constraint: AbstractConstraint
    longest: int
    n_vocab: int = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "n_vocab", self.constraint.n_vocab)

    @property
    def code_version(self) -> str:
        return self.constraint.code_version

    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> Any:
        budget = torch.as_tensor(budget, device=device).clamp(max=self.longest + 1)
        return self.constraint.start(n, int(budget) if budget.dim() == 0 else budget, device)

    def allowed(self, state: Any) -> Bool[Tensor, "batch vocab"]:
        return self.constraint.allowed(state)

    def advance(self, state: Any, tokens: Int[Tensor, " batch"]) -> Any:
        return self.constraint.advance(state, tokens)

    def _objection(self, state: Any, token: int) -> str:
        return self.constraint._objection(state, token)
