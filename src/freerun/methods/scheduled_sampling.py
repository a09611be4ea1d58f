"""Scheduled sampling: the generator is weaned of the true tokens while it learns.

Bengio, Vinyals, Jaitly & Shazeer 2015, "Scheduled sampling for sequence prediction with recurrent neural networks",
arXiv:1506.03099.

    L(theta) = - 1/N sum_i sum_t log p_theta(y_t | x_1 .. x_{t-1}),      N = tokens, <eos> counted        (1)
    x_t = y_t with probability eps_i, else a draw from p_theta(. | x_1 .. x_{t-1}), which is held constant  (2)

eps_i is the probability of the true token at step i of n; the paper's three schedules, s = i/n being the share of the
training that is done:

    linear            eps_i = max(eps, k - c i)           k = start, c n = slope, eps = least               (3)
    exponential       eps_i = k^i,  k < 1                 k^n = least: eps_i = least^s                      (4)
    inverse sigmoid   eps_i = k / (k + exp(i / k))        eps_i = 1/2 at i = k ln k = half n                (5)

(1) is no proper scoring rule (Huszar 2015, arXiv:1511.05101): the target is the true token whatever was read before
it. Of two tokens the best p(y_2 | y_1) is eps P(y_2 | y_1) + (1 - eps) P(y_2), and at eps = 0, for any length, each
token comes from its marginal: nothing is learned of what it follows.

Deviations: the softmax, and the draws, obey the mask of the true prefix; draws are made without dropout; the paper has
schedules of its own k for each task, here they are stated by the share of the training.
"""

import dataclasses
from typing import Literal

import torch
from scipy.special import expit, lambertw
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import GENERATOR, evaluated
from freerun.sampling.likelihood import n_tokens, token_log_prob
from freerun.sampling.mixed import mixed_forcing


@dataclasses.dataclass(frozen=True)
class Weaning:
    """The probability of the true token over the training: the table `[method.teacher]`.

    Args:
        schedule: `linear`, (3), `exponential`, (4), or `inverse_sigmoid`, (5).
        start: At the first step of `linear`, which 0 makes read nothing but the generator's own draws; 1 of the others.
        slope: How much is lost over the whole training, before `least` stops it (linear).
        least: The smallest (linear), or that at the end (exponential).
        half: Share of the training after which it is 1/2 (inverse sigmoid).

    Raises:
        ValueError: If a probability is not in [0, 1], or a number is too small for its schedule.
    """

    schedule: Literal["linear", "exponential", "inverse_sigmoid"] = "inverse_sigmoid"
    start: float = 1.0
    slope: float = 1.0
    least: float = 0.0
    half: float = 0.5

    def __post_init__(self):
        for name in ("start", "least"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be in [0, 1]")
        if self.slope < 0:
            raise ValueError(f"slope = {self.slope} must not be negative")
        if self.schedule == "exponential" and self.least == 0:
            raise ValueError("least = 0 is never reached exponentially; set it above 0, or schedule = 'linear'")
        if self.half <= 0:
            raise ValueError(
                f"half = {self.half} must be above 0; to read no true token at all, schedule = 'linear' with start = 0"
            )
        if self.schedule != "linear" and self.start != 1:
            raise ValueError(f"start = {self.start} belongs to schedule = 'linear': {self.schedule} begins at 1")

    def p_teacher(self, step: int, n_steps: int) -> float:
        """At step `step` (from 0) of `n_steps`."""
        share = step / n_steps
        match self.schedule:
            case "linear":
                return max(self.least, self.start - self.slope * share)  # (3)
            case "exponential":
                return self.least**share  # (4)
            case "inverse_sigmoid":
                log_k = float(lambertw(self.half * n_steps).real)  # as k ln k = half n
                return float(expit(log_k * (1 - share / self.half)))  # (5)


@dataclasses.dataclass(frozen=True)
class ScheduledSampling(AbstractMethod):
    """Next-token maximum likelihood after prefixes of which the generator has written more and more itself.

    Args:
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step.
        teacher: How often the generator reads the true token.
    """

    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 128
    teacher: Weaning = Weaning()
    descent: Descent = Descent()  # noqa: RUF009

    def init(self, world: World) -> State:
        generator = world.build_generator()
        optimiser = Optimiser(generator, self.descent, self._n_steps(world.n_batches))
        return State(world, torch.nn.ModuleDict({GENERATOR: generator}), {GENERATOR: optimiser})

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        # The held-out likelihood is best before the weaning has begun in earnest: its weights would be the teacher's.
        return (Phase("scheduled_sampling", self._n_steps(n_batches), self.step, keep="last"),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        optimiser = state.optimisers[GENERATOR]
        p_teacher = self.teacher.p_teacher(optimiser.step, optimiser.n_steps)
        allowed = state.world.allowed(batch)
        logits = mixed_forcing(self.generator(state), batch.tokens, allowed, p_teacher, rng)  # (2)
        loss = -token_log_prob(logits, batch.tokens, allowed).sum() / n_tokens(batch.tokens).sum()  # (1)
        return {
            "mixed_nll_per_token": loss.detach(),
            "p_teacher": torch.tensor(p_teacher),
            **descend(loss, optimiser),
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """The likelihood, every token before being the true one."""
        return evaluated(state, batch)

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))
