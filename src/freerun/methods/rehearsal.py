"""Labelled sequences that a method has met and may read again: where one in a hundred has a label, each would otherwise
be seen once a pass."""

import dataclasses
from typing import Self

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.batches import Batch
from freerun.methods.base import State

MOST_KEPT = 5000  # rows; more labels than these need no rehearsal


@dataclasses.dataclass(frozen=True)
class Memory:
    """Args:
    rows: Of the corpus, each once, in the order in which they were met.
    tokens: Padded to the budget.
    classes: The number of the class of each.
    """

    rows: Int[Tensor, " kept"]
    tokens: Int[Tensor, "kept budget"]
    classes: Int[Tensor, " kept"]

    @classmethod
    def empty(cls, budget: int, device: torch.device) -> Self:
        nothing = torch.zeros(0, dtype=torch.int64, device=device)
        return cls(nothing, nothing.new_zeros(0, budget), nothing)

    def with_met(self, batch: Batch, known: Bool[Tensor, " batch"], classes: Int[Tensor, " batch"]) -> "Memory":
        """What was known, and the labelled rows of a batch that are new, while there is room."""
        rows = batch.rows.to(self.rows.device)
        new = (known & ~torch.isin(rows, self.rows)).nonzero()[: MOST_KEPT - len(self.rows), 0]
        if not len(new):
            return self
        padded = self.tokens.new_zeros(len(new), self.tokens.shape[1])
        padded[:, : batch.tokens.shape[1]] = batch.tokens[new][:, : padded.shape[1]]
        return Memory(
            torch.cat([self.rows, rows[new]]),
            torch.cat([self.tokens, padded]),
            torch.cat([self.classes, classes[new]]),
        )

    def drawn(self, n: int, rng: torch.Generator) -> tuple[Int[Tensor, "drawn time"], Int[Tensor, " drawn"]]:
        """Tokens and classes of n different rows; of all, where there are fewer."""
        place = torch.randperm(len(self.rows), generator=rng, device=self.rows.device)[:n]
        tokens = self.tokens[place]
        return tokens[:, : int((tokens != PAD).sum(1).max())], self.classes[place]


@dataclasses.dataclass
class RehearsingState(State):
    """A state that remembers labelled rows; a checkpoint keeps them, the weights alone do not."""

    memory: Memory

    def state_dict(self) -> dict:
        return {**super().state_dict(), "memory": dataclasses.asdict(self.memory)}

    def load_state_dict(self, saved: dict) -> None:
        super().load_state_dict(saved)
        device = self.world.device
        self.memory = Memory(**{name: values.to(device) for name, values in saved["memory"].items()})
