"""Tanimoto similarities of bit fingerprints, exact: nearest neighbours among many, and means over all pairs.

    T(a, b) = |a & b| / (|a| + |b| - |a & b|),  0 / 0 = 1

References are sorted by their number of bits and cut into tiles of one number each, words first:
(tile, word, column). Within a tile the largest intersection is the largest similarity, a whole tile is skipped where
min(|a|, |b|) / max(|a|, |b|) cannot beat what was found, and the inner loop runs over columns, so that it becomes
vector instructions.
"""

import dataclasses
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from jaxtyping import Float64, Int64, UInt64
from numba.core import types
from numba.extending import intrinsic

from freerun.corpora.workers import n_cpus

BITS = 1024
WORDS = BITS // 64
COLUMNS = 256  # 32 KiB a tile: two fit beside each other into the first-level cache
ROWS_PER_TASK = 64  # queries that walk over the tiles together


@dataclasses.dataclass(frozen=True)
class Tiles:
    """Fingerprints by number of bits; unused columns of a tile are empty.

    Args:
        words: The fingerprints.
        bits: Number of bits of each fingerprint of a tile.
        used: Columns in use.
    """

    words: UInt64[np.ndarray, "tiles words columns"]
    bits: Int64[np.ndarray, " tiles"]
    used: Int64[np.ndarray, " tiles"]


def pack(bits: np.ndarray) -> UInt64[np.ndarray, "rows words"]:
    """Rows of 1,024 zeros and ones (uint8) as 16 words of 64 bits."""
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def count_bits(fingerprints: UInt64[np.ndarray, "rows words"]) -> Int64[np.ndarray, " rows"]:
    return np.bitwise_count(fingerprints).sum(axis=1).astype(np.int64)


def tiles(fingerprints: UInt64[np.ndarray, "rows words"]) -> Tiles:
    """Sort and cut; a tile never holds two numbers of bits."""
    bits = count_bits(fingerprints)
    order = np.argsort(bits, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(bits[order])) + 1) if len(order) else []
    parts = [group[at : at + COLUMNS] for group in groups for at in range(0, len(group), COLUMNS)]
    words = np.zeros((len(parts), WORDS, COLUMNS), dtype=np.uint64)
    for tile, part in enumerate(parts):
        words[tile, :, : len(part)] = fingerprints[part].T
    return Tiles(
        words,
        np.array([bits[part[0]] for part in parts], dtype=np.int64),
        np.array([len(part) for part in parts], dtype=np.int64),
    )


def nearest(
    queries: UInt64[np.ndarray, "rows words"], references: Tiles, progress: Callable[[int, int], None] | None = None
) -> Float64[np.ndarray, " rows"]:
    """Largest similarity of each query to any reference."""
    best = np.zeros(len(queries))
    order = np.argsort(count_bits(queries), kind="stable")  # neighbours in it walk over the same tiles

    def search(rows: Any) -> None:
        part = np.ascontiguousarray(queries[rows])
        bits = count_bits(part)
        # tiles of the most alike number of bits first: they set the bound that skips the others
        visits = np.argsort(np.abs(references.bits - bits[len(bits) // 2]), kind="stable")
        best[rows] = _nearest(part, bits, references.words, references.bits, references.used, visits)

    _in_threads(search, [order[at : at + ROWS_PER_TASK] for at in range(0, len(order), ROWS_PER_TASK)], progress)
    return best


def mean_powers(
    queries: UInt64[np.ndarray, "rows words"], references: Tiles, progress: Callable[[int, int], None] | None = None
) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
    """Mean similarity of each query to all references, and mean squared similarity."""
    sums = np.zeros((2, len(queries)))

    def search(rows: Any) -> None:
        part = np.ascontiguousarray(queries[rows])
        sums[:, rows] = _power_sums(part, count_bits(part), references.words, references.bits, references.used)

    rows = np.arange(len(queries))
    _in_threads(search, [rows[at : at + ROWS_PER_TASK] for at in range(0, len(rows), ROWS_PER_TASK)], progress)
    n_references = int(references.used.sum())
    return sums[0] / n_references, sums[1] / n_references


def _in_threads(work: Callable[[Any], None], tasks: list, progress: Callable[[int, int], None] | None) -> None:
    """The kernels let go of the interpreter, and each task writes its own rows."""
    with ThreadPoolExecutor(n_cpus()) as pool:
        for done, _ in enumerate(pool.map(work, tasks), start=1):
            if progress is not None:
                progress(done, len(tasks))


@intrinsic
def _bits_of(_context, word):
    """Number of bits of a word: one instruction, or a vector of them."""

    def generate(_context, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


def _compiled(function: Callable) -> Any:
    """Machine code, kept beside the source; sums may be taken in any order, so that they become vector instructions.

    Unwrapped first, as the tests' shape check wraps what it sees.
    """
    options = {"nogil": True, "cache": True, "fastmath": {"reassoc"}, "error_model": "numpy"}
    return numba.njit(**options)(inspect.unwrap(function))


# For the type checker: what numba passes to the intrinsic is not what the caller writes.
_popcount: Callable[[Any], Any] = _bits_of  # type: ignore[assignment]


@_compiled
def _intersections(query, tile, common):
    """common[j] = |query & tile[:, j]|; four words a pass keep the sums in registers."""
    common[:] = 0
    for word in range(0, WORDS, 4):
        q0, q1, q2, q3 = query[word], query[word + 1], query[word + 2], query[word + 3]
        t0, t1, t2, t3 = tile[word], tile[word + 1], tile[word + 2], tile[word + 3]
        for j in range(common.size):
            common[j] += _popcount(q0 & t0[j]) + _popcount(q1 & t1[j]) + _popcount(q2 & t2[j]) + _popcount(q3 & t3[j])


@_compiled
def _nearest(queries, query_bits, words, bits, used, visits):
    """The largest similarity of each query; tiles are visited in the order of `visits`."""
    best = np.zeros(len(queries))
    common = np.empty(COLUMNS, dtype=np.uint64)
    for tile in visits:
        b = bits[tile]
        for row in range(len(queries)):
            a = query_bits[row]
            if max(a, b) == 0:
                best[row] = 1.0
            elif min(a, b) / max(a, b) > best[row]:
                _intersections(queries[row], words[tile], common)
                largest = float(common[: used[tile]].max())
                best[row] = max(best[row], largest / (float(a + b) - largest))
    return best


@_compiled
def _power_sums(queries, query_bits, words, bits, used):
    """Sums over all references of the similarity (row 0) and of its square (row 1)."""
    sums = np.zeros((2, len(queries)))
    common = np.empty(COLUMNS, dtype=np.uint64)
    for tile in range(len(words)):
        for row in range(len(queries)):
            both = float(query_bits[row] + bits[tile])
            if both == 0.0:
                sums[:, row] += float(used[tile])
                continue
            _intersections(queries[row], words[tile], common)
            first = second = 0.0
            for j in range(used[tile]):
                similarity = float(common[j]) / (both - float(common[j]))
                first += similarity
                second += similarity * similarity
            sums[0, row] += first
            sums[1, row] += second
    return sums
