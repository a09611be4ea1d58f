"""`scores.csv`: each distinct string that an objective was asked for, once, in the order of asking; also a cache."""

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from freerun.errors import FreerunError, UsageError

CODING = ("utf-8", "surrogatepass")  # a string of a byte-wise vocabulary may be no valid Unicode


class Ledger:
    """The file, or none.

    Args:
        path: None: nothing is kept.
        raw: The columns of values, the cache.
        other: Columns after them that are for people only.
    """

    def __init__(self, path: Path | None, raw: Sequence[str], other: Sequence[str]):
        self.path, self.raw = path, tuple(raw)
        self.header = ["step", "string", "canonical", "valid", *raw, *other, "total", "seconds"]

    def load(self) -> dict[str, tuple[float, ...]]:
        """Canonical string -> its values, NaN where it has none. A line that was cut short is cut off.

        Raises:
            UsageError: If the file holds other scores.
            FreerunError: If it cannot be read.
        """
        if self.path is None or not self.path.exists():
            return {}
        try:
            lines = list(csv.reader(io.StringIO(self._whole_lines(self.path), newline="")))
            if not lines:
                return {}
            if lines[0] != self.header:
                there = ", ".join(lines[0])
                raise UsageError(f"{self.path} holds other scores ({there}); choose another folder, or move it away")
            n = len(self.raw)
            values = {}
            for number, line in enumerate(lines[1:]):
                if len(line) != len(self.header) or line[0] != str(number):
                    raise ValueError(f"line {number + 2} is no line {number} of these scores")
                values[line[2]] = tuple(float(cell) if cell else math.nan for cell in line[4 : 4 + n])
            return values
        except (OSError, ValueError, csv.Error) as error:
            raise FreerunError(f"{self.path} cannot be read ({error}); move it away to score anew") from error

    def append(self, lines: Iterable[Sequence[object]]) -> None:
        """More lines; they are in the system's hands when this returns.

        Raises:
            FreerunError: If the disk is full, say.
        """
        if self.path is None:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")  # with it all kinds of line breaks within a cell are quoted
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                if file.tell() == 0:
                    writer.writerow(self.header)
                writer.writerows(lines)
                file.write(text.getvalue().encode(*CODING))
        except OSError as error:
            raise FreerunError(f"cannot write {self.path}: {error.strerror or error}; the rest is kept") from error

    def _whole_lines(self, path: Path) -> str:
        """A line break within a cell is quoted: a line ends where the number of quotation marks before is even."""
        content = path.read_bytes()
        end = content.rfind(b"\n") + 1
        while content.count(b'"', 0, end) % 2:
            end = content.rfind(b"\n", 0, end - 1) + 1
        if end < len(content):
            os.truncate(path, end)
        return content[:end].decode(*CODING)
