"""Log-probabilities under a constraint: the one place that scores given sequences."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import PAD, AbstractConstraint
from freerun.models.generator import AbstractGenerator


def masked_log_softmax(
    logits: Float[Tensor, "*batch vocab"], allowed: Bool[Tensor, "*batch vocab"]
) -> Float[Tensor, "*batch vocab"]:
    """log softmax over the allowed tokens; -inf elsewhere, with zero gradient there.

    log p_k = a_k - log sum_{j allowed} exp a_j
    """
    return logits.masked_fill(~allowed, -torch.inf).log_softmax(-1)


def token_log_prob(
    logits: Float[Tensor, "batch time vocab"],
    tokens: Int[Tensor, "batch time"],
    allowed: Bool[Tensor, "batch time vocab"],
    temperature: float = 1.0,
) -> Float[Tensor, "batch time"]:
    """log p(y_t | y_1 .. y_{t-1}) in nats; 0 for `<pad>` after `<eos>`, the only token allowed there."""
    masked = (logits / temperature).masked_fill(~allowed, -torch.inf)
    chosen = masked.gather(-1, tokens[..., None])[..., 0]
    return chosen - masked.logsumexp(-1)


def log_prob(
    generator: AbstractGenerator,
    tokens: Int[Tensor, "batch time"],
    constraint: AbstractConstraint,
    context: Float[Tensor, "batch context"] | None = None,
    *,
    budget: int | Int[Tensor, " batch"],
    temperature: float = 1.0,
) -> Float[Tensor, "batch time"]:
    """Log-probability of each token of given sequences, in nats (<= 0), under the mask that sampling obeys.

    Args:
        tokens: Ids, `<eos>`, then `<pad>`.
        budget: The budget under which the sequences were, or would have been, drawn.
        temperature: That of the sampling.

    Returns:
        One number a token: 0 on padding, -inf on a token that the constraint forbids and on all that follow.
    """
    logits, _ = generator(tokens, context)
    return token_log_prob(logits, tokens, constraint.replay(tokens, budget), temperature)


def n_tokens(tokens: Int[Tensor, "batch time"]) -> Int[Tensor, " batch"]:
    """Tokens of each sequence, `<eos>` included."""
    return (tokens != PAD).sum(1)
