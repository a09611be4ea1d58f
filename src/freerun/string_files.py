"""Strings of numbered codes into files, by suffix: `.smi .txt` a string a line; tables with the number of the code."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from freerun.errors import UsageError
from freerun.files import written_aside
from freerun.outputs import one_line
from freerun.table_files import SUFFIXES, table

LINES = (".smi", ".txt")
Put = Callable[[Sequence[int], Sequence[str], Sequence[tuple[str, bool]]], None]
"""Takes the number of each string's code, from 0; the string as it was written; its canonical form, and whether it is
valid."""


@contextlib.contextmanager
def writer(out: str, raw: bool = False) -> Iterator[Put]:
    """A function that writes strings, piece by piece; the file takes its name when the block ends without an error.

    Args:
        out: `.smi .txt`, or `-` for stdout, a string a line; `.csv .tsv .parquet` the columns `row`, `string`
            (canonical), `raw`, `valid`.
        raw: Lines are strings as written instead of canonical ones.

    Raises:
        UsageError: If the suffix is not known.
    """
    suffix = Path(out).suffix.lower()
    if out == "-":
        yield lambda _, written, read: sys.stdout.writelines(_lines(written, read, raw))
        sys.stdout.flush()
    elif suffix in LINES:
        with written_aside(Path(out), "w") as file:
            yield lambda _, written, read: file.writelines(_lines(written, read, raw))
    elif suffix in SUFFIXES:
        with table(out, {"row": "whole", "string": "text", "raw": "text", "valid": "truth"}) as put:
            yield lambda rows, written, read: put([rows, [each for each, _ in read], written, [v for _, v in read]])
    else:
        known = ", ".join((*LINES, *SUFFIXES))
        raise UsageError(f"{out}: unknown suffix {suffix or '(none)'!r}; choose one of {known}, or - for stdout")


def _lines(written: Sequence[str], read: Sequence[tuple[str, bool]], raw: bool) -> Iterator[str]:
    for string, (canonical, _) in zip(written, read, strict=True):
        yield one_line(string if raw else canonical) + "\n"
