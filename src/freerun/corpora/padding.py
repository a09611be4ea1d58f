"""Rows of ids as one array: each row, one `<eos>`, then `<pad>`."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from freerun.constraints.base import EOS, PAD, UNK
from freerun.corpora.store import EncodedSplit


def padded(rows: Sequence[Sequence[int] | np.ndarray]) -> Int[np.ndarray, "batch time"]:
    """Ids of any source."""
    tokens = np.full((len(rows), max(map(len, rows)) + 1), PAD, dtype=np.int64)
    for line, ids in zip(tokens, rows, strict=True):
        line[: len(ids)] = ids
        line[len(ids)] = EOS
    return tokens


def to_vocab(encoded: EncodedSplit, vocab: Sequence[str]) -> Int[np.ndarray, " alphabet"]:
    """The id in a vocabulary of each id of a split's own alphabet; `<unk>` where it has none."""
    known = {token: i for i, token in enumerate(vocab)}
    return np.array([known.get(token, UNK) for token in encoded.alphabet], dtype=np.int64)


def gathered(
    encoded: EncodedSplit, ids: Int[np.ndarray, " alphabet"], rows: Int[np.ndarray, " batch"]
) -> Int[np.ndarray, "batch time"]:
    """Rows of an encoded split, with the ids that `to_vocab` gives."""
    lengths = encoded.lengths_of(rows)
    time = np.arange(int(lengths.max()) + 1)
    places = encoded.offsets[rows][:, None] + time  # (batch, time)
    tokens = ids[np.take(encoded.ids, places, mode="clip")]  # beyond a row's end: replaced below
    tokens[time >= lengths[:, None]] = PAD
    tokens[np.arange(len(rows)), lengths] = EOS
    return tokens
