"""Batches of an encoded split: rows of similar length together, each a pure function of (seed, step)."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.corpora.hashing import permutation
from freerun.corpora.masks import StoredMasks
from freerun.corpora.padding import gathered, padded, to_vocab
from freerun.corpora.store import EncodedSplit
from freerun.errors import InvalidSequence, UsageError
from freerun.representations.base import AbstractRepresentation

WINDOW = 100  # batches that are sorted by length together
_ROWS, _BATCHES, _AUGMENT = 0, 1, 2  # streams of the counter-based numbers
_PIECE = 1 << 22


@dataclass(frozen=True)
class Batch:
    """Args:
    tokens: Ids, one <eos>, then <pad>.
    rows: Which rows of the encoded split they are.
    columns: Values of the property columns, NaN where missing.
    n_fallbacks: Rows whose rewriting could not be used, so that they stand as in the corpus.
    masks: Which of the corpus's distinct masks holds at each step; None: not stored.
    """

    tokens: Int[Tensor, "batch time"]
    rows: Int[Tensor, " batch"]
    columns: dict[str, Float[Tensor, " batch"]]
    n_fallbacks: int = 0
    masks: Int[Tensor, "batch time"] | None = None


class Batches:
    """Endless training batches, and one ordered pass for validation.

    An epoch orders all rows anew, sorts windows of `WINDOW` batches by length, cuts them into batches and shuffles
    these; the last batch cut may be smaller. Rows that do not fit `max_tokens`, and rows with tokens that the
    representation does not know, take no part and are counted.

    Args:
        encoded: The split.
        representation: Fitted; its vocabulary gives the ids.
        batch_size: Rows to a batch.
        seed: Of the order, and of the rewriting.
        by_length: Sort within windows; otherwise batches are random rows.
        augment: Each row is written anew by `representation.augment` with numbers from (seed, epoch, row); a writing
            with unknown tokens or too many of them is replaced by the original.
        max_tokens: Most tokens of a row, <eos> included; None: no limit.
        drop_unknown: Leave out rows with unknown tokens; otherwise they stand as <unk>.
        columns: Values for each row of `encoded` (`encoded.align(corpus.columns(split))`), numbers only.
        masks: Of this split: batches carry the numbers of their masks, and rows that the constraint refuses take no
            part; a rewriting that it refuses is replaced by the original, and rewritten batches carry no numbers.

    Raises:
        UsageError: If no row is left, or a column holds labels.
    """

    def __init__(
        self,
        encoded: EncodedSplit,
        representation: AbstractRepresentation,
        batch_size: int,
        seed: int = 0,
        *,
        by_length: bool = True,
        augment: bool = False,
        max_tokens: int | None = None,
        drop_unknown: bool = True,
        columns: Mapping[str, np.ndarray] | None = None,
        masks: StoredMasks | None = None,
    ):
        if batch_size < 1:
            raise UsageError(f"batch_size is {batch_size}; it must be at least 1")
        self.encoded, self.representation = encoded, representation
        self.batch_size, self.seed = batch_size, seed
        self._by_length, self._augment, self._max_tokens = by_length, augment, max_tokens
        self._masks = masks
        self._columns = {name: _numbers(name, values) for name, values in (columns or {}).items()}
        known = set(representation.vocab)
        self._to_vocab = to_vocab(encoded, representation.vocab)
        self._lengths = encoded.lengths

        fits = np.ones(len(encoded), bool) if max_tokens is None else self._lengths < max_tokens
        strange = _rows_with(encoded, np.array([token not in known for token in encoded.alphabet], dtype=bool))
        keep = fits & ~strange if drop_unknown else fits
        if masks is not None:
            keep &= masks.refused < 0
        self.n_too_long = int((~fits).sum())
        self.n_unknown = int((fits & strange).sum())
        self.n_refused = 0 if masks is None else int((masks.refused >= 0).sum())
        self.rows: Int[np.ndarray, " kept"] = np.flatnonzero(keep)
        if not len(self.rows):
            raise UsageError(
                f"no row is left for batches: of {len(encoded):,}, {self.n_too_long:,} are too long "
                f"(max_tokens = {max_tokens}, <eos> included) and {self.n_unknown:,} hold tokens outside the vocabulary"
                + (f"; the constraint refuses {self.n_refused:,}" if self.n_refused else "")
            )
        self._epoch = functools.lru_cache(maxsize=1)(self._ordered)

    @property
    def n_batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def n_tokens(self) -> int:
        """Tokens in an epoch, one <eos> for each row included."""
        return int(self._lengths[self.rows].sum()) + len(self.rows)

    def batch(self, step: int) -> Batch:
        """The batch of a step: epoch step // n_batches, whatever was asked for before."""
        epoch, place = divmod(step, self.n_batches)
        order, cuts = self._epoch(epoch)
        rows = order[cuts[place] : min(cuts[place] + self.batch_size, len(order))]
        return self._augmented(rows, epoch) if self._augment else self._gathered(rows)

    def spread(self, n: int) -> Batch:
        """At most about n rows, evenly spaced over the split, as they stand in the corpus."""
        return self._gathered(self.rows[:: max(1, len(self.rows) // n)])

    def all(self, batch_size: int | None = None) -> Iterator[Batch]:
        """Each row once, shortest first, as it stands in the corpus."""
        order = self.rows[np.argsort(self._lengths[self.rows], kind="stable")]
        size = batch_size or self.batch_size
        for start in range(0, len(order), size):
            yield self._gathered(order[start : start + size])

    def _ordered(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """All rows in the epoch's order, and where each of its batches starts."""
        order = self.rows[permutation(self.seed, 3 * epoch + _ROWS, len(self.rows))]
        starts = np.arange(self.n_batches) * self.batch_size
        if not self._by_length:
            return order, starts
        window = np.arange(len(order)) // (WINDOW * self.batch_size)
        order = order[np.lexsort((self._lengths[order], window))]
        return order, starts[permutation(self.seed, 3 * epoch + _BATCHES, len(starts))]

    def _gathered(self, rows: Int[np.ndarray, " batch"]) -> Batch:
        tokens = gathered(self.encoded, self._to_vocab, rows)
        batch = self._batch(tokens, rows)
        if self._masks is None:
            return batch
        return dataclasses.replace(batch, masks=self._masks.of(self.encoded, rows, tokens.shape[1]))

    def _augmented(self, rows: Int[np.ndarray, " batch"], epoch: int) -> Batch:
        rewritten = [self._rewritten(row, epoch) for row in rows.tolist()]
        if self._masks is not None:
            accepted = self._masks.accepts(torch.from_numpy(padded([[] if ids is None else ids for ids in rewritten])))
            rewritten = [ids if fine else None for ids, fine in zip(rewritten, accepted.tolist(), strict=True)]
        written = [
            self._to_vocab[self.encoded.ids[self.encoded.offsets[row] : self.encoded.offsets[row + 1]]]
            if ids is None
            else ids
            for row, ids in zip(rows.tolist(), rewritten, strict=True)
        ]
        return self._batch(padded(written), rows, sum(ids is None for ids in rewritten))

    def _rewritten(self, row: int, epoch: int) -> np.ndarray | None:
        rng = np.random.default_rng((self.seed % 2**64, epoch, row, _AUGMENT))
        try:
            text = self.representation.detokenize(self.encoded.tokens(row))
            ids = self.representation.encode(self.representation.augment(text, rng))
        except InvalidSequence:
            return None
        fits = len(ids) > 0 and (self._max_tokens is None or len(ids) < self._max_tokens)
        return np.array(ids, dtype=np.int64) if fits else None

    def _batch(self, tokens: np.ndarray, rows: np.ndarray, n_fallbacks: int = 0) -> Batch:
        columns = {name: torch.from_numpy(values[rows]) for name, values in self._columns.items()}
        return Batch(torch.from_numpy(tokens), torch.from_numpy(rows), columns, n_fallbacks)


def _numbers(name: str, values: np.ndarray) -> Float[np.ndarray, " rows"]:
    if values.dtype == object:
        raise UsageError(f"column {name!r} holds labels, not numbers; a condition must be a number")
    return values.astype(np.float32)


def _rows_with(encoded: EncodedSplit, marked: Bool[np.ndarray, " alphabet"]) -> Bool[np.ndarray, " rows"]:
    """Rows that hold a marked token, in pieces: the mask of a whole corpus would be as large as the corpus."""
    found = np.zeros(len(encoded), dtype=bool)
    if not marked.any():
        return found
    for start in range(0, encoded.n_tokens, _PIECE):
        places = start + np.flatnonzero(marked[encoded.ids[start : start + _PIECE]])
        found[np.searchsorted(encoded.offsets, places, side="right") - 1] = True
    return found
