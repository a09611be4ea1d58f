"""From logits to the distribution that is drawn from, and from a uniform number to a token."""

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.sampling.likelihood import masked_log_softmax


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How a token is chosen.

    Args:
        temperature: Logits are divided by it; below 1 sharpens.
        top_k: Keep the k most probable allowed tokens.
        top_p: Keep the most probable tokens whose probabilities sum to p at least (Holtzman et al. 2020,
            arXiv:1904.09751); after top_k where both are given.
        greedy: Always the most probable token.

    Raises:
        ValueError: If a number is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    greedy: bool = False

    def __post_init__(self):
        if not self.temperature > 0:
            raise ValueError(f"temperature {self.temperature} must be above 0; for the limit 0 use greedy decoding")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k {self.top_k} must be at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p {self.top_p} must be in (0, 1]")

    @property
    def is_plain(self) -> bool:
        """Whether the distribution drawn from is the model's own."""
        return self == PLAIN

    def log_probs(
        self, logits: Float[Tensor, "batch vocab"], allowed: Bool[Tensor, "batch vocab"]
    ) -> Float[Tensor, "batch vocab"]:
        """The distribution that is drawn from, renormalised over the tokens that are kept."""
        log_probs = masked_log_softmax(logits / self.temperature, allowed)
        if self.top_k is not None and self.top_k < log_probs.shape[1]:
            kept = torch.zeros_like(allowed).scatter(1, log_probs.topk(self.top_k).indices, True) & allowed
            log_probs = masked_log_softmax(log_probs, kept)
        if self.top_p is not None and self.top_p < 1:
            probs, order = log_probs.exp().sort(descending=True, stable=True)
            before = probs.cumsum(1) - probs
            kept = torch.zeros_like(allowed).scatter(1, order, before < self.top_p) & allowed
            log_probs = masked_log_softmax(log_probs, kept)
        return log_probs

    def choose(self, log_probs: Float[Tensor, "batch vocab"], u: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
        return log_probs.argmax(1) if self.greedy else inverse_cdf(log_probs.exp(), u)


PLAIN = Decoding()


def inverse_cdf(probs: Float[Tensor, "batch vocab"], u: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """The first token at which the running sum of probabilities exceeds u: one uniform number a token.

    A token of probability 0 is never chosen, whatever the rounding: where the sum does not grow, the search passes by.
    """
    running = probs.cumsum(1)
    total = running[:, -1]
    point = torch.minimum(u.to(probs.dtype) * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(running, point[:, None], right=True)[:, 0]
