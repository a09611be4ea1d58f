"""ORGAN: SeqGAN whose reward also holds objectives, which need not be differentiable.

Guimaraes, Sanchez-Lengeling, Outeiral, Farias & Aspuru-Guzik 2017, arXiv:1705.10843.

    R(Y) = lambda D(Y) + (1 - lambda) O(Y) w(Y)                                                            (1)
    w(Y) = 1 / (times that Y occurs in the batch), and in the code, times (unique fraction of the batch)   (2)
    Q_t = 1/N sum_n R(Y^n),  Y^n ~ G(. | y_1 .. y_l),  l >= t                                              (3)
    L = - E_{Y ~ G} sum_t (Q_t - beta sum_{s >= t} log (G(y_s | ..) / G_0(y_s | ..))) log G(y_t | ..)      (4)

lambda = 1 is SeqGAN, 0 plain reinforcement. Occurrences are of canonical strings, in the batch of one prefix length and
one rollout. Strings that are not valid have O = 0 and stay in the loss.

Deviations: beta, `kl` (0 is the paper's), holds the generator to G_0, itself before the first of these updates, where
the critic alone does not: (4) descends beta KL(G || G_0) - E R, least at G_0 exp(R / beta) / Z (KL control, as in
Jaques et al. 2017, "Sequence Tutor", arXiv:1611.02796). A baseline (`policy_gradient.py`; `baseline = "none"` is the
paper's); `n_prefixes` lengths are completed `n_rollouts` times instead of all of them 16 times (`n_prefixes = 0`,
`n_rollouts = 16`); the critic's training ends when it is good enough (`seqgan.py`). With `wasserstein` the critic is
that of the paper's ORWGAN, kept Lipschitz by spectral normalisation; its D is unbounded, so it is standardised over all
strings that are paid together and mapped to (0, 1) by the logistic function before (1), which the paper does not.
"""

import dataclasses
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Cycle, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.collapse import seen, stop_below
from freerun.methods.descent import Descent
from freerun.methods.discriminator import CRITIC, adversarial_state, critic_phase, logits_of
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
from freerun.methods.prior import PRIOR, keep_prior, log_prior
from freerun.models.sequence_critic import CriticShape


@dataclasses.dataclass(frozen=True)
class ORGAN(AbstractMethod):
    """A generator that is paid for looking real and by an objective.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Updates of the generator by (1).
        batch_size: Strings of each update.
        adversarial: lambda in (1), from 0 to 1; at 0 there is no critic.
        kl: beta in (4): what a nat away from G_0 costs, in the unit of the reward; 0: nothing.
        repeat_penalty: w in (1): `count` and `count+fraction` are the two parts of (2); `none`: 1.
        turns_every: With `objective.combine = "turns"`: updates before the next score has its turn.
        n_pretrain: Most updates of the critic before the first of these.
        n_critic: Most updates of the critic after each of these.
        critic_enough: Held-out accuracy at which a phase of the critic's training ends; above 1: never.
        wasserstein: The critic of ORWGAN.
        n_prefixes: Prefix lengths that are completed; 0: all.
        n_rollouts: Completions of each prefix, N in (3); 0: none, the whole episode.
        baseline: `batch`, or `none`.
        stop_at_collapse: Share of different strings in a batch below which the training ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.

    Raises:
        ValueError: If lambda is not in [0, 1], or a number negative.
    """

    takes_objective = True

    n_mle: int = 0
    n_steps: int = 100
    batch_size: int = 64
    adversarial: float = 0.5
    kl: float = 0.0
    repeat_penalty: Literal["count+fraction", "count", "none"] = "count+fraction"
    turns_every: int = 10
    n_pretrain: int = 500
    n_critic: int = 5
    critic_enough: float = 0.75
    wasserstein: bool = False
    n_prefixes: int = 4
    n_rollouts: int = 4
    baseline: Baseline = "batch"
    stop_at_collapse: float = 0.0
    critic: CriticShape = CriticShape()  # noqa: RUF009
    mle_descent: Descent = Descent()  # noqa: RUF009
    descent: Descent = Descent(lr=1e-4)  # noqa: RUF009
    critic_descent: Descent = Descent(lr=1e-4, clip=0.0)  # noqa: RUF009

    def __post_init__(self):
        if not 0 <= self.adversarial <= 1:
            raise ValueError(f"adversarial = {self.adversarial}, the lambda of the reward, must be in [0, 1]")
        refuse_below(0, self, "kl", "n_mle", "n_steps", "n_pretrain", "n_critic", "n_prefixes", "n_rollouts")
        refuse_below(0, self, "critic_enough", "stop_at_collapse")
        refuse_below(1, self, "turns_every")

    @property
    def takes_turns(self) -> bool:
        return True

    @property
    def needs_objective(self) -> bool:
        return self.adversarial < 1

    def init(self, world: World) -> State:
        n_critic = (self.n_pretrain + self.n_steps * self.n_critic) * (self.adversarial > 0)
        descents = {
            MLE: (self.mle_descent, self.n_mle),
            GENERATOR: (self.descent, self.n_steps),
            CRITIC: (self.critic_descent, n_critic),
        }
        shape = dataclasses.replace(self.critic, spectral=self.critic.spectral or self.wasserstein)
        state = adversarial_state(world, shape, descents)
        if self.kl:
            state.networks[PRIOR] = world.build_generator()
        return state

    def phases(self, n_batches: int) -> tuple[Phase | Cycle, ...]:
        stop = stop_below(self.stop_at_collapse)
        generator = Phase("generator", 1, self.step, before=self.begin, stop=stop, keep="last")
        if not self.adversarial:
            return mle_phase(self.n_mle), Cycle((generator,), self.n_steps)
        loss = "wasserstein" if self.wasserstein else "standard"
        before, after = (critic_phase(n, self.critic_enough, loss=loss) for n in (self.n_pretrain, self.n_critic))
        return mle_phase(self.n_mle), before, Cycle((generator, after), self.n_steps)

    def begin(self, state: State, rng: torch.Generator) -> None:
        """G_0 is the generator before its first update."""
        if self.kl and state.optimisers[GENERATOR].step == 0:
            keep_prior(state, rng)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        objective = state.world.objective
        if objective is not None:
            objective.turn = state.optimisers[GENERATOR].step // self.turns_every
        tokens = sampled(state, self.batch_size, rng)
        lengths = lengths_to_complete(batch, tokens, self.n_prefixes, self.n_rollouts, rng)
        values, whole, n_written = action_values(  # (3)
            state, tokens, lambda rows, n: self.reward(state, rows, n), lengths, self.n_rollouts, rng
        )
        written = tokens != PAD
        scored = log_probs(state, tokens)
        told: Logs = {}
        if self.kl:
            ratio = scored.detach() - log_prior(state, tokens)
            values = values - self.kl * ratio.flip(1).cumsum(1).flip(1)  # (4)
            told["kl_from_prior"] = ratio.sum(1).mean()
        loss = policy_loss(scored, advantages(values, written, self.baseline))
        logs = descend(loss, state.optimisers[GENERATOR])
        if objective is not None:
            told |= {"objective": totals(state, tokens, len(tokens)).mean(), "validity": validity(state, tokens)}
        return {
            "reward": whole.mean(),
            **seen(state, tokens),
            "n_tokens": torch.tensor(n_written),
            **told,
            **logs,
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)

    def reward(self, state: State, tokens: Int[Tensor, "rows time"], batch: int) -> Float[Tensor, " rows"]:
        """(1)"""
        reward = torch.zeros(len(tokens), device=tokens.device)
        if self.adversarial < 1:
            reward += (1 - self.adversarial) * totals(state, tokens, batch, repeats=self.repeat_penalty)
        if self.adversarial > 0:
            logits = logits_of(state, tokens)
            if self.wasserstein:
                centred = logits - logits.mean()
                logits = centred / centred.square().mean().sqrt().clamp(min=1e-6)
            reward += self.adversarial * logits.sigmoid()
        return reward
