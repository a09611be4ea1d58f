"""Samples into files, by suffix, a piece at a time: a million of them take the memory of one piece."""

import contextlib
import csv
import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from freerun.chemistry import parse, rdkit
from freerun.errors import UsageError
from freerun.files import written_aside
from freerun.samples import Sample

COLUMNS = [field.name for field in dataclasses.fields(Sample)]
Put = Callable[[Sequence[Sample]], None]


def write_samples(pieces: Iterable[list[Sample]], out: str, *, raw: bool = False) -> dict[str, int]:
    """Writes to a file, or to stdout for `-`, and counts.

    Args:
        out: `.smi .txt` one string a line; `.csv .tsv .parquet` all columns; `.sdf` the valid molecules.
        raw: Lines (of `.smi`, `.txt` and stdout) are strings as written instead of canonical ones.

    Returns:
        Strings `written`, `valid` ones among those drawn, and `drawn`.

    Raises:
        UsageError: If the suffix is not known.
    """
    suffix = "" if out == "-" else Path(out).suffix.lower()
    if suffix not in WRITERS:
        raise UsageError(
            f"{out}: unknown suffix {suffix!r}; choose one of {', '.join(filter(None, WRITERS))}, or - for stdout"
        )
    counts = {"drawn": 0, "valid": 0, "written": 0}
    with WRITERS[suffix](out, raw) as put:
        for piece in pieces:
            counts["drawn"] += len(piece)
            counts["valid"] += sum(sample.valid for sample in piece)
            kept = [sample for sample in piece if sample.valid] if suffix == ".sdf" else piece
            counts["written"] += len(kept)
            put(kept)
    return counts


def check_suffix(out: str) -> str:
    """The suffix that names the form of the file; empty for stdout.

    Raises:
        UsageError: If it is not known.
    """
    suffix = "" if out == "-" else Path(out).suffix.lower() or "(none)"
    if suffix not in WRITERS:
        known = ", ".join(filter(None, WRITERS))
        raise UsageError(f"{out}: unknown suffix {suffix!r}; choose one of {known}, or - for stdout")
    return suffix


@contextlib.contextmanager
def _lines(out: str, raw: bool) -> Iterator[Put]:
    with written_aside(Path(out), "w") as file:
        yield lambda piece: file.writelines(one_line(s.raw if raw else s.string) + "\n" for s in piece)


@contextlib.contextmanager
def _stdout(out: str, raw: bool) -> Iterator[Put]:
    yield lambda piece: sys.stdout.writelines(one_line(s.raw if raw else s.string) + "\n" for s in piece)
    sys.stdout.flush()


def one_line(text: str) -> str:
    """A string with line breaks in it stays one line."""
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _table(delimiter: str) -> Any:
    @contextlib.contextmanager
    def writer(out: str, raw: bool) -> Iterator[Put]:
        with written_aside(Path(out), "w") as file:
            rows = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            rows.writerow(COLUMNS)
            yield lambda piece: rows.writerows(
                [s.string, s.raw, str(s.valid).lower(), f"{s.log_prob:.6g}", s.n_tokens] for s in piece
            )

    return writer


@contextlib.contextmanager
def _parquet(out: str, raw: bool) -> Iterator[Put]:
    import pyarrow
    import pyarrow.parquet

    types = [pyarrow.string(), pyarrow.string(), pyarrow.bool_(), pyarrow.float64(), pyarrow.int32()]
    schema = pyarrow.schema(list(zip(COLUMNS, types, strict=True)))
    with written_aside(Path(out)) as file, pyarrow.parquet.ParquetWriter(file, schema) as rows:
        yield lambda piece: rows.write_table(
            pyarrow.Table.from_pylist([dataclasses.asdict(sample) for sample in piece], schema)
        )


@contextlib.contextmanager
def _sdf(out: str, raw: bool) -> Iterator[Put]:
    with written_aside(Path(out), "w") as file:
        rows = rdkit().SDWriter(file)

        def put(piece: Sequence[Sample]) -> None:
            for sample in piece:
                molecule = parse(sample.raw)
                assert molecule is not None
                molecule.SetProp("_Name", sample.string)
                molecule.SetDoubleProp("log_prob", sample.log_prob)
                rows.write(molecule)

        yield put
        rows.close()


WRITERS = {
    "": _stdout,
    ".smi": _lines,
    ".txt": _lines,
    ".csv": _table(","),
    ".tsv": _table("\t"),
    ".parquet": _parquet,
    ".sdf": _sdf,
}
