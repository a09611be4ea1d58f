"""Answers onto the disk, one by one: a process that is killed loses none."""

import collections
import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

from freerun.corpora.reading import Reading
from freerun.errors import FreerunError
from freerun.scores.answers import RATER, RATING, STRING, are_molecules, table_of, written_as

COLUMNS = (STRING, RATING, RATER, "seconds", "order")


class AnswerFile:
    """A table to which rows are appended. One that stands there is gone on with, in its own columns and delimiter.

    Args:
        path: The file; it is made with the first answer.

    Raises:
        UsageError: If it stands there and is no file of ratings.
        FreerunError: If it cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        self.columns, self.delimiter = COLUMNS, ","
        self._sizes: list[int] = []
        if self._size():
            table = table_of(path)
            self.columns, self.delimiter = table.column_names(), table.delimiter

    def rated(self, rater: str) -> collections.Counter[str]:
        """How often this rater has rated each string; anybody, where the file has no column for raters."""
        if not self._size():
            return collections.Counter()
        columns = [name for name in (RATING, RATER) if name in self.columns]
        rows = [
            (text, cells) for _, text, cells in table_of(self.path).records(Reading(), columns) if isinstance(text, str)
        ]
        is_chemical = are_molecules([text for text, _ in rows])
        known = [
            written_as(is_chemical, text) for text, cells in rows if cells[0].strip() and cells[1:] in ([], [rater])
        ]
        return collections.Counter(string for string in known if string is not None)

    def append(self, row: Mapping[str, object]) -> None:
        """One more answer, on the disk when this returns.

        Raises:
            FreerunError: If the disk is full or the file cannot be written; the answers before are kept.
        """
        size = self._size()
        lines = io.StringIO()
        write = csv.writer(lines, delimiter=self.delimiter, lineterminator="\n").writerow
        if not size:
            write(self.columns)
        write([row.get(name, "") for name in self.columns])
        try:
            with open(self.path, "a+b") as file:
                file.write(_end(self.path) + lines.getvalue().encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FreerunError(
                f"cannot write {self.path}: {error.strerror or error}; the answers before this one are kept"
            ) from error
        self._sizes.append(size)

    def take_back(self) -> None:
        """The file as it was before the last answer of this session."""
        os.truncate(self.path, self._sizes.pop())

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


def _end(path: Path) -> bytes:
    """What a last line lacks that was cut short, or written without its end by an editor."""
    with open(path, "rb") as file:
        content = file.seek(0, os.SEEK_END)
        file.seek(max(0, content - 1))
        return b"" if file.read() in (b"", b"\n") else b"\n"
