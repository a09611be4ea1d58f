"""The masks of a corpus, each distinct one stored once: four bytes a step, whatever the vocabulary.

The loss needs the mask of every step of every sequence. Replaying the constraint costs time in every epoch, and masks
as they are cost a byte a token of the vocabulary; but few of them differ. So the corpus is replayed once, and each
step keeps the number of its mask in a table.
"""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped, UInt64
from torch import Tensor

from freerun.constraints.base import PAD, AbstractConstraint
from freerun.corpora.padding import gathered, to_vocab
from freerun.corpora.reading import Refusal, refuse
from freerun.corpora.store import EncodedSplit, read_entry, write_entry
from freerun.errors import FreerunError
from freerun.files import cache_folder, written_aside
from freerun.representations.base import AbstractRepresentation

VERSION = 1
N_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Split:
    """An encoded split as a representation with a vocabulary writes it, and its name for whoever reads a refusal."""

    name: str
    encoded: EncodedSplit
    representation: AbstractRepresentation

    def padded(self, rows: Int[np.ndarray, " batch"]) -> Int[Tensor, "batch time"]:
        """Ids, `<eos>`, then `<pad>`."""
        return torch.from_numpy(gathered(self.encoded, self._to_vocab, rows))

    @functools.cached_property
    def _to_vocab(self) -> Int[np.ndarray, " alphabet"]:
        return to_vocab(self.encoded, self.representation.vocab)


@dataclass(frozen=True, eq=False)
class StoredMasks:
    """The masks of one split under one constraint and budget.

    Args:
        table: The distinct masks of all splits that were stored together; the first allows `<pad>` alone.
        index: Number of the mask of each step, `<eos>` included: row r stands at `offsets[r] + r`.
        refused: Position of the first token that the constraint does not allow; -1 where there is none.
    """

    constraint: AbstractConstraint
    budget: int
    table: Bool[Tensor, "distinct vocab"]
    index: Int[np.ndarray, " steps"]
    refused: Int[np.ndarray, " rows"]

    def of(self, encoded: EncodedSplit, rows: Int[np.ndarray, " batch"], width: int) -> Int[Tensor, "batch time"]:
        """The numbers of the masks of these rows, padded to `width` steps."""
        time = np.arange(width)
        starts = encoded.offsets[rows] + rows
        numbers = np.take(self.index, starts[:, None] + time, mode="clip")
        numbers[time > encoded.lengths_of(rows)[:, None]] = 0
        return torch.from_numpy(numbers)

    def accepts(self, tokens: Int[Tensor, "batch time"]) -> Bool[Tensor, " batch"]:
        """Of sequences that are not stored: whether the constraint allows all of it."""
        masks = self.constraint.replay(tokens, self.budget)
        return masks.gather(2, tokens[..., None])[..., 0].all(1)


def stored(constraint: AbstractConstraint, budget: int, splits: Sequence[Split]) -> list[StoredMasks]:
    """The masks of several splits in one table, from the cache where they were stored before."""
    path = cache_folder() / "masks" / f"{_key(constraint, budget, splits)}.masks"
    entry = read_entry(path)
    if entry is None:
        with written_aside(path) as out:
            table, found = _replayed(constraint, budget, splits)
            arrays = {"table": [np.packbits(table, axis=1).reshape(-1)]}
            for number, (index, refused) in enumerate(found):
                arrays |= {f"index{number}": [index], f"refused{number}": [refused]}
            write_entry(out, {}, arrays)
        entry = read_entry(path)
    if entry is None:
        raise FreerunError(f"{path} was written and reads back damaged; is the disk faulty?")
    arrays, n_vocab = entry[1], constraint.n_vocab
    packed = np.asarray(arrays["table"]).reshape(-1, -(-n_vocab // 8))
    table = torch.from_numpy(np.unpackbits(packed, axis=1, count=n_vocab).astype(bool))
    return [
        StoredMasks(constraint, budget, table, arrays[f"index{number}"], np.asarray(arrays[f"refused{number}"]))
        for number in range(len(splits))
    ]


def refusals(split: Split, masks: StoredMasks, n: int) -> list[Refusal]:
    """The first n rows outside the language: where, and why the constraint forbids what stands there."""
    rows = np.flatnonzero(masks.refused >= 0)
    return [_refusal(split, masks, int(row)) for row in rows[np.argsort(split.encoded.lines[rows])][:n]]


def _refusal(split: Split, masks: StoredMasks, row: int) -> Refusal:
    ids, place = split.padded(np.array([row]))[0], int(masks.refused[row])
    state = masks.constraint.start(1, masks.budget)
    for token in ids[:place]:
        state = masks.constraint.advance(state, token[None])
    written = split.encoded.tokens(row)
    token = [*written, "<eos>"][place]
    before = len(split.representation.detokenize(written[:place])) if place else 0
    reason = f"{token!r} is not allowed: {masks.constraint.reason(state, int(ids[place]))}"
    text = split.representation.detokenize(written)
    return refuse(int(split.encoded.lines[row]), split.name, before, reason, text)


def _key(constraint: AbstractConstraint, budget: int, splits: Sequence[Split]) -> str:
    made_of = [str(VERSION), repr(constraint), constraint.code_version, str(budget)]
    for split in splits:
        made_of += [Path(split.encoded.path).stem, repr(split.representation.vocab)]
    return hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:40]


Found = tuple[Int[np.ndarray, " steps"], Int[np.ndarray, " rows"]]


def _replayed(
    constraint: AbstractConstraint, budget: int, splits: Sequence[Split]
) -> tuple[Bool[np.ndarray, "distinct vocab"], list[Found]]:
    distinct = _Distinct(constraint.n_vocab)
    found = []
    for split in splits:
        lengths = split.encoded.lengths
        index = np.zeros(len(split.encoded.ids) + len(lengths), np.int32)
        refused = np.full(len(lengths), -1, np.int32)
        fitting = np.flatnonzero(lengths < budget)
        order = fitting[np.argsort(lengths[fitting], kind="stable")]
        for first in range(0, len(order), N_AT_ONCE):
            _replay(constraint, budget, split, order[first : first + N_AT_ONCE], distinct, index, refused)
        found.append((index, refused))
    return distinct.table(), found


def _replay(
    constraint: AbstractConstraint,
    budget: int,
    split: Split,
    rows: Int[np.ndarray, " batch"],
    distinct: "_Distinct",
    index: Int[np.ndarray, " steps"],
    refused: Int[np.ndarray, " rows"],
) -> None:
    """Walks one batch through the constraint and notes the number of each mask."""
    tokens = split.padded(rows)
    starts, lengths = split.encoded.offsets[rows] + rows, split.encoded.lengths_of(rows)
    state = constraint.start(len(rows), budget)
    for step, column in enumerate(tokens.unbind(1)):
        masks = constraint.allowed(state)
        inside = lengths >= step
        index[(starts + step)[inside]] = distinct.numbers(masks.numpy())[inside]
        wrong = ~masks.gather(1, column[:, None])[:, 0].numpy() & (refused[rows] < 0)
        refused[rows[wrong]] = step
        state = constraint.advance(state, column)


class _Distinct:
    """Numbers for masks, in the order in which they are first seen; number 0 is `<pad>` alone."""

    def __init__(self, n_vocab: int):
        self._n_vocab, self._width = n_vocab, -(-n_vocab // 64)
        self._factors = np.random.default_rng(0).integers(1, 1 << 63, self._width, dtype=np.uint64) * 2 + 1
        self._words = np.zeros((0, self._width), np.uint64)
        self._hashes, self._order = np.zeros(0, np.uint64), np.zeros(0, np.int64)  # sorted, and whose they are
        only_padding = np.zeros((1, n_vocab), bool)
        only_padding[0, PAD] = True
        self.numbers(only_padding)

    def numbers(self, masks: Bool[np.ndarray, "batch vocab"]) -> Int[np.ndarray, " batch"]:
        words = self._packed(masks)
        hashes = ((words ^ (words >> np.uint64(29))) * self._factors).sum(1, dtype=np.uint64)
        place = np.searchsorted(self._hashes, hashes)
        known = place < len(self._hashes)
        known[known] = self._hashes[place[known]] == hashes[known]
        if not known.all():
            new, first = np.unique(hashes[~known], return_index=True)
            self._order = np.concatenate([self._order, len(self._words) + np.arange(len(new))])
            self._words = np.concatenate([self._words, words[~known][first]])
            self._hashes = np.concatenate([self._hashes, new])
            by_hash = np.argsort(self._hashes)
            self._hashes, self._order = self._hashes[by_hash], self._order[by_hash]
            place = np.searchsorted(self._hashes, hashes)
        numbers = self._order[place]
        if not np.array_equal(self._words[numbers], words):
            raise FreerunError("two masks have the same 64-bit hash; leave out a line of the corpus")
        return numbers.astype(np.int32)

    def table(self) -> Bool[np.ndarray, "distinct vocab"]:
        bits = np.unpackbits(self._words.view(np.uint8), axis=1, bitorder="little")
        return bits[:, : self._n_vocab].astype(bool)

    def _packed(self, masks: Shaped[np.ndarray, "batch vocab"]) -> UInt64[np.ndarray, "batch words"]:
        padded = np.zeros((len(masks), 64 * self._width), bool)
        padded[:, : self._n_vocab] = masks
        return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
