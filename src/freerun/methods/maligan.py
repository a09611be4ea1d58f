"""MaliGAN: the critic's odds are weights of maximum likelihood on the generator's own sequences.

Che, Li, Zhang, Hjelm, Li, Song & Bengio 2017, arXiv:1702.07983.

    r(Y) = D(Y) / (1 - D(Y))                    of the best critic p_data(Y) / p_G(Y)                      (1)
    grad L = - sum_i (r(Y_i) / sum_j r(Y_j) - b) grad log G(Y_i),   Y_1 .. Y_m ~ G                         (2)

With the best critic and b = 0, (2) tends to the gradient of maximum likelihood by importance sampling.

Deviations: b is 1/m, the weights' own mean (`baseline = "none"`: 0), where the paper lets it rise slowly; no prefix of
the data is given in part of the sequences (its "mixed" training); the logit of the critic is bounded at +-`most`.
"""

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Cycle, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.collapse import seen, stop_below
from freerun.methods.descent import Descent
from freerun.methods.discriminator import CRITIC, adversarial_state, critic_phase, logits_of
from freerun.methods.likelihood import GENERATOR, MLE, evaluated, mle_phase
from freerun.methods.policy_gradient import Baseline, log_probs, sampled
from freerun.models.sequence_critic import CriticShape


@dataclasses.dataclass(frozen=True)
class MaliGAN(AbstractMethod):
    """Maximum likelihood on the generator's own sequences, weighed by the critic.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Updates of the generator by the critic.
        batch_size: Sequences of a batch of the corpus.
        n_drawn: Sequences that each update of the generator draws, m in (2).
        n_pretrain: Most updates of the critic before the first of these.
        n_critic: Most updates of the critic after each of these.
        critic_enough: Held-out accuracy at which the critic's training ends; above 1: never.
        baseline: b in (2) is 1/m (`batch`) or 0 (`none`).
        most: Bound of the critic's logit: one sequence cannot have all the weight because the critic is sure.
        stop_at_collapse: Share of different strings in a batch below which the training ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.
    """

    n_mle: int = 0
    n_steps: int = 200
    batch_size: int = 64
    n_drawn: int = 256
    n_pretrain: int = 2000
    n_critic: int = 20
    critic_enough: float = 0.75
    baseline: Baseline = "batch"
    most: float = 5.0
    stop_at_collapse: float = 0.0
    critic: CriticShape = CriticShape()  # noqa: RUF009
    mle_descent: Descent = Descent(lr=1e-2)  # noqa: RUF009
    descent: Descent = Descent(lr=1e-3)  # noqa: RUF009
    critic_descent: Descent = Descent(lr=1e-4, clip=0.0)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(0, self, "n_mle", "n_steps", "n_pretrain", "n_critic", "critic_enough", "most", "stop_at_collapse")
        if self.n_drawn < 2:
            raise ValueError(f"n_drawn = {self.n_drawn} must be at least 2: a weight is relative to the others")

    def init(self, world: World) -> State:
        descents = {
            MLE: (self.mle_descent, self.n_mle),
            GENERATOR: (self.descent, self.n_steps),
            CRITIC: (self.critic_descent, self.n_pretrain + self.n_steps * self.n_critic),
        }
        return adversarial_state(world, self.critic, descents)

    def phases(self, n_batches: int) -> tuple[Phase | Cycle, ...]:
        generator = Phase("generator", 1, self.step, stop=stop_below(self.stop_at_collapse), keep="last")
        before, after = (critic_phase(n, self.critic_enough) for n in (self.n_pretrain, self.n_critic))
        return mle_phase(self.n_mle), before, Cycle((generator, after), self.n_steps)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        tokens = sampled(state, self.n_drawn, rng)
        weights = self.weights(logits_of(state, tokens))
        loss = -(weights * log_probs(state, tokens).sum(1)).sum()  # (2)
        return {
            "effective_sample_size": self.effective(weights),
            **seen(state, tokens),
            "n_tokens": (tokens != 0).sum(),
            **descend(loss, state.optimisers[GENERATOR]),
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)

    def weights(self, logits: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """The bracket of (2), from the critic's logits log r."""
        b = 1 / len(logits) if self.baseline == "batch" else 0.0
        return logits.clamp(-self.most, self.most).softmax(0) - b  # (1)

    def effective(self, weights: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
        """Sequences that as many equal weights would be of: 1 / sum_i w_i^2, from 1 to m."""
        b = 1 / len(weights) if self.baseline == "batch" else 0.0
        return 1 / (weights + b).square().sum()
