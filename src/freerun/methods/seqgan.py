"""SeqGAN: a generator of sequences that is paid by a critic, by REINFORCE with Monte-Carlo rollouts.

Yu, Zhang, Wang & Yu 2017, arXiv:1609.05473.

    J(theta) = E_{Y ~ G}[D(Y)],   grad J = E[ sum_t Q_t grad log G(y_t | y_1 .. y_{t-1}) ]                 (2), (6)
    Q_t = 1/N sum_n D(Y^n),  Y^n ~ G(. | y_1 .. y_t),  t < T;   Q_T = D(Y)                                 (4)
    min - E_data log D(Y) - E_G log(1 - D(Y))                                                              (5)

The numbers are those of the paper. Its outer loop: maximum likelihood, then the critic, then in turns one update of
the generator and several of the critic.

Deviations, each with its setting:

- A baseline, the mean of Q_t over the other sequences of the batch; the paper has none (`baseline = "none"`).
- The loss is a sum over tokens and a mean over sequences; the code's is a sum over both, clipped at 5.
- The critic's training ends when it is right on `critic_enough` of sequences that it has not seen; the paper's takes
  4,680 updates of 64 rows to one of the generator. Ours hold 64 of each kind, so 2,355 see as many: `critic_enough =
  1.1`, `n_fakes = 10000`, `n_pretrain = 471`, `pretrain_rounds = 50`, `n_critic = 471`, `critic_rounds = 5` (config
  `seqgan_published`).
- Critic and updates by it begin with the weights of the best validation; the code's with the last of 120 passes.
- Fakes are drawn freshly for each update where `n_fakes` is 0; the paper trains three passes over each 10,000.
- Rollouts are drawn from the present generator. The paper's copy that follows at a rate of .8 never took effect in its
  code, which copied the weights each time.
- A sequence that has ended is not completed: its Q is D of itself. The paper's all have 20 tokens.
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
from freerun.methods.policy_gradient import (
    Baseline,
    action_values,
    advantages,
    lengths_to_complete,
    log_probs,
    policy_loss,
    sampled,
)
from freerun.models.sequence_critic import CriticShape


@dataclasses.dataclass(frozen=True)
class SeqGAN(AbstractMethod):
    """A generator that is paid for looking real.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Updates of the generator by the critic.
        batch_size: Sequences of each update.
        n_pretrain: Most updates of the critic before the first of these, in each of `pretrain_rounds`.
        n_critic: Most updates of the critic after each of these, in each of `critic_rounds`.
        n_fakes: Sequences that are drawn for each of the rounds; 0: fresh ones for each update.
        critic_enough: Held-out accuracy at which a round of the critic's training ends; above 1: never.
        n_prefixes: Prefix lengths that are completed, see (4) of `policy_gradient.py`; 0: all.
        n_rollouts: Completions of each prefix, N in (4); 0: none, every token is paid what the whole sequence is.
        baseline: `batch`, or `none` as in the paper.
        reward: `critic`; or a control: `constant` pays 1 for every sequence, `random` a uniform number.
        stop_at_collapse: Share of different strings in a batch below which the training ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.

    Raises:
        ValueError: If a number is negative.
    """

    n_mle: int = 0
    n_steps: int = 60
    batch_size: int = 64
    n_pretrain: int = 2000
    pretrain_rounds: int = 1
    n_critic: int = 20
    critic_rounds: int = 1
    n_fakes: int = 0
    critic_enough: float = 0.75
    n_prefixes: int = 0
    n_rollouts: int = 16
    baseline: Baseline = "batch"
    reward: Literal["critic", "constant", "random"] = "critic"
    stop_at_collapse: float = 0.0
    critic: CriticShape = CriticShape()  # noqa: RUF009
    mle_descent: Descent = Descent(lr=1e-2)  # noqa: RUF009
    descent: Descent = Descent(lr=1e-2)  # noqa: RUF009
    critic_descent: Descent = Descent(lr=1e-4, clip=0.0)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(
            0, self, "n_mle", "n_steps", "n_pretrain", "n_critic", "pretrain_rounds", "critic_rounds", "n_fakes"
        )
        refuse_below(0, self, "n_prefixes", "n_rollouts", "critic_enough", "stop_at_collapse")

    def init(self, world: World) -> State:
        n_critic = self.n_pretrain * self.pretrain_rounds + self.n_steps * self.n_critic * self.critic_rounds
        descents = {
            MLE: (self.mle_descent, self.n_mle),
            GENERATOR: (self.descent, self.n_steps),
            CRITIC: (self.critic_descent, n_critic),
        }
        return adversarial_state(world, self.critic, descents)

    def phases(self, n_batches: int) -> tuple[Phase | Cycle, ...]:
        generator = Phase("generator", 1, self.step, stop=stop_below(self.stop_at_collapse), keep="last")
        if self.reward != "critic":
            return mle_phase(self.n_mle), Cycle((generator,), self.n_steps)
        rounds = ((self.n_pretrain, self.pretrain_rounds), (self.n_critic, self.critic_rounds))
        before, after = (critic_phase(n, self.critic_enough, rounds=times, n_fakes=self.n_fakes) for n, times in rounds)
        return mle_phase(self.n_mle), before, Cycle((generator, after), self.n_steps)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        tokens = sampled(state, self.batch_size, rng)  # sample
        lengths = lengths_to_complete(batch, tokens, self.n_prefixes, self.n_rollouts, rng)
        values, whole, n_written = action_values(  # estimate: (4)
            state, tokens, lambda rows, _: self._paid(state, rows, rng), lengths, self.n_rollouts, rng
        )
        written = tokens != PAD
        advantage = advantages(values, written, self.baseline)
        loss = policy_loss(log_probs(state, tokens), advantage)  # (6)
        logs = descend(loss, state.optimisers[GENERATOR])  # step
        return {
            "reward": whole.mean(),
            "action_value": (values * written).sum() / written.sum(),
            **seen(state, tokens),
            "n_tokens": torch.tensor(n_written),
            **logs,
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)

    def _paid(self, state: State, tokens: Int[Tensor, "rows time"], rng: torch.Generator) -> Float[Tensor, " rows"]:
        """What (4) calls D(Y); or that of a control."""
        if self.reward == "constant":
            return torch.ones(len(tokens), device=tokens.device)
        if self.reward == "random":
            return torch.rand(len(tokens), generator=rng, device=tokens.device)
        return logits_of(state, tokens).sigmoid()
