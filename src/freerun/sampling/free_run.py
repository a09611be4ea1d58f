"""Free running: the generator reads its own samples. The only place where samples are fed back.

The loop keeps a full batch at work: a row that has written `<eos>` hands its place to the next sample, and when there
is none left, finished rows leave the batch. Sample i draws its numbers from (seed, i, position), so it is the same
whatever the batch and whatever its neighbours.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import BOS, PAD, AbstractConstraint
from freerun.errors import UsageError
from freerun.models.generator import AbstractGenerator
from freerun.noise import row_keys, uniform_at
from freerun.rows import Rows, concat
from freerun.sampling.decoding import PLAIN, Decoding

OfIndex = Callable[[Tensor], Tensor]  # sample indices -> one row each


@dataclasses.dataclass(frozen=True)
class Rollout(Rows):
    """Finished samples.

    Args:
        index: Number of each sample.
        tokens: What was written: ids, `<eos>`, then `<pad>`.
        log_prob: Of each token, under the distribution that it was drawn from; 0 on padding and on a given prefix; NaN
            where it was not asked for.
        hidden: Last layer's state from which each token was drawn (on request).
        allowed: The mask that was obeyed at each step (on request).
    """

    index: Int[Tensor, " batch"]
    tokens: Int[Tensor, "batch time"]
    log_prob: Float[Tensor, "batch time"]
    hidden: Float[Tensor, "batch time hidden"] | None = None
    allowed: Bool[Tensor, "batch time vocab"] | None = None


@dataclasses.dataclass(frozen=True)
class Fork(Rows):
    """Where rows begin: before their first token, or behind a prefix.

    Args:
        key: Of each row's uniform numbers.
        position: Tokens written so far.
        token: The last of them, which the generator has not read yet.
        tokens: All of them, then `<pad>`.
        generator: The state after all tokens but the last.
        constraint: The state after all tokens.
    """

    key: Int[Tensor, " batch"]
    position: Int[Tensor, " batch"]
    token: Int[Tensor, " batch"]
    tokens: Int[Tensor, "batch prefix"]
    generator: Rows
    constraint: Rows


@dataclasses.dataclass(frozen=True)
class _Desk(Rows):
    """The rows at work: who they are, what comes next, what they have written, and the states that go with them."""

    key: Int[Tensor, " batch"]
    position: Int[Tensor, " batch"]
    token: Int[Tensor, " batch"]
    allowed: Bool[Tensor, "batch vocab"]
    generator: Rows
    constraint: Rows
    written: Rollout
    forced: Int[Tensor, "batch prefix"] | None = None


@dataclasses.dataclass(frozen=True)
class FreeRun:
    """Free running of one generator under one constraint; call it with the number of samples.

    Args:
        budget: Most tokens a row may write, `<eos>` included.
        context: A function from sample indices to contexts, where the generator takes one.
        prefix: A function from sample indices to the tokens that are forced on them, padded with `<pad>`.
        fork: A function from sample indices to rows of their own that go on from there, instead of from `<bos>`; seed
            and context are theirs.
        batch_size: Rows at work at once.
        with_log_prob: The samples come with their log-probabilities. Without, large vocabularies are drawn from faster;
            the samples are the same up to uniform numbers within rounding of a boundary.
        with_hidden: The samples come with the last layer's hidden states.
        with_masks: The samples come with the masks that they obeyed.
    """

    generator: AbstractGenerator
    constraint: AbstractConstraint
    budget: int
    seed: int = 0
    decoding: Decoding = PLAIN
    context: OfIndex | None = None
    prefix: OfIndex | None = None
    batch_size: int = 512
    with_hidden: bool = False
    with_masks: bool = False
    with_log_prob: bool = True
    fork: Callable[[Tensor], Fork] | None = None

    def __call__(self, n: int, first: int = 0) -> Rollout:
        """Samples `first` to `first + n - 1`, in order; the time axis ends with the longest."""
        parts = list(self.stream(n, first)) or [_trimmed(self._open(torch.arange(0)).written)]
        whole = _joined(parts)
        return whole[whole.index.argsort()]

    def in_order(self, n: int, first: int = 0, chunk: int = 4096) -> Iterator[Rollout]:
        """The same in pieces of about `chunk` samples, in order, in memory that does not grow with n."""
        waiting: list[Rollout] = []
        following = first
        for part in self.stream(n, first):
            waiting.append(part)
            if sum(map(len, waiting)) < chunk:
                continue
            whole = _joined(waiting)
            whole = whole[whole.index.argsort()]
            n_ready = int((whole.index == following + torch.arange(len(whole), device=whole.index.device)).sum())
            if n_ready:
                yield whole[:n_ready]
            following, waiting = following + n_ready, [whole[n_ready:]]
        if waiting and len(whole := _joined(waiting)):
            yield whole[whole.index.argsort()]

    @torch.no_grad()
    def stream(self, n: int, first: int = 0) -> Iterator[Rollout]:
        """The same, a few at a time, in the order in which they end."""
        self.generator.eval()
        run = dataclasses.replace(self, generator=self.generator.frozen())
        following, last = first + min(n, self.batch_size), first + n
        desk = run._open(torch.arange(first, following))
        while len(desk):
            desk = run._step(desk)
            ended = desk.allowed[:, PAD].nonzero()[:, 0]
            if len(ended) == 0 or (following == last and 4 * len(ended) < len(desk)):
                continue  # dropping rows copies the states of the others: worth it for a quarter of them
            yield _trimmed(desk.written[ended])
            n_new = min(len(ended), last - following)
            if n_new:
                desk.put(ended[:n_new], run._open(torch.arange(following, following + n_new)))
                following += n_new
            if n_new < len(ended):
                stays = torch.ones(len(desk), dtype=torch.bool, device=ended.device)
                stays[ended[n_new:]] = False
                desk = desk[stays]

    def _open(self, index: Int[Tensor, " batch"]) -> _Desk:
        """Rows that this run has written nothing on yet."""
        n, width = len(index), self.budget + 1  # one column to spare: rows that have ended write <pad> there
        weight = next(self.generator.parameters())
        device = weight.device
        index = index.to(device)
        rows = self._beginning(index) if self.fork is None else self.fork(index)
        written = Rollout(
            index,
            F.pad(rows.tokens, (0, width - rows.tokens.shape[1]), value=PAD),
            weight.new_zeros(n, width),
            weight.new_zeros(n, width, self.generator.d_hidden) if self.with_hidden else None,
            torch.zeros(n, width, self.constraint.n_vocab, device=device).bool() if self.with_masks else None,
        )
        return _Desk(
            key=rows.key,
            position=rows.position,
            token=rows.token,
            allowed=self.constraint.allowed(rows.constraint),
            generator=rows.generator,
            constraint=rows.constraint,
            written=written,
            forced=None if self.prefix is None else self.prefix(index).to(device).clone(),
        )

    def _beginning(self, index: Int[Tensor, " batch"]) -> Fork:
        """Before the first token."""
        return Fork(
            key=row_keys(self.seed, index),
            position=torch.zeros_like(index),
            token=torch.full_like(index, BOS),
            tokens=index.new_zeros(len(index), 0),
            generator=self.generator.start(
                len(index), None if self.context is None else self.context(index).to(index.device).clone()
            ),
            constraint=self.constraint.start(len(index), self.budget, index.device),
        )

    def _step(self, desk: _Desk) -> _Desk:
        """One more token for every row; a row that has ended writes `<pad>`, the only token it is allowed."""
        logits, state = self.generator.step(desk.token, desk.generator)
        tokens, log_prob = self._chosen(logits, desk)
        if desk.forced is not None:
            tokens, log_prob = _force(desk, tokens, log_prob)
        at, written = desk.position[:, None], desk.written
        written.tokens.scatter_(1, at, tokens[:, None])
        written.log_prob.scatter_(1, at, log_prob[:, None])
        rows = torch.arange(len(tokens), device=tokens.device)
        if written.hidden is not None:
            written.hidden[rows, desk.position] = self.generator.hidden(state)
        if written.allowed is not None:
            written.allowed[rows, desk.position] = desk.allowed
        constraint = self.constraint.advance(desk.constraint, tokens)
        return dataclasses.replace(
            desk,
            position=desk.position + (tokens != PAD),
            token=tokens,
            allowed=self.constraint.allowed(constraint),
            generator=state,
            constraint=constraint,
        )

    def _chosen(self, logits: Float[Tensor, "batch vocab"], desk: _Desk) -> tuple[Tensor, Tensor]:
        """A token of each row, and its log-probability."""
        u = uniform_at(desk.key, desk.position)
        if not self.with_log_prob:
            tokens = self.decoding.draw(logits, desk.allowed, u)
            return tokens, logits.new_full(tokens.shape, torch.nan)
        log_probs = self.decoding.log_probs(logits, desk.allowed)
        tokens = self.decoding.choose(log_probs, u)
        return tokens, log_probs.gather(1, tokens[:, None])[:, 0]


def _force(desk: _Desk, tokens: Tensor, log_prob: Tensor) -> tuple[Tensor, Tensor]:
    """The prefix in place of the sample, where the row is still inside it."""
    assert desk.forced is not None
    inside = desk.position < desk.forced.shape[1]
    given = desk.forced.gather(1, desk.position.clamp(max=desk.forced.shape[1] - 1)[:, None])[:, 0]
    inside &= (given != PAD) & ~desk.allowed[:, PAD]
    refused = inside & ~desk.allowed.gather(1, given[:, None])[:, 0]
    if refused.any():
        row = int(refused.nonzero()[0, 0])
        raise UsageError(
            f"token {int(desk.position[row])} of the prefix of sample {int(desk.written.index[row])} is not allowed: "
            "the constraint forbids it, or the prefix leaves no room in the maximum length"
        )
    return torch.where(inside, given, tokens), log_prob.masked_fill(inside, 0.0)


def _trimmed(rollout: Rollout) -> Rollout:
    """Without the columns in which every row is padded."""
    return _of_width(rollout, int((rollout.tokens != PAD).sum(1).max()) if len(rollout) else 0)


def _of_width(rollout: Rollout, width: int) -> Rollout:
    """The time axis cut, or padded, to `width`."""

    def resized(value: Tensor | None, padding: float) -> Tensor | None:
        if value is None or value.shape[1] >= width:
            return None if value is None else value[:, :width]
        shape = (len(value), width - value.shape[1], *value.shape[2:])
        return torch.cat([value, value.new_full(shape, padding)], 1)

    allowed = resized(rollout.allowed, 0.0)
    if allowed is not None:
        allowed[..., PAD] |= ~allowed.any(-1)
    tokens, log_prob = resized(rollout.tokens, float(PAD)), resized(rollout.log_prob, 0.0)
    assert tokens is not None
    assert log_prob is not None
    return Rollout(rollout.index, tokens, log_prob, resized(rollout.hidden, 0.0), allowed)


def _joined(parts: Sequence[Rollout]) -> Rollout:
    width = max(part.tokens.shape[1] for part in parts)
    return concat([_of_width(part, width) for part in parts])
