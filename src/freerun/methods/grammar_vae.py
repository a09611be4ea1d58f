"""Grammar VAE: a variational autoencoder whose tokens are the production rules of a grammar.

Kusner, Paige & Hernandez-Lobato 2017, "Grammar Variational Autoencoder", arXiv:1703.01925; code:
github.com/mkusner/grammarVAE. A string is its leftmost derivation; the encoder convolves over the one-hot rules; the
decoder writes logits for all positions at once from z; a stack masks, at each position, the rules whose left side is
not due (`constraints/productions.py`). Over characters, with no grammar, the same networks are the paper's
character VAE.

    p(y|z) = prod_t m_t exp(f_t) / sum m_t exp(f_t)         m: the mask, f: the decoder's logits     (section 3.2, (2))
    -ELBO = - E_q sum_t log p(y_t | z) + KL(q(z|y) || N(0, I))                                                       (3)

The published code descends something else, which `objective = "published"` repeats:

    L = 1/D sum_t sum_d BCE(y_td, p_td) + 1/d_latent KL,   z = mean + 0.01 exp(log_var / 2) eps                      (4)

Faults of (4), all kept: it is no bound, since a binary cross-entropy over classes that exclude each other counts each
step twice; the mean over the D classes beside the mean over axes weighs the KL by D / d_latent (76 / 56 for molecules);
and the noise is a hundredth of what the KL supposes, so the model is nearly a plain autoencoder, whose prior is not
where its codes are. `objective = "elbo"` is (3) with the full noise.

Deviations, in both: `<eos>` ends a derivation and `<pad>` follows, a class with probability 1, where the published
padding is a rule Nothing -> None (for characters: a blank that had to be learned); the mask also leaves out the rules
that the budget cannot pay, so no derivation is cut short; D counts the rules and the padding; the cross-entropy of the
true rule is not clipped at 1e-7; the learning rate follows a schedule, where theirs fell whenever the validation loss
stood still. Networks: see `models/convolutional.py`.
"""

import dataclasses
import math
from typing import Literal, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.conditions import Given
from freerun.constraints.base import SPECIALS
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractLatentMethod, Latent, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.variational import active_units, bound_measures, conditioned, drawn, information, kl_per_axis
from freerun.models.convolutional import ConvolutionalEncoder, SheetDecoder
from freerun.noise import normal
from freerun.sampling.likelihood import masked_log_softmax, n_tokens, token_log_prob

PUBLISHED_NOISE = 0.01
CLIP = 1e-7  # of Keras's binary cross-entropy


@dataclasses.dataclass(frozen=True)
class GrammarVAE(AbstractLatentMethod):
    """The published model; the defaults are those for molecules. `[model]` shapes the decoder: gru, 501, 3 layers.

    Args:
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step.
        d_latent: Width of the code.
        filters: Channels of the encoder's convolutions.
        widths: Positions that each of them sees.
        d_dense: Width of the encoder's dense layer.
        batch_norm: After each convolution and on the code, as published for formulas.
        objective: `published` (4), or `elbo` (3).
    """

    n_steps: int = 0
    n_epochs: float = 100.0
    batch_size: int = 500
    d_latent: int = 56
    filters: tuple[int, ...] = (9, 9, 10)
    widths: tuple[int, ...] = (9, 9, 11)
    d_dense: int = 435
    batch_norm: bool = False
    objective: Literal["published", "elbo"] = "published"
    descent: Descent = Descent(clip=0.0)  # noqa: RUF009

    def init(self, world: World) -> State:
        shape, n_vocab = world.network, world.constraint.n_vocab
        encoder = ConvolutionalEncoder(
            n_vocab,
            world.budget,
            self.d_latent,
            filters=self.filters,
            widths=self.widths,
            d_dense=self.d_dense,
            batch_norm=self.batch_norm,
        )
        decoder = SheetDecoder(
            n_vocab,
            world.budget,
            self.d_latent,
            cell=shape.cell,
            d_hidden=shape.d_hidden,
            n_layers=shape.n_layers,
            dropout=shape.dropout,
            batch_norm=self.batch_norm,
            compute_dtype=world.compute_dtype,
        )
        networks = torch.nn.ModuleDict({"encoder": encoder, "generator": decoder}).to(world.device)
        return State(world, networks, {"vae": Optimiser(networks, self.descent, self._n_steps(world.n_batches))})

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("grammar_vae", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        latent = self.encode(state, batch)
        logits, allowed = self._decoded(state, batch, drawn(latent, rng))
        nll = -token_log_prob(logits, batch.tokens, allowed).sum(1)
        loss = self._loss(nll, logits, batch.tokens, allowed, latent).mean()
        return {
            "loss": loss.detach(),
            "reconstruction_nll_per_token": (nll.sum() / n_tokens(batch.tokens).sum()).detach(),
            "kl_per_sequence": kl_per_axis(latent).sum(1).mean().detach(),
            "mutual_information": information(latent),
            "active_units": active_units(latent),
            **descend(loss, state.optimisers["vae"]),
        }

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """The bound is that of the noise which is in truth added: it is poor under (4)."""
        state.networks.eval()
        latent = self.encode(state, batch)
        logits, allowed = self._decoded(state, batch, drawn(latent, rng))
        nll = -token_log_prob(logits, batch.tokens, allowed).sum(1)
        objective = self._loss(nll, logits, batch.tokens, allowed, latent).sum()
        return bound_measures(objective, nll, latent, n_tokens(batch.tokens))

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: Given, seed: int
    ) -> Float[Tensor, "batch context"]:
        asked = state.world.conditions.asked(given, len(index), index.device)
        return conditioned(normal(seed, index, self.d_latent), asked)

    def encode(self, state: State, batch: Batch) -> Latent:
        """The distribution that z is drawn from in training: under (4) its deviations are the network's times 0.01."""
        mean, log_var = state.networks["encoder"](batch.tokens)
        return Latent(mean, log_var + self._log_noise)

    def for_tuning(self, n_steps: int) -> Self:
        return dataclasses.replace(self, n_steps=n_steps, descent=self.descent.steady())

    @property
    def _log_noise(self) -> float:
        return 2 * math.log(PUBLISHED_NOISE) if self.objective == "published" else 0.0

    def _decoded(
        self, state: State, batch: Batch, z: Float[Tensor, "batch latent"]
    ) -> tuple[Float[Tensor, "batch time vocab"], Bool[Tensor, "batch time vocab"]]:
        logits, _ = self.generator(state)(batch.tokens, z)
        return logits, state.world.allowed(batch)

    def _loss(
        self,
        nll: Float[Tensor, " batch"],
        logits: Float[Tensor, "batch time vocab"],
        tokens: Int[Tensor, "batch time"],
        allowed: Bool[Tensor, "batch time vocab"],
        latent: Latent,
    ) -> Float[Tensor, " batch"]:
        """(3) or (4) of each sequence. Padding has probability 1: it adds nothing to either."""
        if self.objective == "elbo":
            return nll + kl_per_axis(latent).sum(1)  # (3)
        supposed = Latent(latent.mean, latent.log_var - self._log_noise)
        n_classes = logits.shape[-1] - len(SPECIALS) + 1
        log_not = torch.log1p(-masked_log_softmax(logits, allowed).exp().clamp(max=1 - CLIP))
        log_no_other = log_not.sum(2) - log_not.gather(2, tokens[..., None])[..., 0]  # (batch, time)
        bce = nll - log_no_other.sum(1)
        return bce / n_classes + kl_per_axis(supposed).mean(1)  # (4)

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))
