"""Values of property columns: numbers with NaN for what is missing, or labels."""

import array
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_MISSING = frozenset(("", "na", "n/a", "nan", "none", "null", "-", "?"))


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or (
        isinstance(value, str) and value.strip().lower() in _MISSING
    )  # fmt: skip


def number(value: object) -> float | None:
    """The finite number that a cell holds, or None."""
    if isinstance(value, str) and "_" in value:  # Python reads 1_000; nobody writes it in a table
        return None
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def kind(sample: Sequence[object]) -> str:
    """`number` if most of the values that are there are numbers, else `label`."""
    present = [value for value in sample if not is_missing(value)]
    numbers = sum(number(value) is not None for value in present)
    return "label" if present and 2 * numbers < len(present) else "number"


@dataclass
class Column:
    """One property column while it is read.

    Args:
        name: Its header.
        kind: `number` or `label`.
    """

    name: str
    kind: str
    n_missing: int = 0
    n_wrong: int = 0
    wrong: str = ""
    _numbers: array.array = field(default_factory=lambda: array.array("d"))
    _labels: list[str] = field(default_factory=list)
    _interned: dict[str, str] = field(default_factory=dict)  # equal labels are one object

    def __len__(self) -> int:
        return len(self._numbers) + len(self._labels)

    def add(self, line: int, value: object) -> None:
        missing = is_missing(value)
        self.n_missing += missing
        if self.kind == "label":
            text = "" if missing else str(value)
            self._labels.append(self._interned.setdefault(text, text))
            return
        parsed = math.nan if missing else number(value)
        if parsed is None:
            self.n_wrong += 1
            self.wrong = self.wrong or f"{value!r} in line {line}"
        self._numbers.append(math.nan if parsed is None else parsed)

    def array(self) -> np.ndarray:
        """(n,) float64, NaN where missing or not a number; labels as objects, empty where missing."""
        return np.array(self._labels, dtype=object) if self.kind == "label" else np.array(self._numbers)

    def remark(self) -> str:
        """One line on what is missing, or empty."""
        parts = [f"{self.n_missing:,} missing"] if self.n_missing else []
        if self.n_wrong:
            parts.append(f"{self.n_wrong:,} not a number (first: {self.wrong})")
        return f"column {self.name!r}: {', '.join(parts)} of {len(self):,} values" if parts else ""
