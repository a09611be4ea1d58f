"""Adversarial autoencoder: a critic, in place of the KL of a VAE, makes the codes of all strings lie as the prior does.

Makhzani, Shlens, Jaitly, Goodfellow & Frey 2015, arXiv:1511.05644; of molecules, Polykovskiy et al. 2020 (MOSES),
arXiv:1811.12823; with a denoising encoder, Shen et al. 2020, arXiv:1905.12777.

    q(z) = 1/N sum_i q(z | y_i)              codes of all strings, as p(z) is of the prior                     (1)
    nll = - sum_t log p(y_t | y_1 .. y_{t-1}, z),   z ~ q(z | y'),   y' = y with tokens dropped                (2)
    L_critic = E_{p(z)} softplus(-D(z)) + E_{q(z)} softplus(D(z))                                              (3)
    L = E nll + lambda E_{q(z)} softplus(-D(z))                                                                (4)
    D best = log p(z) - log q(z),   so   E_p D - E_q D = KL(p || q) + KL(q || p)                               (5)

In nats a sequence; softplus(x) = log(1 + e^x). With a condition c all of it is given c: D(z, c) compares q(z | c) to
p(z), so that z and c can be chosen apart. The softmax of (2) runs over the tokens that the constraint allows.

Deviations from Makhzani et al.: one descent of (4) for encoder and generator, as Shen et al. have it, where theirs
are two, of the nll and of the encoder's adversarial loss; the critic goes first. z is joined to the generator's input
at each step. Dropped tokens are `<unk>` to the encoder, where Shen et al. mostly take them out.
"""

import dataclasses
import math
from typing import Literal, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from freerun.conditions import Given
from freerun.constraints.base import EOS
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractLatentMethod, Latent, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.variational import active_units, beta_at, conditioned, drawn, dropped, hidden
from freerun.models.critic import Critic
from freerun.models.encoder import normalised
from freerun.noise import normal, uniform
from freerun.sampling.likelihood import n_tokens, token_log_prob

APART = 6.0  # neighbouring components of the mixture, in their deviations


@dataclasses.dataclass(frozen=True)
class AdversarialAutoencoder(AbstractLatentMethod):
    """An autoencoder of sequences whose codes are matched to a prior by a critic.

    Args:
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step; they should be random rows (`corpus.by_length = false`).
        d_latent: Width of the code.
        d_encoder: Width of the encoder's layers; 0: that of the generator's.
        bidirectional: The encoder reads both ways.
        prior: `normal`: N(0, I); `mixture`: Gaussians on a circle (`mixture`).
        n_components: Of the mixture.
        stochastic: A code is drawn from a Gaussian that the encoder gives; else it is the encoder's output.
        critic: Widths of the critic's hidden layers.
        n_critic: Descents of the critic a step.
        adversarial: Weight of the encoder's adversarial loss, lambda in (4).
        rising: Share of the training in which that weight rises from 0, so that codes come to say something before
            they are moved; 0: it is there from the start.
        denoising: Probability of a token in the encoder's input being `<unk>`, in training.
        word_dropout: Probability of a token in the generator's input being `<unk>`, in training.
        condition: Columns that encoder, generator and critic are told: of the file, or computed by the score of this
            name.
        condition_dropout: Probability of each of them being hidden from a string, in training.
        critic_descent: How the critic is optimised.

    Raises:
        ValueError: If a share or a probability is not in [0, 1], or a weight, a number or the code is too small.
    """

    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 128
    d_latent: int = 64
    d_encoder: int = 0
    bidirectional: bool = False
    prior: Literal["normal", "mixture"] = "normal"
    n_components: int = 10
    stochastic: bool = False
    normalised: bool = True
    critic: tuple[int, ...] = (640, 256)
    n_critic: int = 1
    adversarial: float = 10.0
    rising: float = 0.0
    denoising: float = 0.0
    word_dropout: float = 0.0
    condition: tuple[str, ...] = ()
    condition_dropout: float = 0.3
    descent: Descent = Descent()  # noqa: RUF009
    critic_descent: Descent = Descent(betas=(0.5, 0.999))  # noqa: RUF009

    def __post_init__(self):
        for name in ("rising", "denoising", "word_dropout", "condition_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be in [0, 1]")
        if self.n_critic < 1:
            raise ValueError(f"n_critic = {self.n_critic} must be at least 1; for no critic set adversarial = 0")
        if self.adversarial < 0:
            raise ValueError(f"adversarial = {self.adversarial} must not be negative")
        if self.prior == "mixture" and (self.n_components < 3 or self.d_latent < 2):
            raise ValueError(
                f"a circle of {self.n_components} components in {self.d_latent} axes is none: n_components must be at "
                "least 3 and d_latent at least 2"
            )

    def init(self, world: World) -> State:
        width = world.conditions.width
        reader = world.build_reader(self.d_encoder, self.bidirectional, width)
        networks = torch.nn.ModuleDict(
            {
                "reader": reader,
                "code": torch.nn.Linear(reader.width, self.d_latent * (2 if self.stochastic else 1)),
                "norm": torch.nn.BatchNorm1d(self.d_latent, affine=False),
                "generator": world.build_generator(self.d_latent),
                "critic": Critic(self.d_latent, self.critic, width),
            }
        ).to(world.device)
        autoencoder = torch.nn.ModuleList([networks[name] for name in ("reader", "code", "generator")])
        n_steps = self._n_steps(world.n_batches)
        optimisers = {
            "autoencoder": Optimiser(autoencoder, self.descent, n_steps),
            "critic": Optimiser(networks["critic"], self.critic_descent, n_steps * self.n_critic),
        }
        return State(world, networks, optimisers)

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("aae", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        condition = hidden(state.world.condition(batch), state.world.conditions, self.condition_dropout, rng)
        z = drawn(self._encoded(state, self._noisy(batch.tokens, rng), condition), rng)
        critic_logs = [self._descend_critic(state, z.detach(), condition, rng) for _ in range(self.n_critic)][-1]
        shown = dropped(batch.tokens, self.word_dropout, rng)
        nll = self._nll(state, batch, conditioned(z, condition), shown)  # (2)
        # This leaves gradients in the critic too; its next descent begins by dropping them.
        adversarial = F.softplus(-state.networks["critic"](z, condition)).mean()
        optimiser = state.optimisers["autoencoder"]
        weight = self.adversarial * beta_at(optimiser.step, optimiser.n_steps, 1, self.rising)
        loss = nll.mean() + weight * adversarial  # (4)
        codes = z.detach()
        return {
            "loss": loss.detach(),
            "reconstruction_nll_per_token": (nll.sum() / n_tokens(batch.tokens).sum()).detach(),
            "adversarial_loss": adversarial.detach(),
            "code_mean": codes.mean(0).square().mean().sqrt(),
            "code_variance": codes.var(0, correction=0).mean(),
            "lambda": torch.tensor(weight),
            **descend(loss, optimiser),
            **critic_logs,
        }

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """First (2) + half of (5), by the critic as it is: the reconstruction alone would choose weights whose codes
        lie where the prior does not draw."""
        state.networks.eval()
        condition = state.world.condition(batch)
        latent = self._encoded(state, batch.tokens, condition)
        z = drawn(latent, rng)
        nll = self._nll(state, batch, conditioned(z, condition), batch.tokens).sum()
        of_codes, of_prior = self._judged(state, z, condition, rng)
        gap = (of_prior - of_codes).sum() / 2  # (5)
        right = (of_prior > 0).sum() + (of_codes < 0).sum()
        count, n = n_tokens(batch.tokens).sum(), torch.tensor(len(z))
        return {
            "objective_per_token": (nll + gap, count),
            "reconstruction_nll_per_token": (nll, count),
            "prior_gap": (gap, n),
            "critic_accuracy": (right, 2 * n),
            "code_mean": (z.mean(0).square().mean().sqrt() * n, n),
            "code_variance": (z.var(0, correction=0).mean() * n, n),
            "code_square": (z.square().mean(1).sum(), n),
            "active_units": (active_units(latent) * n, n),
        }

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: Given, seed: int
    ) -> Float[Tensor, "batch context"]:
        eps, u = normal(seed, index, self.d_latent), uniform(seed, index, 0, self.d_latent)
        return conditioned(self._of_prior(eps, u), state.world.conditions.asked(given, len(index), index.device))

    def encode(self, state: State, batch: Batch) -> Latent:
        return self._encoded(state, batch.tokens, state.world.condition(batch))

    @property
    def columns(self) -> tuple[str, ...]:
        return self.condition

    def for_tuning(self, n_steps: int) -> Self:
        descents = {"descent": self.descent.steady(), "critic_descent": self.critic_descent.steady()}
        return dataclasses.replace(self, n_steps=n_steps, rising=0.0, **descents)

    def _noisy(self, tokens: Int[Tensor, "batch time"], rng: torch.Generator) -> Int[Tensor, "batch time"]:
        """What the encoder reads in training: `<eos>` stays, and so does the length."""
        return torch.where(tokens > EOS, dropped(tokens, self.denoising, rng), tokens)

    def _encoded(
        self, state: State, tokens: Int[Tensor, "batch time"], condition: Float[Tensor, "batch condition"]
    ) -> Latent:
        code, norm = state.networks["code"](state.networks["reader"](tokens, condition)), state.networks["norm"]
        assert isinstance(norm, torch.nn.BatchNorm1d)
        if self.stochastic:
            mean, log_var = code.chunk(2, 1)
            if not self.normalised:
                return Latent(mean, log_var)
            log_var = F.logsigmoid(log_var)
            return Latent(normalised(norm, mean) * (1 - log_var.exp()).sqrt(), log_var)
        code = normalised(norm, code) if self.normalised else code
        return Latent(code, torch.full_like(code, -torch.inf))

    def _nll(
        self, state: State, batch: Batch, context: Float[Tensor, "batch context"], shown: Int[Tensor, "batch time"]
    ) -> Float[Tensor, " batch"]:
        """-log p(y|z) of each sequence, where the generator reads the tokens `shown` in place of the true ones."""
        logits, _ = self.generator(state)(shown, context)
        return -token_log_prob(logits, batch.tokens, state.world.allowed(batch)).sum(1)

    def _descend_critic(
        self,
        state: State,
        z: Float[Tensor, "batch latent"],
        condition: Float[Tensor, "batch condition"],
        rng: torch.Generator,
    ) -> Logs:
        of_codes, of_prior = self._judged(state, z, condition, rng)
        loss = (F.softplus(-of_prior) + F.softplus(of_codes)).mean()  # (3)
        right = ((of_prior > 0).float() + (of_codes < 0).float()).mean() / 2
        logs = descend(loss, state.optimisers["critic"])
        return {"critic_loss": loss.detach(), "critic_accuracy": right} | {f"critic_{k}": v for k, v in logs.items()}

    def _judged(
        self,
        state: State,
        z: Float[Tensor, "batch latent"],
        condition: Float[Tensor, "batch condition"],
        rng: torch.Generator,
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """The critic's logits of codes, and of as many draws from the prior beside the same conditions."""
        eps = torch.randn(z.shape, generator=rng, device=z.device)
        u = torch.rand(len(z), generator=rng, device=z.device)
        critic = state.networks["critic"]
        return critic(z, condition), critic(self._of_prior(eps, u), condition)

    def _of_prior(
        self, eps: Float[Tensor, "batch latent"], u: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch latent"]:
        """Draws from the prior, of standard normal numbers and one uniform number a row."""
        return mixture(eps, u, self.n_components) if self.prior == "mixture" else eps

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))


def mixture(
    eps: Float[Tensor, "batch latent"], u: Float[Tensor, " batch"], n_components: int
) -> Float[Tensor, "batch latent"]:
    """Draws from K equal Gaussians on a circle in the first two axes; the other axes are standard normal.

        z_{1,2} = r (cos a, sin a) + s eps_{1,2},   a = 2 pi k / K,   k = floor(K u)
        2 r sin(pi / K) = 6 s,   r^2 / 2 + s^2 = 1

    Neighbours are six deviations apart; mean 0 and covariance I, as of N(0, I), for K >= 3. In two axes this is the
    paper's picture (its section 3, ten components), with round components.
    """
    s = (1 + APART**2 / (8 * math.sin(math.pi / n_components) ** 2)) ** -0.5
    angle = (u * n_components).floor().clamp(max=n_components - 1) * (2 * math.pi / n_components)
    centre = math.sqrt(2 * (1 - s**2)) * torch.stack([angle.cos(), angle.sin()], 1).to(eps.dtype)
    return torch.cat([centre + s * eps[:, :2], eps[:, 2:]], 1)
