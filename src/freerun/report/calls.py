"""Reading `scores.csv` without trusting it: what an objective was asked for, in the order of asking."""

import csv
import dataclasses
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Float64, Int64

from freerun.report.folder import is_true
from freerun.report.told import finite

FIRST, LAST, SHAPED = ["step", "string", "canonical", "valid"], ["total", "seconds"], " (shaped)"
MOST_BYTES = 32_000_000  # what is larger, about 200,000 molecules, is read in pieces
N_PIECES, PIECE = 1_000, 16_384
LONGEST_HEAD, MOST_TERMS = 10_000, 8


@dataclasses.dataclass(frozen=True)
class Calls:
    """
    Args:
        step: Which call each line is, from 0, in order.
        written: The strings as they came, and by their canonical form.
        total: What they were paid; NaN without a value.
        raw: The values of each score by its name, NaN without one.
        is_whole: Whether these are all lines, not pieces of a large file.
    """

    step: Float64[np.ndarray, " calls"]
    written: list[str]
    canonical: list[str]
    valid: Bool[np.ndarray, " calls"]
    total: Float64[np.ndarray, " calls"]
    raw: dict[str, Float64[np.ndarray, " calls"]]
    is_whole: bool

    def __len__(self) -> int:
        return len(self.written)

    @property
    def n_tenth(self) -> int:
        """Lines of the first tenth, and of the last; of few lines up to half of them."""
        return max(len(self) // 10, min(len(self) // 2, 10), 1)

    @property
    def ends(self) -> tuple[slice, slice]:
        """The first tenth and the last."""
        return slice(0, self.n_tenth), slice(len(self) - self.n_tenth, len(self))

    def times(self, n: int, first: int) -> Int64[np.ndarray, " times"]:
        """Numbers of lines from `first` to all of them, closer at the beginning, where most happens."""
        ends = math.sqrt(min(first, len(self))), math.sqrt(len(self))
        return np.unique(np.round(np.linspace(*ends, n) ** 2).astype(np.int64))

    def best(self, n_calls: int, n: int) -> Int64[np.ndarray, " best"]:
        """Valid lines of the highest totals among the first `n_calls`; of equals the first."""
        rows = np.flatnonzero(self.valid[:n_calls] & np.isfinite(self.total[:n_calls]))
        return rows[np.argsort(-self.total[rows], kind="stable")[:n]]


def evenly(rows: Int64[np.ndarray, " rows"], n: int) -> Int64[np.ndarray, " fewer"]:
    """At most n of them."""
    return rows if len(rows) <= n else rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)]


def read_calls(path: Path) -> Calls | None:
    """None where there is no such file, or one of another shape, or without a single total.

    A line that is cut short or has other cells is left out.
    """
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        with open(path, "rb") as file:
            header = next(csv.reader([_text(file.readline(LONGEST_HEAD))]), [])
            if len(header) < len(FIRST + LAST) or header[:4] != FIRST or header[-2:] != LAST:
                return None
            lines = [line for piece in _pieces(file, size) for line in _lines(piece, len(header))]
    except (OSError, csv.Error):
        return None
    lines.sort(key=lambda line: int(line[0]))
    totals = _numbers(lines, len(header) - 2)
    if not np.isfinite(totals).any():
        return None
    terms = [at for at in range(4, len(header) - 2) if not header[at].endswith(SHAPED)][:MOST_TERMS]
    return Calls(
        step=_numbers(lines, 0),
        written=[line[1] for line in lines],
        canonical=[line[2] for line in lines],
        valid=np.array([is_true(line[3]) for line in lines], dtype=bool),
        total=totals,
        raw={header[at]: _numbers(lines, at) for at in terms},
        is_whole=size <= MOST_BYTES,
    )


def _pieces(file: BinaryIO, size: int) -> Iterator[str]:
    """The lines after the head, or of a large file pieces that lie evenly; without what is cut at their ends."""
    start = file.tell()
    if size <= MOST_BYTES:
        piece = file.read(MOST_BYTES)
        yield _text(piece[: piece.rfind(b"\n") + 1])
        return
    for at in np.linspace(start, size - PIECE, N_PIECES).astype(int).tolist():
        file.seek(at)
        piece = file.read(PIECE)
        yield _text(piece[piece.find(b"\n") + 1 if at > start else 0 : piece.rfind(b"\n") + 1])


def _lines(piece: str, n_cells: int) -> Iterator[list[str]]:
    try:
        for cells in csv.reader(io.StringIO(piece, newline="")):
            if len(cells) == n_cells and len(cells[0]) < 13 and cells[0].isascii() and cells[0].isdecimal():
                yield cells
    except csv.Error:  # a cell without end, say: what came before it counts
        return


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def _numbers(lines: list[list[str]], at: int) -> Float64[np.ndarray, " calls"]:
    return np.array([_number(line[at]) for line in lines], dtype=np.float64)


def _number(cell: str) -> float:
    try:
        return finite(float(cell))
    except ValueError:
        return math.nan
