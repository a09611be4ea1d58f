"""Gumbel-softmax GAN: the critic reads relaxed samples, and its gradient goes through them into the generator.

Kusner & Hernandez-Lobato 2016, "GANs for Sequences of Discrete Elements with the Gumbel-softmax Distribution",
arXiv:1611.04051. Nie, Narodytska & Patel 2019, "RelGAN: Relational Generative Adversarial Networks for Text
Generation", ICLR.

    y_t = softmax((a_t + g_t) / tau),   a_t the generator's logits given y_1 .. y_{t-1}                   (1)
    standard       L_D = 1/2 E softplus(-D(x)) + 1/2 E softplus(D(y)),   L_G = E softplus(-D(y))          (2)
    relativistic   L_D = E softplus(D(y) - D(x)),   L_G = E softplus(D(x) - D(y))                         (3)
    tau_n = beta^(-n/N)                                                                                   (4)
    L_D + lambda E (|dD(u x + (1 - u) y)| - 1)^2,   u uniform, one a sequence                             (5)

x are one-hot rows of the corpus; softplus(d) = log(1 + e^d). (3) and (4) are RelGAN's; of (2), (3) and (5) see
`adversarial_losses.py`. `hard = True` is straight-through: critic and generator read one-hot rows, and only the
gradient is that of (1).

A relaxed y is no one-hot row, which is enough to tell it from x: `critic_accuracy_of_tokens` is of its argmax. The
corpus should come as random rows (`corpus.by_length = false`), or x differs from y in its lengths alone.

Deviations: the softmax of (1) runs over the tokens that the constraint allows, and a string ends with its `<eos>` (see
`sampling/relaxed.py` for what the gradient then lacks); both papers write all strings at one length. The generator is
that of `[model]`, where RelGAN's has a relational memory, the critic that of `[method.critic]`, where RelGAN's has many
embeddings. The critic's updates between two of the generator have one x, with fresh y each.
"""

import dataclasses

import torch
from jaxtyping import Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.batches import Batch
from freerun.gumbel import Annealing
from freerun.methods.adversarial_losses import (
    Loss,
    accuracy,
    critic_loss,
    generator_loss,
    gradient_penalty,
    interpolated,
)
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.collapse import VARIETY, Variety, seen, stop_below
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.discriminator import CRITIC, critic_of
from freerun.methods.likelihood import GENERATOR, MLE, evaluated, mle_phase
from freerun.methods.policy_gradient import new_seed
from freerun.models.sequence_critic import CriticShape
from freerun.sampling.relaxed import Relaxed, relaxed_run


@dataclasses.dataclass(frozen=True)
class GumbelGAN(AbstractMethod):
    """A generator that descends the gradient of a critic.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Updates of the generator by the critic.
        batch_size: Sequences of each update, from the corpus and from the generator.
        hard: Straight-through samples in place of relaxed ones.
        temperature: tau, over the updates by the critic; (4) is from 1 to 1 / beta, exponentially.
        loss: `standard` (2), `relativistic` (3), or `wasserstein` of a critic that is kept Lipschitz by
            `gradient_penalty` or `critic.spectral` (`adversarial_losses.py`).
        gradient_penalty: lambda in (5); 0: none.
        n_critic: Most updates of the critic for each of the generator.
        critic_enough: Accuracy, before an update of the critic, at which the step leaves out that one and the rest:
            held-out where anything is held out, else on the batch that would be learned; above 1: never.
        stop_at_collapse: Share of different sequences in a batch below which the phase ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.

    Raises:
        ValueError: If a number is outside its range, or nothing bounds the critic of `wasserstein`.
    """

    n_mle: int = 0
    n_steps: int = 3000
    batch_size: int = 64
    hard: bool = False
    temperature: Annealing = Annealing(1.0, 0.01, "exponential")  # noqa: RUF009
    loss: Loss = "relativistic"
    gradient_penalty: float = 0.0
    n_critic: int = 5
    critic_enough: float = 1.1
    stop_at_collapse: float = 0.0
    critic: CriticShape = CriticShape()  # noqa: RUF009
    mle_descent: Descent = Descent(lr=1e-2)  # noqa: RUF009
    descent: Descent = Descent(lr=1e-4)  # noqa: RUF009
    critic_descent: Descent = Descent(lr=1e-4)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(0, self, "n_mle", "n_steps", "gradient_penalty", "critic_enough")
        if self.n_critic < 1:
            raise ValueError(f"n_critic = {self.n_critic} must be at least 1: an untrained critic teaches nothing")
        if not 0 <= self.stop_at_collapse <= 1:
            raise ValueError(f"stop_at_collapse = {self.stop_at_collapse} must be in [0, 1]")
        if self.loss == "wasserstein" and not self.gradient_penalty and not self.critic.spectral:
            raise ValueError(
                'loss = "wasserstein" needs a bounded critic: gradient_penalty above 0, or critic.spectral'
            )

    def init(self, world: World) -> State:
        generator = world.build_generator()
        critic = self.critic.build(world.constraint.n_vocab)
        networks = torch.nn.ModuleDict({GENERATOR: generator, CRITIC: critic, VARIETY: Variety()}).to(world.device)
        optimisers = {
            MLE: Optimiser(generator, self.mle_descent, self.n_mle),
            GENERATOR: Optimiser(generator, self.descent, self.n_steps),
            CRITIC: Optimiser(critic, self.critic_descent, self.n_steps * self.n_critic),
        }
        return State(world, networks, optimisers)

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        stop = stop_below(self.stop_at_collapse)
        return mle_phase(self.n_mle), Phase("adversarial", self.n_steps, self.step, stop=stop, keep="last")

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        optimiser = state.optimisers[GENERATOR]
        temperature = self.temperature.at(optimiser.step, optimiser.n_steps)  # (4)
        logs = self._train_critic(state, batch, temperature, rng)
        drawn = self._drawn(state, len(batch.tokens), temperature, rng)
        critic = critic_of(state).train().requires_grad_(False)
        loss = generator_loss(self.loss, critic(batch.tokens), critic(drawn.probs))
        moved = descend(loss, optimiser)
        critic.requires_grad_(True)
        return {
            "generator_loss": loss.detach(),
            "temperature": torch.tensor(temperature),
            "sharpness": drawn.probs.detach().amax(2)[drawn.tokens != PAD].mean(),
            **seen(state, drawn.tokens),
            **moved,
            **logs,
            "n_tokens": logs["n_tokens"] + (drawn.tokens != PAD).sum(),
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)

    def _drawn(self, state: State, n: int, temperature: float, rng: torch.Generator) -> Relaxed:
        """(1)"""
        world, generator = state.world, self.generator(state)
        return relaxed_run(
            generator,
            world.constraint,
            n,
            budget=world.budget,
            temperature=temperature,
            seed=new_seed(rng),
            hard=self.hard,
        )

    def _train_critic(self, state: State, batch: Batch, temperature: float, rng: torch.Generator) -> Logs:
        """Up to `n_critic` updates; what is logged is of the last draw, which may be one that was not learned."""
        critic, real, logs = critic_of(state), batch.tokens, {}
        n_tokens, n_updates = (real != PAD).sum(), 0
        for turn in range(self.n_critic):
            with torch.no_grad():
                drawn = self._drawn(state, len(real), temperature, rng)
            n_tokens = n_tokens + (drawn.tokens != PAD).sum()
            if turn == 0 or self.critic_enough <= 1:
                logs |= self._judged(state, real, drawn, rng)
            if logs.get("critic_accuracy_held_out", logs["critic_accuracy"]) >= self.critic_enough:
                break
            critic.train()
            loss = critic_loss(self.loss, critic(real), critic(drawn.probs))
            total = loss + critic.penalty()
            if self.gradient_penalty:
                u = torch.rand(len(real), 1, 1, generator=rng, device=real.device)
                penalty = gradient_penalty(critic, interpolated(real, drawn.probs, u))
                total = total + self.gradient_penalty * penalty  # (5)
                logs["gradient_penalty"] = penalty.detach()
            moved = descend(total, state.optimisers[CRITIC])
            logs |= {"critic_loss": loss.detach(), "critic_grad_norm": moved["grad_norm"]}
            n_updates += 1
        return {**logs, "critic_updates": torch.tensor(n_updates), "n_tokens": n_tokens}

    @torch.no_grad()
    def _judged(self, state: State, real: Int[Tensor, "batch time"], drawn: Relaxed, rng: torch.Generator) -> Logs:
        """How well the critic tells draws that it has not learned: from the batch, from held-out sequences, and the
        tokens alone from these."""
        critic = critic_of(state).eval()
        fake = critic(drawn.probs)
        told = {"critic_accuracy": accuracy(self.loss, critic(real), fake)}
        if (others := state.world.held_out) is None:
            return told
        rows = torch.randint(len(others), (len(real),), generator=rng, device=rng.device)
        held_out = critic(others[rows.to(others.device)].to(real.device))
        told["critic_accuracy_held_out"] = accuracy(self.loss, held_out, fake)
        told["critic_accuracy_of_tokens"] = accuracy(self.loss, held_out, critic(drawn.tokens))
        return told
