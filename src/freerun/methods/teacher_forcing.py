"""Teacher forcing: maximum likelihood of the next token, given the true ones before it.

Williams & Zipser 1989, "A learning algorithm for continually running fully recurrent neural networks".

    L(theta) = - 1/N sum_i sum_t log p_theta(y_t | y_1 .. y_{t-1}),      N = tokens, <eos> counted      (1)

The softmax of p runs over the tokens that the constraint allows after the true prefix: the mask of the loss is the
mask of the sampling. Padding is the only token allowed after <eos>, so it adds 0 to the sum; N leaves it out.
"""

import dataclasses

import torch
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import nll
from freerun.methods.variational import hidden


@dataclasses.dataclass(frozen=True)
class TeacherForcing(AbstractMethod):
    """Next-token maximum likelihood.

    Args:
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step.
        condition: Columns that lead the generator at every step: of the file, or computed by the score of this name.
        condition_dropout: Probability of each of them being hidden from a string, in training.
    """

    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 128
    condition: tuple[str, ...] = ()
    condition_dropout: float = 0.3
    descent: Descent = Descent()  # noqa: RUF009

    def init(self, world: World) -> State:
        generator = world.build_generator()
        optimiser = Optimiser(generator, self.descent, self._n_steps(world.n_batches))
        return State(world, torch.nn.ModuleDict({"generator": generator}), {"generator": optimiser})

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("teacher_forcing", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        condition = hidden(state.world.condition(batch), state.world.conditions, self.condition_dropout, rng)
        total, count = nll(state, batch, condition if self.condition else None)
        loss = total / count  # (1)
        return {"nll_per_token": loss.detach(), **descend(loss, state.optimisers["generator"])}

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        state.networks.eval()
        return {"nll_per_token": nll(state, batch, state.world.condition(batch) if self.condition else None)}

    @property
    def columns(self) -> tuple[str, ...]:
        return self.condition

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))
