"""Rollouts: prefixes of given sequences, completed by the generator's free running.

Yu et al. 2017, arXiv:1609.05473, eq. (4): what a prefix is worth is the mean reward of its completions. Each sequence
is read once, the generator's state is forked behind each prefix, and all prefixes are completed in one run: half of the
steps of reading each prefix anew, and all of them in full batches.
"""

import dataclasses
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import BOS, EOS, PAD, AbstractConstraint
from freerun.models.generator import AbstractGenerator
from freerun.noise import hashed, row_keys
from freerun.rows import concat
from freerun.sampling.decoding import PLAIN, Decoding
from freerun.sampling.free_run import Fork, FreeRun


@torch.no_grad()
def completions(
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    tokens: Int[Tensor, "batch time"],
    lengths: Sequence[int],
    n: int,
    *,
    budget: int,
    seed: int,
    context: Float[Tensor, "batch context"] | None = None,
    decoding: Decoding = PLAIN,
    batch_size: int = 512,
) -> Int[Tensor, "batch prefix n budget"]:
    """Free completions of prefixes; a prefix that has ended is the sequence itself, and costs nothing.

    The numbers of a row come from (seed, sequence, length of its prefix, rollout) and its position, so they are those
    of a plain loop over one prefix and one rollout at a time.

    Args:
        tokens: Sequences of the constraint's language: ids, `<eos>`, then `<pad>`.
        lengths: Tokens of each prefix; 0 is the empty one.
        n: Completions of each.
        budget: Most tokens of a whole sequence, `<eos>` included.
        context: Of each sequence, and so of its completions, where the generator takes one.
        batch_size: Rows at work at once.

    Returns:
        Prefix and completion, `<eos>`, then `<pad>`.

    Raises:
        ValueError: If there is nothing to complete, or a prefix is one of no sequence of the language: a token of it is
            forbidden, or leaves no room in the budget, or the sequence is neither so long nor ended.
    """
    if n < 1 or not lengths or min(lengths) < 0:
        raise ValueError(f"{n} completions of prefixes of {list(lengths)} tokens: give at least one of each")
    generator.eval()
    reader = generator.frozen()
    device = next(reader.parameters()).device
    tokens = F.pad(tokens.to(device), (0, max(budget, *lengths) - tokens.shape[1]), value=PAD)
    prefixes = _prefixes(reader, constraint, tokens, lengths, budget, seed, context)
    whole = tokens[:, None, None, :budget].repeat(1, len(lengths), n, 1)  # (batch, prefix, n, budget)
    live = ((prefixes.token != EOS) & (prefixes.token != PAD)).nonzero()[:, 0]

    def fork(index: Tensor) -> Fork:
        rows = prefixes[live[index // n]]
        return dataclasses.replace(rows, key=hashed(rows.key, index % n))

    run = FreeRun(
        generator, constraint, budget, decoding=decoding, batch_size=batch_size, with_log_prob=False, fork=fork
    )
    for part in run.stream(len(live) * n):
        row = live[part.index // n]
        written = F.pad(part.tokens, (0, budget - part.tokens.shape[1]), value=PAD)
        whole[row % len(tokens), row // len(tokens), part.index % n] = written
    return whole


def _prefixes(
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    tokens: Int[Tensor, "batch time"],
    lengths: Sequence[int],
    budget: int,
    seed: int,
    context: Float[Tensor, "batch context"] | None,
) -> Fork:
    """Each prefix of each sequence, in rows (prefix, batch): the sequences are read once, as deep as the longest."""
    index = torch.arange(len(tokens), device=tokens.device)
    state, rule = generator.start(len(tokens), context), constraint.start(len(tokens), budget, tokens.device)
    key, last = row_keys(seed, index), torch.full_like(index, BOS)
    places, forks = torch.arange(max(lengths), device=tokens.device), {}
    for length in range(max(lengths) + 1):
        if length:
            _, state = generator.step(last, state)
            last = tokens[:, length - 1]
            _refuse_forbidden(constraint.allowed(rule), last, length)
            rule = constraint.advance(rule, last)
        if length in lengths:
            own = tokens[:, : max(lengths)].masked_fill(places >= length, PAD)
            forks[length] = Fork(hashed(key, length), torch.full_like(index, length), last, own, state, rule)
    return concat([forks[length] for length in lengths])


def _refuse_forbidden(allowed: Bool[Tensor, "batch vocab"], tokens: Int[Tensor, " batch"], length: int) -> None:
    refused = ~allowed.gather(1, tokens[:, None])[:, 0]
    if refused.any():
        row = int(refused.nonzero()[0, 0])
        raise ValueError(
            f"token {length - 1} of sequence {row} ({int(tokens[row])}) is not allowed: the constraint forbids it, or "
            "there is no room for it in the budget, or the sequence breaks off there"
        )
