"""Log-probabilities under a constraint: the one place that scores given sequences."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import PAD, AbstractConstraint
from freerun.models.generator import AbstractGenerator

PIECE = 1 << 18  # logits at a time: 1 MiB


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
    scaled = logits if temperature == 1.0 else logits / temperature
    chosen = _TokenLogProb.apply(scaled.flatten(0, 1), tokens.flatten(), allowed.flatten(0, 1))
    assert isinstance(chosen, Tensor)
    return chosen.unflatten(0, tokens.shape)


class _TokenLogProb(torch.autograd.Function):
    """`masked_log_softmax` at one token a row, in pieces of rows that stay in the processor's cache.

    With thousands of words the passes over the logits are what training costs. Where a gradient will be asked for, the
    softmax is kept instead of the logits, and one pass makes the gradient of it.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, logits: Float[Tensor, "rows vocab"], tokens: Int[Tensor, " rows"], allowed: Bool[Tensor, "rows vocab"]
    ) -> Float[Tensor, " rows"]:
        kept = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        sums, log_sums = [logits.new_zeros(0)], [logits.new_zeros(0)]
        for rows in _pieces(logits):
            part = torch.empty_like(logits[rows]) if kept is None else kept[rows]
            torch.logical_not(allowed[rows], out=part)
            torch.add(logits[rows], part, alpha=torch.finfo(logits.dtype).min, out=part)  # a third of `masked_fill`
            largest = part.amax(1, keepdim=True)
            sums.append(part.sub_(largest).exp_().sum(1))
            log_sums.append(largest[:, 0] + sums[-1].log())
        at = tokens[:, None]
        is_allowed = allowed.gather(1, at)
        ctx.save_for_backward(kept, torch.cat(sums), at, is_allowed)
        return logits.gather(1, at).masked_fill(~is_allowed, -torch.inf)[:, 0] - torch.cat(log_sums)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, grad: Float[Tensor, " rows"]
    ) -> tuple[Tensor, None, None]:
        """one-hot(token) - softmax, times the gradient; 0 off the mask."""
        kept, sums, at, is_allowed = ctx.saved_tensors
        result = kept * (-grad / sums)[:, None]
        return result.scatter_add_(1, at, (grad[:, None] * is_allowed)), None, None


def _pieces(logits: Float[Tensor, "rows vocab"]) -> Iterator[slice]:
    size = max(1, PIECE // logits.shape[1])
    return (slice(first, first + size) for first in range(0, len(logits), size))


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
