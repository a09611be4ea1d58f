"""From logits to the distribution that is drawn from, and from a uniform number to a token."""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.sampling.likelihood import PIECE, masked_log_softmax


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

    @torch.no_grad()
    def draw(
        self, logits: Float[Tensor, "batch vocab"], allowed: Bool[Tensor, "batch vocab"], u: Float[Tensor, " batch"]
    ) -> Int[Tensor, " batch"]:
        """What `choose` takes from `log_probs`, up to rounding; of a large vocabulary, in fewer passes over the words.

        Only the sums of blocks leave the processor's cache; the words of the block that is hit are computed again.
        """
        if self.greedy or self.top_k is not None or self.top_p is not None or logits.shape[1] < LARGE:
            return self.choose(self.log_probs(logits, allowed), u)
        pieces = zip(logits.split(rows := max(1, PIECE // logits.shape[1])), allowed.split(rows), strict=True)
        sums = torch.cat([_block_sums(self._probs(*piece)) for piece in pieces])
        block, rest = _hit(sums, u)
        words, exists = _words(block, logits.shape[1])
        inside = self._probs(logits.gather(1, words), allowed.gather(1, words) & exists)
        return words[:, 0] + _first_beyond((inside * sums.gather(1, block)).cumsum(1), rest)

    def _probs(
        self, logits: Float[Tensor, "batch words"], allowed: Bool[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words"]:
        """The allowed words' share of each other, exactly 0 elsewhere."""
        barred = (~allowed).view(torch.int8).to(logits.dtype)  # to be added: `masked_fill` takes thrice as long
        scaled = logits if self.temperature == 1.0 else logits / self.temperature
        return torch.add(scaled, barred, alpha=torch.finfo(logits.dtype).min, out=barred).softmax(1)


PLAIN = Decoding()
LARGE, BLOCK = 512, 64  # vocabularies from here on are summed in blocks of so many tokens


def inverse_cdf(probs: Float[Tensor, "batch vocab"], u: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """The first token at which the running sum of probabilities exceeds u: one uniform number a token.

    A token of probability 0 is never chosen, whatever the rounding: where the sum does not grow, the search passes by.
    A large vocabulary is searched on two levels, first for the block of tokens, then inside it: a running sum is slow.
    """
    if probs.shape[1] < LARGE:
        running = probs.cumsum(1)
        return _first_beyond(running, u.to(probs.dtype) * running[:, -1])
    block, rest = _hit(_block_sums(probs), u)
    words, exists = _words(block, probs.shape[1])
    inside = probs.gather(1, words).masked_fill(~exists, 0.0).cumsum(1)
    return words[:, 0] + _first_beyond(inside, rest)


def _block_sums(probs: Float[Tensor, "batch vocab"]) -> Float[Tensor, "batch block"]:
    n_whole = probs.shape[1] // BLOCK * BLOCK
    whole = probs[:, :n_whole].unflatten(1, (-1, BLOCK)).sum(2)  # (batch, block)
    return torch.cat([whole, probs[:, n_whole:].sum(1, keepdim=True)], 1)


def _hit(
    sums: Float[Tensor, "batch block"], u: Float[Tensor, " batch"]
) -> tuple[Int[Tensor, "batch 1"], Float[Tensor, " batch"]]:
    """The block in which the running sum exceeds u, and how far into it."""
    running = sums.cumsum(1)
    point = u.to(sums.dtype) * running[:, -1]
    block = _first_beyond(running, point)[:, None]
    return block, point - F.pad(running, (1, 0)).gather(1, block)[:, 0]


def _words(block: Int[Tensor, "batch 1"], n_vocab: int) -> tuple[Int[Tensor, "batch word"], Bool[Tensor, "batch word"]]:
    """The words of a block, and which of them exist: the last block may be short."""
    words = block * BLOCK + torch.arange(BLOCK, device=block.device)
    return words.clamp(max=n_vocab - 1), words < n_vocab


def _first_beyond(running: Float[Tensor, "batch places"], point: Float[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    """The first place whose running sum exceeds the point; the last one that adds anything, if none does."""
    total = running[:, -1]
    point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(running, point[:, None], right=True)[:, 0]
