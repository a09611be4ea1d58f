"""CSV and TSV: one column of strings, others of properties; a bad row costs itself only."""

import collections
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from freerun.corpora import values
from freerun.corpora.containers import File
from freerun.corpora.lines import AbstractReader, Record, numbered_lines
from freerun.corpora.reading import Reading, Refusal, listed, refuse
from freerun.errors import UsageError

USUAL = ("smiles", "SMILES", "canonical_smiles", "string", "text", "sentence", "sequence")
N_HEAD = 1000
_MAX_ROW_LINES = 100  # a quoted field may hold line ends; one that never closes must not swallow the file


@dataclass(frozen=True)
class Table(AbstractReader):
    """A file of delimited columns with a header.

    Args:
        file: The file.
        delimiter: Between fields.
        column: Header of the column that holds the strings.
    """

    file: File
    delimiter: str
    column: str

    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        rows = numbered_rows(self.file, self.delimiter, reading)
        header = _header(rows)
        place = position(self.column, header, self.file.name)
        others = [position(name, header, self.file.name) for name in columns]
        for line, row in rows:
            if isinstance(row, Refusal):
                yield line, row, ()
                continue
            padded = row if len(row) == len(header) else [*row, *[""] * (len(header) - len(row))]
            text, extra = padded[place], padded[len(header) :]
            if any(extra):
                reason = (
                    f"{len(row)} fields where the header has {len(header)}; quote a field that holds {self.delimiter!r}"
                )
                yield line, refuse(line, self.file.name, 0, reason, self.delimiter.join(row)), ()
            elif not text or text.isspace():
                yield line, refuse(line, self.file.name, 0, f"nothing in column {self.column!r}"), ()
            else:
                yield line, text, [padded[i] for i in others] if others else ()

    def key(self) -> dict:
        return {"kind": "table", "file": self.file.digest, "member": self.file.member,
                "delimiter": self.delimiter, "column": self.column}  # fmt: skip

    @property
    def string_column(self) -> str:
        return self.column

    def column_names(self) -> tuple[str, ...]:
        return tuple(_header(numbered_rows(self.file, self.delimiter, Reading())))


def open_table(file: File, delimiter: str | None, column: str | None) -> Table:
    """A table with its string column found.

    Args:
        file: The file.
        delimiter: None: looked for in the header (comma, semicolon, tab).
        column: None: a usual name, else the only column that does not hold numbers.

    Raises:
        UsageError: If the column is not there, or cannot be guessed; the columns are listed.
    """
    delimiter = delimiter or _delimiter(file)
    rows = numbered_rows(file, delimiter, Reading())
    header = _header(rows)
    if column is None:
        head = [row for _, row in (next(rows, (0, None)) for _ in range(N_HEAD)) if isinstance(row, list)]
        cells = {name: [row[i] for row in head if i < len(row)] for i, name in enumerate(header)}
        column = guessed_column({name: values.kind(sample) for name, sample in cells.items()}, file.name)
    position(column, header, file.name)
    return Table(file, delimiter, column)


def guessed_column(kinds: dict[str, str], file: str) -> str:
    """The column that holds the strings, from the names and kinds of all columns."""
    by_lower = {name.lower(): name for name in reversed(kinds)}
    for name in USUAL:
        if name in kinds:
            return name
    for name in USUAL:
        if name.lower() in by_lower:
            return by_lower[name.lower()]
    texts = [name for name, kind in kinds.items() if kind == "label"]
    if len(texts) == 1:
        return texts[0]
    raise UsageError(
        f"which column of {file} holds the strings? Say --column NAME; it has "
        + ", ".join(f"{name!r} ({'text' if kind == 'label' else 'numbers'})" for name, kind in kinds.items())
    )


def position(column: str, header: Sequence[str], file: str) -> int:
    if column not in header:
        raise UsageError(f"{file} has no column {column!r}; its columns are {listed(header)}")
    return list(header).index(column)


def numbered_rows(file: File, delimiter: str, reading: Reading) -> Iterator[tuple[int, list[str] | Refusal]]:
    """Rows with the number of their first line, the header first; blank lines are skipped.

    A quote that is not closed within `_MAX_ROW_LINES` lines, or at all, refuses its own line only: reading goes on
    with the next.
    """
    with file.open() as stream:
        feed = _Feed(numbered_lines(stream, file.name, reading))
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        while True:
            feed.taken.clear()
            try:
                row = next(reader)
            except StopIteration:
                yield from feed.refused
                return
            except csv.Error as error:
                yield from feed.passed()
                line, text = feed.taken.popleft()
                feed.again.extendleft(reversed(feed.taken))
                yield line, refuse(line, file.name, 0, f"the quotes of this row do not match ({error})", text)
                continue
            yield from feed.passed()
            if row:
                yield feed.taken[0][0], row


class _Feed:
    """Hands lines to the CSV parser, and remembers which it took for the present row."""

    def __init__(self, lines: Iterator[tuple[int, str | Refusal]]):
        self._lines = lines
        self.again: collections.deque[tuple[int, str]] = collections.deque()
        self.taken: collections.deque[tuple[int, str]] = collections.deque()
        self.refused: list[tuple[int, Refusal]] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _MAX_ROW_LINES:
            raise csv.Error(f"no closing quote in {_MAX_ROW_LINES} lines")
        number, text = self.again.popleft() if self.again else self._next()
        self.taken.append((number, text))
        return text + "\n"

    def _next(self) -> tuple[int, str]:
        for number, text in self._lines:
            if isinstance(text, str):
                return number, text
            self.refused.append((number, text))
        raise StopIteration

    def passed(self) -> list[tuple[int, Refusal]]:
        """Lines refused before they became rows, handed out once."""
        refused, self.refused = self.refused, []
        return refused


def _header(rows: Iterator[tuple[int, list[str] | Refusal]]) -> list[str]:
    for _, row in rows:
        if isinstance(row, list):
            return [name.strip() for name in row]
    return []


def _delimiter(file: File) -> str:
    with file.open() as stream:
        first = next(numbered_lines(stream, file.name, Reading()), (1, ""))[1]
    return max(",;\t", key=str(first).count)
