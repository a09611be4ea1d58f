"""VRAE: a recurrent encoder, a Gaussian code, a recurrent generator that is shown the code at every step.

Fabius & van Amersfoort 2014, "Variational Recurrent Auto-Encoders", arXiv:1412.6581; for sentences, with the remedies
against a decoder that ignores its code, Bowman et al. 2016, arXiv:1511.06349.

    -ELBO(y) = - E_q sum_t log p(y_t | y_1 .. y_{t-1}, z) + KL(q(z|y) || N(0, I)),   q(z|y) = N(mean, exp(log_var))  (1)
    L = 1/B sum_i [ nll_i + beta max(KL_i, free) ],   nll_i = - sum_t log p(y_t | ..)                                (2)

In nats a sequence; beta rises to its full value in training (`variational.beta_at`), the softmax runs over the tokens
that the constraint allows. Deviations: z is joined to the input of every step, where the papers make it (a map of) the
first hidden state; one optimiser for both networks; the encoder may read both ways.
"""

import dataclasses
from typing import Literal, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import UNK
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractLatentMethod, Latent, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.variational import active_units, beta_at, bound_measures, drawn, kl_per_axis
from freerun.models.encoder import RecurrentEncoder
from freerun.models.generator import Generator
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
        word_dropout: Probability of a token in the generator's input being `<unk>`, in training.

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
    word_dropout: float = 0.0
    descent: Descent = Descent()  # noqa: RUF009

    def __post_init__(self):
        for name in ("rising", "word_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} must be in [0, 1]")
        if self.n_cycles < 1:
            raise ValueError(f"n_cycles = {self.n_cycles} must be at least 1; for no annealing set rising = 0")

    def init(self, world: World) -> State:
        shape = world.network
        encoder = RecurrentEncoder(
            world.constraint.n_vocab,
            self.d_latent,
            cell=shape.cell,
            d_embedding=shape.d_embedding,
            d_hidden=self.d_encoder or shape.d_hidden,
            n_layers=shape.n_layers,
            dropout=shape.dropout,
            bidirectional=self.bidirectional,
            compute_dtype=world.compute_dtype,
        ).to(world.device)
        networks = torch.nn.ModuleDict({"encoder": encoder, "generator": world.build_generator(self.d_latent)})
        return State(world, networks, {"vae": Optimiser(networks, self.descent, self._n_steps(world.n_batches))})

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("vrae", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        optimiser = state.optimisers["vae"]
        latent = self.encode(state, batch)
        nll = self._nll(state, batch, drawn(latent, rng), self._dropped(batch.tokens, rng))
        beta = self.beta * beta_at(optimiser.step, optimiser.n_steps, self.n_cycles, self.rising)
        kl = kl_per_axis(latent)
        loss = nll.mean() + beta * self._free(kl)  # (2)
        return {
            "loss": loss.detach(),
            "reconstruction_nll_per_token": (nll.sum() / n_tokens(batch.tokens).sum()).detach(),
            "kl_per_sequence": kl.sum(1).mean().detach(),
            "active_units": active_units(latent),
            "beta": torch.tensor(beta),
            **descend(loss, optimiser),
        }

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        state.networks.eval()
        latent = self.encode(state, batch)
        nll = self._nll(state, batch, drawn(latent, rng), batch.tokens)
        objective = nll.sum() + self.beta * self._free(kl_per_axis(latent)) * len(nll)  # (2)
        return bound_measures(objective, nll, latent, n_tokens(batch.tokens))

    def generator(self, state: State) -> Generator:
        generator = state.networks["generator"]
        assert isinstance(generator, Generator)
        return generator

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: dict[str, float], seed: int
    ) -> Float[Tensor, "batch context"]:
        return normal(seed, index, self.d_latent)

    def encode(self, state: State, batch: Batch) -> Latent:
        return Latent(*state.networks["encoder"](batch.tokens))

    def for_tuning(self, n_steps: int) -> Self:
        return dataclasses.replace(self, n_steps=n_steps, rising=0.0, descent=self.descent.steady())

    def _nll(
        self, state: State, batch: Batch, z: Float[Tensor, "batch latent"], shown: Int[Tensor, "batch time"]
    ) -> Float[Tensor, " batch"]:
        """-log p(y|z) of each sequence, where the generator reads the tokens `shown` in place of the true ones."""
        logits, _ = self.generator(state)(shown, z)
        return -token_log_prob(logits, batch.tokens, state.world.allowed(batch)).sum(1)

    def _dropped(self, tokens: Int[Tensor, "batch time"], rng: torch.Generator) -> Int[Tensor, "batch time"]:
        if not self.word_dropout:
            return tokens
        lost: Bool[Tensor, "batch time"]
        lost = torch.rand(tokens.shape, generator=rng, device=tokens.device) < self.word_dropout
        return tokens.masked_fill(lost, UNK)

    def _free(self, kl: Float[Tensor, "batch latent"]) -> Float[Tensor, ""]:
        if self.free_bits_of == "axis":
            return kl.mean(0).clamp(min=self.free_bits).sum()
        return kl.sum(1).clamp(min=self.free_bits).mean()

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))
