"""Learning from a reward for whole strings: what REINFORCE, SeqGAN, MaliGAN and ORGAN share.

    J(theta) = E_{Y ~ G}[R(Y)]                                                                                (1)
    grad J = E[ sum_t A_t grad log G(y_t | y_1 .. y_{t-1}) ],   A_t = Q_t - b_t                               (2)
    Q_t = R(Y) for every t                                                    the whole episode               (3)
    Q_t = 1/N sum_n R(Y^n),  Y^n ~ G(. | y_1 .. y_l),  l >= t;  R(Y) where the string has ended               (4)
    b_t = mean of Q_t over the other strings of the batch that have a t-th token                              (5)

With l = t, (4) is the rollout of SeqGAN (Yu et al. 2017, arXiv:1609.05473, eq. 4). A greater l, of a few prefix lengths
that do not depend on the string, has the same expectation given y_1 .. y_t and more variance, at a fraction of the
cost. (5) does not depend on the string itself, so it changes the variance of (2) alone; but for rewards that depend on
the strings beside it, and so on it: repeats, diversity, a standardised critic.

Source of (2): Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning".
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.batches import Batch
from freerun.methods.base import State
from freerun.methods.likelihood import GENERATOR
from freerun.models.generator import AbstractGenerator
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob, n_tokens
from freerun.sampling.rollouts import completions

Baseline = Literal["batch", "none"]
Reward = Callable[[Int[Tensor, "rows time"], int], Float[Tensor, " rows"]]
"""Of finished strings; those in consecutive groups of the second argument stand beside one another."""


def generator_of(state: State) -> AbstractGenerator:
    generator = state.networks[GENERATOR]
    assert isinstance(generator, AbstractGenerator)
    return generator


def new_seed(rng: torch.Generator) -> int:
    """Of the counter-based numbers of one call."""
    return int(torch.randint(2**62, (), generator=rng, device=rng.device))


def sampled(state: State, n: int, rng: torch.Generator) -> Int[Tensor, "batch time"]:
    """n strings that the generator writes when it runs free."""
    world = state.world
    run = FreeRun(
        generator_of(state), world.constraint, world.budget, new_seed(rng), batch_size=min(n, 512), with_log_prob=False
    )
    return run(n).tokens


def log_probs(
    state: State, tokens: Int[Tensor, "batch time"], n_pieces: int = 4, under: AbstractGenerator | None = None
) -> Float[Tensor, "batch time"]:
    """Of each token, with a gradient: dropout is off, as it was when they were drawn.

    Strings of like length are read together, in `n_pieces`: half of a batch of molecules is padding.

    Args:
        under: None: the network that has drawn them.
    """
    world, generator = state.world, (under or generator_of(state)).eval()
    lengths = n_tokens(tokens)
    order = lengths.argsort()
    parts = []
    with torch.backends.cudnn.flags(enabled=False):  # its recurrent layers have no gradient outside training mode
        for rows in order.chunk(n_pieces):
            piece = tokens[rows, : int(lengths[rows[-1]])]
            scored = log_prob(generator, piece, world.constraint, budget=world.budget)
            parts.append(F.pad(scored, (0, tokens.shape[1] - piece.shape[1])))
    return torch.cat(parts)[order.argsort()]


def lengths_to_complete(
    batch: Batch, drawn: Int[Tensor, "rows time"], n_prefixes: int, n_rollouts: int, rng: torch.Generator
) -> list[int]:
    """Lengths of the prefixes of `drawn` that are completed `n_rollouts` times.

    All of theirs, or a few of the lengths of the corpus: a few of their own would depend on what they complete.
    """
    if n_rollouts == 0:
        return []
    return prefix_lengths((batch.tokens if n_prefixes else drawn).shape[1], n_prefixes, rng)


def prefix_lengths(longest: int, n: int, rng: torch.Generator) -> list[int]:
    """n lengths from 1 to longest - 1, one from each of n equal parts, in rising order; 0: all of them."""
    if n == 0 or n >= longest - 1:
        return list(range(1, longest))
    shares = (torch.arange(n) + torch.rand(n, generator=rng, device=rng.device).cpu()) / n
    return sorted({1 + int(share * (longest - 1)) for share in shares})


class ActionValues(NamedTuple):
    """What `action_values` found.

    Args:
        values: Q_t of (4), in the unit of the reward; entries after `<eos>` are meaningless, mask them.
        whole: R of each string itself, paid beside the batch that it was drawn in.
        n_written: Tokens that were written for it.
    """

    values: Float[Tensor, "batch time"]
    whole: Float[Tensor, " batch"]
    n_written: int


@torch.no_grad()
def action_values(
    state: State,
    tokens: Int[Tensor, "batch time"],
    reward: Reward,
    lengths: Sequence[int],
    n_rollouts: int,
    rng: torch.Generator,
) -> ActionValues:
    """Expected reward of each prefix by Monte-Carlo completion, (4).

    Args:
        tokens: Drawn from the generator, padded after `<eos>`.
        lengths: Prefix lengths that are completed, rising; none: (3).
        n_rollouts: Completions of each, N.
    """
    world, n = state.world, len(tokens)
    whole = reward(tokens, n)
    values = [whole]  # where no longer prefix is completed
    n_written = int((tokens != PAD).sum())
    if lengths:
        done = completions(
            generator_of(state), world.constraint, tokens, lengths, n_rollouts, budget=world.budget, seed=new_seed(rng)
        )
        beside = done.permute(1, 2, 0, 3)  # (prefix, rollouts, batch, time): a group is one length and one rollout
        paid = reward(beside.flatten(0, 2), n).unflatten(0, beside.shape[:3]).mean(1)  # (prefix, batch)
        values = [*paid.unbind(0), *values]
        given = torch.tensor(lengths, device=done.device)[None, :, None]
        n_written += int(((done != PAD).sum(3) - given).clamp(min=0).sum())
    counts = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)  # tokens of the prefix that ends with each
    place = torch.searchsorted(torch.tensor(lengths, device=tokens.device, dtype=torch.int64), counts)
    return ActionValues(torch.stack(values)[place].t(), whole, n_written)


def advantages(
    values: Float[Tensor, "batch time"], written: Bool[Tensor, "batch time"], baseline: Baseline
) -> Float[Tensor, "batch time"]:
    """A_t: `values` less (5) where the baseline is `batch`, as they are where it is `none`; 0 on padding.

    A string whose t-th token has no other beside it gets the mean over the others' last value in place of (5).
    """
    values = values * written
    if baseline == "batch" and len(values) > 1:
        count = written.sum(0) - written.float()  # (batch, time): others that have a token there
        others = (values.sum(0) - values) / count.clamp(min=1)
        last = values.gather(1, written.sum(1, keepdim=True) - 1)  # (batch, 1)
        ended = (last.sum(0) - last) / (len(values) - 1)
        values = (values - torch.where(count > 0, others, ended)) * written
    return values


def policy_loss(log_prob: Float[Tensor, "batch time"], advantage: Float[Tensor, "batch time"]) -> Float[Tensor, ""]:
    """The loss whose gradient is that of -J by (2): a sum over tokens, a mean over strings. Padding adds nothing."""
    return -(log_prob * advantage.detach()).sum(1).mean()
