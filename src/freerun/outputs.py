"""Samples into files, by suffix, a piece at a time: a million of them take the memory of one piece.

Beside a sample's own columns stand those that were asked for: `given_NAME`, the condition under which it was drawn, and
a column a score. No score's name is that of another column.
"""

import contextlib
import dataclasses
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from freerun.chemistry import parse, rdkit
from freerun.errors import UsageError
from freerun.files import written_aside
from freerun.samples import Sample
from freerun.scores.parallel import values_of
from freerun.table_files import Kind, table

OWN: Mapping[str, Kind] = {
    "string": "text",
    "raw": "text",
    "valid": "truth",
    "log_prob": "short",
    "n_tokens": "whole",
}
N_SCORED = 32_768  # samples that are scored together: other processes, where they are needed, start once for all these
WITHOUT_COLUMNS = (".smi", ".txt")

Given = Mapping[str, float | str]
Beside = Mapping[str, Sequence[float | str | None]]
"""Columns beside the samples' own, one value a sample; None: it has none."""
Put = Callable[[Sequence[Sample], Beside], None]


def write_samples(
    pieces: Iterable[list[Sample]],
    out: str,
    *,
    raw: bool = False,
    given: Given = MappingProxyType({}),
    scores: Sequence[str] = (),
) -> dict[str, int]:
    """Writes to a file, or to stdout for `-`, and counts.

    Args:
        out: `.smi .txt` one string a line; `.csv .tsv .parquet` all columns; `.sdf` the valid molecules.
        raw: Lines (of `.smi`, `.txt` and stdout) are strings as written instead of canonical ones.
        given: Conditions that were asked for, `Conditions.told`.
        scores: Names of scores of the string that a line shows.

    Returns:
        Strings `written`, `valid` ones among those drawn, and `drawn`.

    Raises:
        UsageError: If the suffix is not known, or leaves no place for scores.
    """
    suffix = check_suffix(out, scores)
    asked = {f"given_{name}": value for name, value in given.items()}
    counts = {"drawn": 0, "valid": 0, "written": 0}
    with WRITERS[suffix](out, raw, asked, scores) as put:
        for piece in _joined(pieces, N_SCORED) if scores else pieces:
            counts["drawn"] += len(piece)
            counts["valid"] += sum(sample.valid for sample in piece)
            kept = [sample for sample in piece if sample.valid] if suffix == ".sdf" else piece
            counts["written"] += len(kept)
            strings = [sample.raw if raw else sample.string for sample in kept]
            values = {name: [_finite(value) for value in values_of(name, strings).tolist()] for name in scores}
            put(kept, {name: [value] * len(kept) for name, value in asked.items()} | values)
    return counts


def check_suffix(out: str, scores: Sequence[str] = ()) -> str:
    """The suffix that names the form of the file; empty for stdout.

    Raises:
        UsageError: If it is not known, or leaves no place for scores.
    """
    suffix = "" if out == "-" else Path(out).suffix.lower() or "(none)"
    if suffix not in WRITERS:
        known = ", ".join(filter(None, WRITERS))
        raise UsageError(f"{out}: unknown suffix {suffix!r}; choose one of {known}, or - for stdout")
    if scores and suffix in WITHOUT_COLUMNS:
        others = ", ".join(each for each in WRITERS if each and each not in WITHOUT_COLUMNS)
        raise UsageError(f"{out}: {suffix} holds a string a line and has no place for scores; choose one of {others}")
    return suffix


def one_line(text: str) -> str:
    """A string with line breaks in it stays one line."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _joined(pieces: Iterable[list[Sample]], size: int) -> Iterator[list[Sample]]:
    """Pieces of at least this size, but for the last."""
    waiting: list[Sample] = []
    for piece in pieces:
        waiting += piece
        if len(waiting) >= size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextlib.contextmanager
def _lines(out: str, raw: bool, asked: Given, scores: Sequence[str]) -> Iterator[Put]:
    with written_aside(Path(out), "w") as file:
        yield lambda piece, _: file.writelines(one_line(s.raw if raw else s.string) + "\n" for s in piece)


@contextlib.contextmanager
def _stdout(out: str, raw: bool, asked: Given, scores: Sequence[str]) -> Iterator[Put]:
    def put(piece: Sequence[Sample], beside: Beside) -> None:
        strings = [one_line(sample.raw if raw else sample.string) for sample in piece]
        columns = [["nan" if value is None else f"{value:.6g}" for value in beside[name]] for name in scores]
        sys.stdout.writelines("\t".join(row) + "\n" for row in zip(strings, *columns, strict=True))

    yield put
    sys.stdout.flush()


@contextlib.contextmanager
def _table(out: str, raw: bool, asked: Given, scores: Sequence[str]) -> Iterator[Put]:
    kinds: dict[str, Kind] = {
        **OWN,
        **{name: "text" if isinstance(value, str) else "number" for name, value in asked.items()},
    }
    with table(out, {**kinds, **dict.fromkeys(scores, "number")}) as put_columns:

        def put(piece: Sequence[Sample], beside: Beside) -> None:
            if piece:
                put_columns([*zip(*map(dataclasses.astuple, piece), strict=True), *beside.values()])

        yield put


@contextlib.contextmanager
def _sdf(out: str, raw: bool, asked: Given, scores: Sequence[str]) -> Iterator[Put]:
    with written_aside(Path(out), "w") as file:
        rows = rdkit().SDWriter(file)

        def put(piece: Sequence[Sample], beside: Beside) -> None:
            for place, sample in enumerate(piece):
                molecule = parse(sample.raw)
                assert molecule is not None
                molecule.SetProp("_Name", sample.string)
                molecule.SetDoubleProp("log_prob", sample.log_prob)
                for name, values in beside.items():
                    if (value := values[place]) is not None:
                        molecule.SetProp(_tag(name), one_line(str(value)))
                rows.write(molecule)

        yield put
        rows.close()


def _tag(name: str) -> str:
    """A name of a data field, which stands between < and > on a line of its own."""
    return re.sub(r"[<>\r\n]", "_", name)


WRITERS = {
    "": _stdout,
    ".smi": _lines,
    ".txt": _lines,
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _table,
    ".sdf": _sdf,
}
