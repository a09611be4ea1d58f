"""Controls of a search: as many strings from the prior, or from no model at all, the best of them kept."""

import dataclasses
from collections.abc import Callable, Collection
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.constraints.base import AbstractConstraint
from freerun.models.generator import AbstractGenerator
from freerun.representations.base import AbstractRepresentation
from freerun.rows import Rows
from freerun.sampling.free_run import FreeRun

MOST_TRIES = 20  # strings drawn for one that is new, before it is given up

Draw = Callable[[int], list[str]]
"""The first n strings of an endless row of them."""


def first_distinct(draw: Draw, n: int, key: Callable[[str], str], known: Collection[str] = ()) -> list[str]:
    """The first n strings that differ from one another and from those known, or fewer where new ones are rare.

    Args:
        key: What a string is known by.
        known: Keys that do not count.
    """
    n_drawn = n
    while True:
        fresh: dict[str, str] = {}
        for string in draw(n_drawn):
            name = key(string)
            if name not in known:
                fresh.setdefault(name, string)
        if len(fresh) >= n or n_drawn >= MOST_TRIES * n:
            return list(fresh.values())[:n]
        n_drawn = min(2 * n_drawn, MOST_TRIES * n)


@dataclasses.dataclass(frozen=True)
class Blank(Rows):
    """A state that holds nothing but its number of rows."""

    rows: Int[Tensor, " batch"]


class Uniform(AbstractGenerator):
    """The same logit for every token: under a constraint, each allowed token with the same probability."""

    def __init__(self, n_vocab: int):
        super().__init__()
        self.n_vocab, self.d_hidden, self.d_context = n_vocab, 0, 0
        self.logits = nn.Parameter(torch.zeros(n_vocab), requires_grad=False)

    def start(self, n: int, context: Float[Tensor, "batch context"] | None = None) -> Blank:
        self.refuse_context(context)
        return Blank(torch.arange(n, device=self.logits.device))

    def step(
        self, x: Int[Tensor, " batch"] | Float[Tensor, "batch vocab"], state: Blank
    ) -> tuple[Float[Tensor, "batch vocab"], Blank]:
        return self.logits.expand(len(x), -1), state

    def forward(
        self, tokens: Int[Tensor, "batch time"], context: Float[Tensor, "batch context"] | None = None
    ) -> tuple[Float[Tensor, "batch time vocab"], Float[Tensor, "batch time hidden"]]:
        return self.logits.expand(*tokens.shape, -1), self.logits.new_zeros(*tokens.shape, 0)

    def hidden(self, state: Blank) -> Float[Tensor, "batch hidden"]:
        return self.logits.new_zeros(len(state), 0)

    def frozen(self) -> Self:
        return self


def uniform_strings(
    constraint: AbstractConstraint, representation: AbstractRepresentation, budget: int, seed: int
) -> Draw:
    """Strings of a language without a model: at each step any allowed token, each as likely.

    Args:
        budget: Most tokens, `<eos>` included.
    """
    run = FreeRun(Uniform(constraint.n_vocab), constraint, budget, seed)
    return lambda n: representation.decode_batch(run(n).tokens)
