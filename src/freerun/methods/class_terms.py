"""What a sequence costs at a class: the terms of M2's bound, for one class a sequence or for all of them in one batch.

x is the sequence, y its class, z its code. The networks are a `reader` of x, a `classifier` (logits of q(y|x)) and an
`encoder` (mean and log-variance of q(z|x, y)) of what it has read, and the `generator` p(x|y, z).
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from freerun.corpora.batches import Batch
from freerun.methods.base import Latent, World
from freerun.methods.variational import conditioned, kl_per_axis
from freerun.sampling.likelihood import token_log_prob


@dataclasses.dataclass(frozen=True)
class Read:
    """What is known of a batch before any class is supposed.

    Args:
        hidden: What the reader makes of each sequence.
        log_q: log q(y|x).
        label: One-hot, all 0 where it is missing.
        shown: The generator's input, in place of the true tokens.
        eps: The noise of z, one draw a sequence whatever its class.
        allowed: The masks of the tokens.
    """

    hidden: Float[Tensor, "batch width"]
    log_q: Float[Tensor, "batch classes"]
    label: Float[Tensor, "batch classes"]
    tokens: Int[Tensor, "batch time"]
    shown: Int[Tensor, "batch time"]
    eps: Float[Tensor, "batch latent"]
    allowed: Bool[Tensor, "batch time vocab"]

    @property
    def known(self) -> Bool[Tensor, " batch"]:
        return self.label.any(1)

    @property
    def cross_entropy(self) -> Float[Tensor, " batch"]:
        """-log q(y|x) of the label y; 0 where there is none."""
        return -(self.label * self.log_q).sum(1)

    def labelled(self, y: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        """The label of each sequence, or y where it has none."""
        return torch.where(self.known[:, None], self.label, y)

    def class_kl(self, log_prior: Float[Tensor, " classes"]) -> Float[Tensor, " batch"]:
        """KL(q(y|x) || p(y))."""
        return (self.log_q.exp() * (self.log_q - log_prior)).sum(1)

    def class_cost(self, log_prior: Float[Tensor, " classes"]) -> Float[Tensor, " batch"]:
        """What the bound holds of the class alone: -log p(y) of a label y; the KL of a class that is not known."""
        return torch.where(self.known, -(self.label * log_prior).sum(1), self.class_kl(log_prior))


def read(
    networks: nn.ModuleDict,
    world: World,
    batch: Batch,
    shown: Int[Tensor, "batch time"],
    eps: Float[Tensor, "batch latent"],
) -> Read:
    hidden = networks["reader"](batch.tokens)
    log_q = networks["classifier"](hidden).log_softmax(1)
    return Read(hidden, log_q, world.condition(batch), batch.tokens, shown, eps, world.allowed(batch))


def completed(
    label: Float[Tensor, "batch classes"], logits: Float[Tensor, "batch classes"]
) -> Float[Tensor, "batch classes"]:
    """The label of each sequence; where it is missing the most probable class, one-hot."""
    best = F.one_hot(logits.argmax(1), label.shape[1]).to(label.dtype)
    return torch.where(label.any(1, keepdim=True), label, best)


def posterior(
    networks: nn.ModuleDict, hidden: Float[Tensor, "pairs width"], y: Float[Tensor, "pairs classes"]
) -> Latent:
    """q(z|x, y); y need not be one-hot."""
    return Latent(*networks["encoder"](torch.cat([hidden, y], 1)).chunk(2, 1))


def terms(
    networks: nn.ModuleDict, read: Read, row: Int[Tensor, " pairs"], y: Float[Tensor, "pairs classes"]
) -> tuple[Float[Tensor, " pairs"], Float[Tensor, " pairs"]]:
    """-log p(x|y, z) at one draw of z, and KL(q(z|x, y) || N(0, I)), of pairs of a row of the batch and a y."""
    latent = posterior(networks, read.hidden[row], y)
    z = latent.mean + torch.exp(latent.log_var / 2) * read.eps[row]
    logits, _ = networks["generator"](read.shown[row], conditioned(z, y))
    nll = -token_log_prob(logits, read.tokens[row], read.allowed[row]).sum(1)
    return nll, kl_per_axis(latent).sum(1)


def terms_of_classes(
    networks: nn.ModuleDict, read: Read, wanted: Bool[Tensor, "batch classes"], n_at_once: int
) -> tuple[Float[Tensor, "batch classes"], Float[Tensor, "batch classes"]]:
    """The same for each class that is wanted of each sequence, 0 elsewhere; the pairs go through the networks together.

    Args:
        n_at_once: Most pairs of a piece. Where there are several pieces, what is kept of one for the backward pass is
            its input; its activations are computed anew. So memory does not grow with the number of classes.
    """
    row, place = wanted.nonzero(as_tuple=True)

    def piece(row: Int[Tensor, " pairs"], place: Int[Tensor, " pairs"]) -> tuple[Tensor, Tensor]:
        return terms(networks, read, row, F.one_hot(place, wanted.shape[1]).to(read.hidden.dtype))

    pieces = list(zip(row.split(n_at_once), place.split(n_at_once), strict=True))
    if len(pieces) > 1 and torch.is_grad_enabled():
        found = [checkpoint(piece, *each, use_reentrant=False) for each in pieces]
    else:
        found = [piece(*each) for each in pieces]
    nothing = torch.zeros(wanted.shape, dtype=read.hidden.dtype, device=wanted.device)
    nll, kl = (nothing.index_put((row, place), torch.cat(parts)) for parts in zip(*found, strict=True))
    return nll, kl
