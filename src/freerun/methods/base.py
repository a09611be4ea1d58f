"""What a method is: networks to build, phases of steps, and how it is judged on held-out sequences."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freerun.constraints.base import AbstractConstraint
from freerun.corpora.batches import Batch
from freerun.methods.descent import Optimiser
from freerun.models.generator import Generator


@dataclasses.dataclass(frozen=True)
class Network:
    """The generator's shape: the table `[model]`. The arguments are those of `Generator`."""

    cell: Literal["lstm", "gru"] = "lstm"
    d_embedding: int = 64
    d_hidden: int = 512
    n_layers: int = 1
    dropout: float = 0.0
    dropout_output: float = 0.0
    tied: bool = False

    def build(self, n_vocab: int, compute_dtype: torch.dtype, d_context: int = 0) -> Generator:
        shape = dataclasses.asdict(self)
        return Generator(n_vocab, d_context=d_context, compute_dtype=compute_dtype, **shape)


@dataclasses.dataclass(frozen=True)
class World:
    """What is given to a method: the language it is to learn, and the machine.

    Args:
        constraint: Over the vocabulary; its masks enter the loss and the sampling.
        budget: Most tokens of a sequence, `<eos>` included.
        n_batches: Batches in one pass over the training split.
        compute_dtype: Of the matrix products.
    """

    constraint: AbstractConstraint
    budget: int
    network: Network
    n_batches: int
    device: torch.device
    compute_dtype: torch.dtype = torch.float32

    def build_generator(self, d_context: int = 0) -> Generator:
        return self.network.build(self.constraint.n_vocab, self.compute_dtype, d_context).to(self.device)


@dataclasses.dataclass
class State:
    """Everything that a step reads: networks, optimisers, buffers. `world` is given again when a run is resumed."""

    world: World
    networks: nn.ModuleDict
    optimisers: dict[str, Optimiser]

    def state_dict(self) -> dict:
        return {
            "networks": self.networks.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }

    def load_state_dict(self, saved: dict) -> None:
        self.networks.load_state_dict(saved["networks"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(saved["optimisers"][name])


Logs = dict[str, Tensor]
Step = Callable[[State, Batch, torch.Generator], Logs]


@dataclasses.dataclass(frozen=True)
class Phase:
    """`n_steps` steps of one kind.

    Args:
        before: Called once on entry (resampling).
        done: Ends the phase early.
    """

    name: str
    n_steps: int
    step: Step
    before: Callable[[State, torch.Generator], None] | None = None
    done: Callable[[State], bool] | None = None


class AbstractMethod(abc.ABC):
    """One paper. Final subclasses are frozen dataclasses of its hyperparameters: the table `[method]`."""

    batch_size: int

    @abc.abstractmethod
    def init(self, world: World) -> State:
        """Networks and optimisers at step 0; drawn from PyTorch's global generator, which the caller has seeded."""

    @abc.abstractmethod
    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        """The paper's outer loop, for an epoch of `n_batches`."""

    @abc.abstractmethod
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """Held-out measures as (sum, count); the first is the one that early stopping minimises."""

    @abc.abstractmethod
    def generator(self, state: State) -> Generator: ...

    @abc.abstractmethod
    def context(
        self, state: State, n: int, given: dict[str, float], rng: torch.Generator
    ) -> Float[Tensor, "batch context"] | None:
        """Prior draws and conditions of `n` samples; None where the generator takes none."""


def descend(loss: Float[Tensor, ""], optimiser: Optimiser) -> Logs:
    """One gradient step down `loss`; every weight that changes, changes here. Logs the gradient's norm and the rate."""
    return optimiser.descend(loss)
