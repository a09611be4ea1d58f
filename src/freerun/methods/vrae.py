"""VRAE: a recurrent encoder, a Gaussian code, a recurrent generator that is shown the code at every step.

Fabius & van Amersfoort 2014, "Variational Recurrent Auto-Encoders", arXiv:1412.6581; for sentences, with the remedies
against a decoder that ignores its code, Bowman et al. 2016, arXiv:1511.06349.

    -ELBO(y) = - E_q sum_t log p(y_t | y_1 .. y_{t-1}, z) + KL(q(z|y) || N(0, I)),   q(z|y) = N(mean, exp(log_var))  (1)
    L = 1/B sum_i [ nll_i + beta max(KL_i, free) ],   nll_i = - sum_t log p(y_t | ..)                                (2)

In nats a sequence; beta rises to its full value in training (`variational.beta_at`), the softmax runs over the tokens
that the constraint allows. Deviations: z is joined to the input of every step, where the papers make it (a map of) the
first hidden state (`[model] context_at` has both); one optimiser for both networks; the encoder may read both ways; the
aggressive part of the training has a fixed number of encoder steps, on fresh batches, where He et al. go on until the
bound improves no more, and a fixed length, where they end it when the mutual information stops rising.
"""

import dataclasses
from typing import Literal, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.conditions import Given
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractLatentMethod, Latent, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.variational import (
    active_units,
    beta_at,
    bound_measures,
    conditioned,
    drawn,
    dropped,
    hidden,
    information,
    kl_per_axis,
)
from freerun.models.encoder import RecurrentEncoder
from freerun.noise import normal
from freerun.sampling.likelihood import n_tokens, token_log_prob


@dataclasses.dataclass(frozen=True)
class VRAE(AbstractLatentMethod):
    """A variational autoencoder of sequences. The encoder has the shape of the generator, `[model]`, but for its width.

    Args:
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step.
        d_latent: Width of the code.
        d_encoder: Width of the encoder's layers; 0: that of the generator's.
        bidirectional: The encoder reads both ways.
        beta: Weight of the KL when it is fully there; 1 is the bound.
        n_cycles: Of the KL's annealing: 1 is linear, 4 the cyclical schedule of Fu et al. 2019.
        rising: Share of each cycle in which the KL's weight rises from 0; 0: it is there from the start.
        free_bits: KL below which nothing is gained by lowering it, in nats.
        free_bits_of: `axis`: of each latent axis, in the mean of the batch (Kingma et al. 2016, arXiv:1606.04934);
            `total`: of their sum, of each sequence.
        mean_scale: Standard deviation over a batch that the posterior means are normalised to, on each axis: the KL
            cannot fall below d_latent mean_scale^2 / 2 nats (Zhu et al. 2020, arXiv:2004.12585); 0: no such bound.
            Batches should be random rows (`corpus.by_length = false`).
        aggressive: Share of the training, from its start, in which the encoder is trained more often than the
            generator (He et al. 2019, arXiv:1901.05534).
        n_encoder: Steps of the encoder alone for each step of both, in that part.
        word_dropout: Probability of a token in the generator's input being `<unk>`, in training.
        condition: Columns that lead the generator, the encoder knowing them too (Sohn et al. 2015): of the file, or
            computed by the score of this name.
        condition_dropout: Probability of each of them being hidden from a string, in training.

    Raises:
        ValueError: If a share or a probability is not in [0, 1].
    """

    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 128
    d_latent: int = 64
    d_encoder: int = 0
    bidirectional: bool = False
    beta: float = 1.0
    n_cycles: int = 1
    rising: float = 0.5
    free_bits: float = 0.0
    free_bits_of: Literal["axis", "total"] = "axis"
    mean_scale: float = 0.0
    aggressive: float = 0.0
    n_encoder: int = 10
    word_dropout: float = 0.0
    condition: tuple[str, ...] = ()
    condition_dropout: float = 0.3
    descent: Descent = Descent()  # noqa: RUF009

    def __post_init__(self):
        for name in ("rising", "aggressive", "word_dropout", "condition_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be in [0, 1]")
        if self.n_cycles < 1:
            raise ValueError(f"n_cycles = {self.n_cycles} must be at least 1; for no annealing set rising = 0")

    def init(self, world: World) -> State:
        reader = world.build_reader(self.d_encoder, self.bidirectional, world.conditions.width)
        encoder = RecurrentEncoder(reader, self.d_latent, self.mean_scale).to(world.device)
        networks = torch.nn.ModuleDict({"encoder": encoder, "generator": world.build_generator(self.d_latent)})
        return State(world, networks, {"vae": Optimiser(networks, self.descent, self._n_steps(world.n_batches))})

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("vrae", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        optimiser = state.optimisers["vae"]
        condition = hidden(state.world.condition(batch), state.world.conditions, self.condition_dropout, rng)
        latent = self._encoded(state, batch, condition)
        context = conditioned(drawn(latent, rng), condition)
        self.generator(state).requires_grad_(not self._is_encoders(optimiser.step, optimiser.n_steps))
        nll = self._nll(state, batch, context, dropped(batch.tokens, self.word_dropout, rng))
        beta = self.beta * beta_at(optimiser.step, optimiser.n_steps, self.n_cycles, self.rising)
        kl = kl_per_axis(latent)
        loss = nll.mean() + beta * self._free(kl)  # (2)
        return {
            "loss": loss.detach(),
            "reconstruction_nll_per_token": (nll.sum() / n_tokens(batch.tokens).sum()).detach(),
            "kl_per_sequence": kl.sum(1).mean().detach(),
            "mutual_information": information(latent),
            "active_units": active_units(latent),
            "beta": torch.tensor(beta),
            **descend(loss, optimiser),
        }

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        state.networks.eval()
        condition = state.world.condition(batch)
        latent = self._encoded(state, batch, condition)
        nll = self._nll(state, batch, conditioned(drawn(latent, rng), condition), batch.tokens)
        objective = nll.sum() + self.beta * self._free(kl_per_axis(latent)) * len(nll)  # (2)
        return bound_measures(objective, nll, latent, n_tokens(batch.tokens))

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: Given, seed: int
    ) -> Float[Tensor, "batch context"]:
        asked = state.world.conditions.asked(given, len(index), index.device)
        return conditioned(normal(seed, index, self.d_latent), asked)

    def encode(self, state: State, batch: Batch) -> Latent:
        return self._encoded(state, batch, state.world.condition(batch))

    @property
    def columns(self) -> tuple[str, ...]:
        return self.condition

    def for_tuning(self, n_steps: int) -> Self:
        return dataclasses.replace(self, n_steps=n_steps, rising=0.0, aggressive=0.0, descent=self.descent.steady())

    def _is_encoders(self, step: int, n_steps: int) -> bool:
        """Whether a step is one of the encoder alone."""
        return step < self.aggressive * n_steps and (step + 1) % (self.n_encoder + 1) != 0

    def _encoded(self, state: State, batch: Batch, condition: Float[Tensor, "batch condition"]) -> Latent:
        return Latent(*state.networks["encoder"](batch.tokens, condition))

    def _nll(
        self, state: State, batch: Batch, context: Float[Tensor, "batch context"], shown: Int[Tensor, "batch time"]
    ) -> Float[Tensor, " batch"]:
        """-log p(y|z) of each sequence, where the generator reads the tokens `shown` in place of the true ones."""
        logits, _ = self.generator(state)(shown, context)
        return -token_log_prob(logits, batch.tokens, state.world.allowed(batch)).sum(1)

    def _free(self, kl: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
        if self.free_bits_of == "axis":
            return kl.mean(0).clamp(min=self.free_bits).sum()
        return kl.sum(1).clamp(min=self.free_bits).mean()

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))
