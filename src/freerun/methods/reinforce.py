"""REINFORCE: a generator that is taught by an objective alone.

Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning".

    J(theta) = E_{Y ~ G}[O(Y)],   grad J = E[ sum_t (Q_t - b_t) grad log G(y_t | y_1 .. y_{t-1}) ]         (1)

Sample, estimate, step. Q_t is O(Y) for every t (the whole episode), or the mean of `n_rollouts` completions of the
prefix that ends with y_t: (3) and (4) of `policy_gradient.py`. Both have the same expectation; b_t, the mean over the
other strings of the batch, does not change it. The variances: docs/reinforce.md.
"""

import dataclasses

import torch
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Cycle, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.collapse import VARIETY, Variety, seen, stop_below
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import GENERATOR, MLE, evaluated, mle_phase
from freerun.methods.paid import totals, validity
from freerun.methods.policy_gradient import (
    Baseline,
    action_values,
    advantages,
    lengths_to_complete,
    log_probs,
    policy_loss,
    sampled,
)


@dataclasses.dataclass(frozen=True)
class Reinforce(AbstractMethod):
    """Policy gradient on an objective.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Updates by the objective.
        batch_size: Strings of each.
        n_prefixes: Prefix lengths that are completed; 0: all.
        n_rollouts: Completions of each prefix; 0: none, the whole episode.
        baseline: `batch`, or `none`.
        stop_at_collapse: Share of different strings in a batch below which the training ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.

    Raises:
        ValueError: If a number is negative.
    """

    takes_objective = True

    n_mle: int = 0
    n_steps: int = 500
    batch_size: int = 64
    n_prefixes: int = 0
    n_rollouts: int = 0
    baseline: Baseline = "batch"
    stop_at_collapse: float = 0.0
    mle_descent: Descent = Descent()  # noqa: RUF009
    descent: Descent = Descent(lr=1e-4)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(0, self, "n_mle", "n_steps", "n_prefixes", "n_rollouts", "stop_at_collapse")

    def init(self, world: World) -> State:
        generator = world.build_generator()
        optimisers = {GENERATOR: Optimiser(generator, self.descent, self.n_steps)}
        if self.n_mle:
            optimisers[MLE] = Optimiser(generator, self.mle_descent, self.n_mle)
        return State(
            world, torch.nn.ModuleDict({GENERATOR: generator, VARIETY: Variety()}).to(world.device), optimisers
        )

    def phases(self, n_batches: int) -> tuple[Phase | Cycle, ...]:
        stop = stop_below(self.stop_at_collapse)
        return mle_phase(self.n_mle), Phase("reinforce", self.n_steps, self.step, stop=stop, keep="last")

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        tokens = sampled(state, self.batch_size, rng)  # 1. sample
        lengths = lengths_to_complete(batch, tokens, self.n_prefixes, self.n_rollouts, rng)
        values, whole, n_written = action_values(  # 2. estimate
            state, tokens, lambda rows, n: totals(state, rows, n), lengths, self.n_rollouts, rng
        )
        written = tokens != PAD
        loss = policy_loss(log_probs(state, tokens), advantages(values, written, self.baseline))  # (1)
        logs = descend(loss, state.optimisers[GENERATOR])  # 3. step
        return {
            "objective": whole.mean(),
            "validity": validity(state, tokens),
            **seen(state, tokens),
            "n_tokens": torch.tensor(n_written),
            **logs,
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)
