"""Samples from a file: every line is one, whatever it holds; nothing is judged or left out."""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

from freerun.corpora.corpus import open_corpus
from freerun.errors import UsageError


def read_lines(path: str, column: str | None = None) -> Iterator[str]:
    """The samples of a file, plain or gzipped, or of stdin for `-`: every line is one, the empty ones too.

    Args:
        column: Of a table; None: `raw`, as `freerun sample` writes it, else the one that holds strings.
    """
    if path == "-":
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    if not Path(path).is_file():
        raise UsageError(f"{path} is no file; give a file of strings, a run folder, or - for stdin")
    *_, kind = ("", *(suffix for suffix in Path(path).suffixes[-2:] if suffix != ".gz"))
    if kind in (".csv", ".tsv", ".parquet"):
        yield from _column_of(path, column)
        return
    if column is not None:
        raise UsageError(f"{path} is no table, so it has no column {column!r}; a table ends in .csv, .tsv or .parquet")
    try:
        read = gzip.open if path.endswith(".gz") else open
        with read(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield from (line.rstrip("\r\n") for line in file)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 ({error.reason} at byte {error.start})") from error


def _column_of(path: str, column: str | None) -> Iterator[str]:
    """The samples of a table: this column, or `raw` of what `freerun sample` writes, else the column of strings."""
    choices = [column] if column else ["raw", None]
    for choice in choices:
        try:
            corpus = open_corpus(path, column=choice)
        except UsageError:
            if choice is choices[-1]:
                raise
            continue
        yield from (text for _, text in corpus.strings("+".join(corpus.splits)))
        return
