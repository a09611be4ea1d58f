"""Tables into files, a piece at a time: .csv, .tsv and .parquet by suffix, and `-`, CSV on stdout."""

import contextlib
import csv
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from freerun.errors import UsageError
from freerun.files import written_aside

Kind = Literal["text", "truth", "whole", "number", "short", "single"]
"""What a column holds. Numbers are written with all digits, `short` ones with six, `single` ones with the nine that a
float32 has. NaN, infinities and None are empty cells, nulls in Parquet."""

SUFFIXES = (".csv", ".tsv", ".parquet")
Put = Callable[[Sequence[Sequence[Any]]], None]
"""Takes some rows, column by column."""


@contextlib.contextmanager
def table(out: str, kinds: Mapping[str, Kind]) -> Iterator[Put]:
    """A function that writes rows; the file takes its name when the block ends without an error.

    Args:
        kinds: Of the columns, by their names.

    Raises:
        UsageError: If the suffix is not known.
    """
    suffix = Path(out).suffix.lower()
    if out == "-":
        yield _rows(sys.stdout, ",", kinds)
        sys.stdout.flush()
    elif suffix == ".parquet":
        with _parquet(out, kinds) as put:
            yield put
    elif suffix in SUFFIXES:
        with written_aside(Path(out), "w") as file:
            yield _rows(file, "," if suffix == ".csv" else "\t", kinds)
    else:
        raise UsageError(f"{out}: unknown suffix {suffix or '(none)'!r}; choose one of {', '.join(SUFFIXES)}")


def _rows(file: Any, delimiter: str, kinds: Mapping[str, Kind]) -> Put:
    rows = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    rows.writerow(kinds)

    def put(columns: Sequence[Sequence[Any]]) -> None:
        cells = [map(_CELLS[kind], column) for kind, column in zip(kinds.values(), columns, strict=True)]
        rows.writerows(zip(*cells, strict=True))

    return put


@contextlib.contextmanager
def _parquet(out: str, kinds: Mapping[str, Kind]) -> Iterator[Put]:
    import pyarrow
    import pyarrow.parquet

    types = {
        "text": pyarrow.string(),
        "truth": pyarrow.bool_(),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "short": pyarrow.float64(),
        "single": pyarrow.float32(),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in kinds.items()])
    with written_aside(Path(out)) as file, pyarrow.parquet.ParquetWriter(file, schema) as rows:

        def put(columns: Sequence[Sequence[Any]]) -> None:
            values = [[None if _is_missing(value) else value for value in column] for column in columns]
            rows.write_table(pyarrow.table(values, schema=schema))

        yield put


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _number(digits: str) -> Callable[[float | None], str]:
    return lambda value: "" if value is None or not math.isfinite(value) else format(value, digits)


def _all_digits(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)


_CELLS: Mapping[str, Callable[[Any], str]] = {
    "text": _text,
    "truth": lambda value: str(value).lower(),
    "whole": _text,
    "number": _all_digits,
    "short": _number(".6g"),
    "single": _number(".9g"),
}
