"""Text files: numbered lines in bounded memory, whatever the bytes."""

import abc
import codecs
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from freerun.corpora.containers import File, Stream
from freerun.corpora.reading import Reading, Refusal, refuse
from freerun.errors import UsageError

MAX_LINE = 100_000  # bytes; what is longer is no sequence that a generator here could learn
_BLOCK = 1 << 20
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

Record = tuple[int, str | Refusal, Sequence[Any]]
"""Line number, the string (or why there is none), the values of the property columns asked for."""


class AbstractReader(abc.ABC):
    """One file as a stream of records."""

    file: File

    @abc.abstractmethod
    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        """Every record of the file in order; remarks go to `reading`, refusals into the stream.

        Raises:
            FreerunError: If the file cannot be read.
            UsageError: If it lacks one of the columns.
        """

    @abc.abstractmethod
    def key(self) -> dict:
        """What the strings depend on, as plain values: the file's hash and the settings of the reader."""

    def column_names(self) -> tuple[str, ...]:
        """All columns of the file, the string's among them; empty for plain lines."""
        return ()

    @property
    def string_column(self) -> str:
        """The column of the strings; empty for plain lines."""
        return ""


@dataclass(frozen=True)
class TextLines(AbstractReader):
    """One string a line; blank lines are skipped.

    Args:
        file: The file.
        first_field: The string ends at the first white space (.smi: what follows is a title), and a first line
            `smiles` is a header. Otherwise the whole line is the string.
        strip: Leave out white space at the ends of the line.
    """

    file: File
    first_field: bool = False
    strip: bool = False

    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        if columns:
            raise UsageError(
                f"{self.file.name} holds one string a line and no column {columns[0]!r}; "
                "property columns need a .csv, .tsv or .parquet file"
            )
        with self.file.open() as stream:
            for number, text in numbered_lines(stream, self.file.name, reading):
                if isinstance(text, str):
                    if not text or text.isspace():
                        continue
                    if self.first_field:
                        text = text.split(None, 1)[0]
                        if number == 1 and text.lower() == "smiles":
                            reading.note(f"{self.file.name}: line 1 is read as a header")
                            continue
                    elif self.strip:
                        text = text.strip()
                yield number, text, ()

    def key(self) -> dict:
        return {"kind": "lines", "file": self.file.digest, "member": self.file.member,
                "first_field": self.first_field, "strip": self.strip}  # fmt: skip


@dataclass(frozen=True)
class Windows(AbstractReader):
    """A running text cut into strings of `width` characters, line ends included.

    The line number of a record is the number of its window, from 1.

    Args:
        file: The file, UTF-8.
        width: Characters to a string; the last before each break may be shorter.
        breaks: Offsets in characters where a new string begins in any case (the border between splits).
    """

    file: File
    width: int
    breaks: tuple[int, ...] = ()

    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        with self.file.open() as stream:
            text = stream.read().decode("utf-8")
        borders = [0, *self.breaks, len(text)]
        starts = [range(left, right, self.width) for left, right in itertools.pairwise(borders)]
        cuts = [*itertools.chain.from_iterable(starts), len(text)]
        for number, (left, right) in enumerate(itertools.pairwise(cuts), 1):
            yield number, text[left:right], ()

    def key(self) -> dict:
        return {"kind": "windows", "file": self.file.digest, "width": self.width, "breaks": list(self.breaks)}


def numbered_lines(stream: Stream, file: str, reading: Reading) -> Iterator[tuple[int, str | Refusal]]:
    """Lines without their ends, numbered from 1, in at most a few MB of memory.

    A byte-order mark and carriage returns before line feeds are dropped. A line that is not UTF-8 is read as Latin-1
    and noted. Refused are lines of more than `MAX_LINE` bytes and lines with control characters.
    """
    number = 0
    for block in _whole_lines(stream):
        if block is None:
            number += 1
            yield number, refuse(number, file, MAX_LINE, f"the line is longer than {MAX_LINE:,} bytes")
            continue
        lines, is_utf8 = _decoded(block)
        if not is_utf8:
            reading.note(f"{file} is not UTF-8 throughout; the lines that are not are read as Latin-1")
        suspicious = _CONTROL.search("".join(lines)) is not None or max(map(len, lines)) > MAX_LINE
        for text in lines:
            number += 1
            yield number, _checked(text, number, file) if suspicious else text


def _whole_lines(stream: Stream) -> Iterator[bytes | None]:
    """Blocks of whole lines; None for a line that is too long to hold."""
    carry, skipping = b"", False
    data = stream.read(_BLOCK).removeprefix(codecs.BOM_UTF8)
    while data:
        if skipping:
            _, newline, data = data.partition(b"\n")
            skipping = not newline
        block, newline, carry = (carry + data).rpartition(b"\n")
        if newline:
            yield block
        if len(carry) > MAX_LINE:
            yield None
            carry, skipping = b"", True
        data = stream.read(_BLOCK)
    if carry:
        yield carry


def _decoded(block: bytes) -> tuple[list[str], bool]:
    """The lines of a block, and whether all of them are UTF-8."""
    try:
        text, is_utf8 = block.decode("utf-8"), True
    except UnicodeDecodeError:
        text, is_utf8 = "\n".join(_line(line) for line in block.split(b"\n")), False
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    return text.split("\n"), is_utf8


def _line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _checked(text: str, number: int, file: str) -> str | Refusal:
    if len(text) > MAX_LINE:
        return refuse(number, file, MAX_LINE, f"the line is longer than {MAX_LINE:,} bytes")
    if found := _CONTROL.search(text):
        return refuse(number, file, found.start(), f"control character {found[0]!r}: this is not text", text)
    return text
