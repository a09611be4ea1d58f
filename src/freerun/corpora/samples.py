"""Samples from a file: every line is one, whatever it holds; nothing is judged or left out."""

import sys
from collections.abc import Iterator
from pathlib import Path

from freerun.corpora.corpus import open_corpus
from freerun.errors import UsageError


def read_lines(path: str) -> Iterator[str]:
    """The samples of a plain file, or of stdin for `-`: every line is one, the empty ones too."""
    if path == "-":
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    if not Path(path).is_file():
        raise UsageError(f"{path} is no file; give a file of strings, a run folder, or - for stdin")
    if Path(path).suffix in (".csv", ".tsv", ".parquet"):
        yield from _column_of(path)
        return
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from (line.rstrip("\r\n") for line in file)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 ({error.reason} at byte {error.start})") from error


def _column_of(path: str) -> Iterator[str]:
    """The samples of a table: the column `raw` of what `freerun sample` writes, else the column of strings."""
    for column in ("raw", None):
        try:
            corpus = open_corpus(path, column=column)
        except UsageError:
            if column is None:
                raise
            continue
        yield from (text for _, text in corpus.strings("+".join(corpus.splits)))
        return
