"""One split as small integers: written once, memory-mapped ever after.

An entry is one file: the arrays one after another, then a JSON record of what they are with a hash of their bytes,
then its length and a mark. It is written aside and renamed, so a reader sees all of it or none, and of two processes
that make the same entry the last one wins, with the same bytes.
"""

import hashlib
import itertools
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Int, UInt

from freerun.corpora.reading import Refusals
from freerun.representations.base import AbstractRepresentation

VERSION = 1
_MARK = b"freerun1"
_TAIL = struct.Struct("<Q8s")
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class EncodedSplit:
    """A split under a representation, with an alphabet of its own (in order of first occurrence).

    Args:
        representation: What tokenized it; its vocabulary plays no part.
        alphabet: Token of each id.
        counts: How often each occurs.
        ids: All tokens of all rows, one after another; of the smallest type that holds them.
        offsets: Row r is ids[offsets[r] : offsets[r + 1]].
        lines: Line number of each row in its file.
        records: Place of each row in `corpus.strings(split)`, which has the refused lines too.
        refusals: Lines left out, and the first of them.
        notes: Remarks made while it was read.
        path: The file that holds all this.
    """

    representation: AbstractRepresentation
    alphabet: tuple[str, ...]
    counts: Int[np.ndarray, " alphabet"]
    ids: UInt[np.ndarray, " tokens"]
    offsets: Int[np.ndarray, " rows_and_one"]
    lines: UInt[np.ndarray, " rows"]
    records: UInt[np.ndarray, " rows"]
    refusals: Refusals
    notes: tuple[str, ...]
    path: Path

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int[np.ndarray, " rows"]:
        """Tokens in each row, without <eos>."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, " batch"]:
        """The same of a few rows, without a pass over all."""
        return self.offsets[rows + 1] - self.offsets[rows]

    @property
    def n_tokens(self) -> int:
        return len(self.ids)

    def tokens(self, row: int) -> list[str]:
        ids = self.ids[self.offsets[row] : self.offsets[row + 1]]
        return [self.alphabet[i] for i in ids.tolist()]

    def strings(self, rows: Iterable[int] | None = None) -> list[str]:
        """The normalised strings of these rows; None: of all."""
        chosen = range(len(self)) if rows is None else rows
        return [self.representation.detokenize(self.tokens(int(row))) for row in chosen]

    def align(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Property columns of the corpus (`corpus.columns(split)`), one value a row of this."""
        return {name: values[self.records] for name, values in columns.items()}


def entry_path(folder: Path, content_key: str, representation: AbstractRepresentation) -> Path:
    """Where the entry of this content and these settings lies."""
    made_of = [
        VERSION,
        content_key,
        representation.name,
        representation.settings(),
        representation.code_version,
    ]
    return folder / (hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:40] + ".ids")


def write_entry(out: IO[bytes], record: dict, arrays: Mapping[str, Iterable[np.ndarray]]) -> None:
    """Append arrays, each given in pieces, and the record that tells how to find them."""
    digest, shapes = hashlib.sha256(), {}
    for name, pieces in arrays.items():
        kind, length = "", 0
        for piece in pieces:
            data = piece.tobytes()
            digest.update(data)
            out.write(data)
            kind, length = piece.dtype.str, length + len(piece)
        shapes[name] = [kind, length]
    text = json.dumps({**record, "arrays": shapes, "sha256": digest.hexdigest()}).encode()
    out.write(text)
    out.write(_TAIL.pack(len(text), _MARK))


def read_entry(path: Path) -> tuple[dict, dict[str, np.ndarray]] | None:
    """The record and the memory-mapped arrays; None if there is no whole and undamaged entry."""
    try:
        with path.open("rb") as file:
            record, size = _record(file)
            if _digest(file, size) != record["sha256"]:
                return None
        return record, _mapped(path, record["arrays"], size)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return None


def _record(file: IO[bytes]) -> tuple[dict, int]:
    """What stands at the end of an entry, and how many bytes the arrays before it have."""
    file.seek(-_TAIL.size, 2)
    end = file.tell()
    length, mark = _TAIL.unpack(file.read())
    if mark != _MARK or length > end:
        raise ValueError("no entry, or one cut short")
    file.seek(end - length)
    return json.loads(file.read(length)), end - length


def _digest(file: IO[bytes], size: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while size:
        block = file.read(min(size, _BLOCK))
        if not block:
            raise ValueError("cut short")
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def _mapped(path: Path, shapes: dict[str, Any], size: int) -> dict[str, np.ndarray]:
    whole = np.memmap(path, dtype=np.uint8, mode="r", shape=(size,)) if size else np.empty(0, np.uint8)
    kinds = {name: (np.dtype(kind or np.uint8), length) for name, (kind, length) in shapes.items()}
    ends = list(itertools.accumulate(kind.itemsize * length for kind, length in kinds.values()))
    if ends and ends[-1] != size:
        raise ValueError("the arrays do not fill the entry")
    return {
        name: whole[end - kind.itemsize * length : end].view(kind)
        for (name, (kind, length)), end in zip(kinds.items(), ends, strict=True)
    }


def smallest_type(n: int) -> type[np.unsignedinteger]:
    """The smallest unsigned type with `n` values."""
    return np.uint8 if n <= 1 << 8 else np.uint16 if n <= 1 << 16 else np.uint32


def alphabet_counts(encoded: Sequence[EncodedSplit]) -> dict[str, int]:
    """How often each token occurs in all of these."""
    totals: dict[str, int] = {}
    for split in encoded:
        for token, count in zip(split.alphabet, split.counts.tolist(), strict=True):
            totals[token] = totals.get(token, 0) + count
    return totals
