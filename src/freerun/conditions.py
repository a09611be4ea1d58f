"""What a generator is led by beside its own past: numbers and labels that belong to a string, and that may be missing.

A number enters a network as (standardised value, 1), a label as one of K: (0, .., 1, .., 0). Where it is missing, all
entries are 0; so a network learns from strings of which little is known, and may be asked for any part of it.
"""

import dataclasses
import difflib
import functools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from freerun.corpora.values import number
from freerun.errors import UsageError, excerpt

Given = Mapping[str, float | str]
"""What is asked of a sample, by the names of the conditions; what is not named is free."""

MOST_CLASSES = 10_000
QUANTILES = (0.05, 0.5, 0.95)


@dataclasses.dataclass(frozen=True)
class Number:
    """A numeric condition, with what the training strings tell of it.

    Args:
        low, high: Smallest and largest value.
        quantiles: At 5, 50 and 95 percent.
    """

    name: str
    mean: float
    deviation: float
    low: float
    high: float
    quantiles: tuple[float, float, float]

    @property
    def width(self) -> int:
        return 2

    def encoded(self, values: Float[Tensor, " batch"]) -> Float[Tensor, "batch 2"]:
        known = ~values.isnan()
        return torch.stack([((values - self.mean) / self.deviation).nan_to_num(0.0), known.float()], 1)

    def read(self, value: float | str) -> float:
        """
        Raises:
            UsageError: If it is no finite number.
        """
        found = number(value)
        if found is None:
            raise UsageError(f"{self.name} = {excerpt(str(value))} must be a number; it was trained on numbers")
        return found

    def remark(self, value: float | str) -> str:
        """That a value lies where the training strings have none; else nothing."""
        if self.low <= self.read(value) <= self.high:
            return ""
        return (
            f"{self.name} = {self.read(value):g} lies outside what was trained on, {self.low:.4g} to {self.high:.4g} "
            f"(5 to 95 percent: {self.quantiles[0]:.4g} to {self.quantiles[2]:.4g}): the generator extrapolates"
        )


@dataclasses.dataclass(frozen=True)
class Label:
    """A class of K, with how many training strings are of each."""

    name: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def width(self) -> int:
        return len(self.classes)

    def encoded(self, values: Float[Tensor, " batch"]) -> Float[Tensor, "batch classes"]:
        classes = torch.arange(len(self.classes), device=values.device)
        return (values[:, None] == classes).float()  # NaN equals nothing

    def read(self, value: float | str) -> float:
        """The number of a class.

        Raises:
            UsageError: If there is no such class; the nearest is named.
        """
        place = self.place(value)
        if not math.isnan(place):
            return place
        text = str(value)
        shown = ", ".join(self.classes[:20]) + (" ..." if len(self.classes) > 20 else "")
        raise UsageError(f"{self.name} has no class {excerpt(text)}{_nearest(text, self.classes)}; there are {shown}")

    def place(self, value: object) -> float:
        """The number of the class that a cell of a table names, 1.0 being 1; NaN where it is missing or not known."""
        text = _class(value)
        place = self._places.get(text)
        return self._places.get(_as_number(text), math.nan) if place is None else place

    @functools.cached_property
    def _places(self) -> dict[str, float]:
        return {name: float(place) for place, name in enumerate(self.classes)}

    def remark(self, value: float | str) -> str:
        return ""


@dataclasses.dataclass(frozen=True)
class Conditions:
    """The conditions of a run, in the order in which they enter its networks."""

    parts: tuple[Number | Label, ...] = ()

    @property
    def width(self) -> int:
        return sum(part.width for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)

    def part(self, name: str) -> Number | Label:
        """By its name; or, where only one differs from it in nothing but capitals, that one.

        Raises:
            UsageError: If there is none of this name.
        """
        exact = [part for part in self.parts if part.name == name]
        found = exact or [part for part in self.parts if part.name.casefold() == name.casefold()]
        if len(found) == 1:
            return found[0]
        if not self.parts:
            raise UsageError(
                f"this run was trained without conditions, so {excerpt(name)} cannot be asked for; train one that "
                f"knows it: freerun train conditional_quickstart --condition {name}"
            )
        there = f"there are {', '.join(self.names)}"
        raise UsageError(f"{excerpt(name)} is no condition of this run{_nearest(name, self.names)}; {there}")

    def label(self, name: str) -> Label:
        """
        Raises:
            UsageError: If there is none of this name, or it is a number.
        """
        part = self.part(name)
        if isinstance(part, Number):
            raise UsageError(f"{name} holds numbers; a label has a word for each class")
        return part

    def unknown(self, name: str, values: np.ndarray) -> list[str]:
        """Classes in a column of labels that the training strings did not have, in the order in which they come."""
        part = self.part(name)
        if isinstance(part, Number):
            return []
        return [text for text in dict.fromkeys(map(_class, values.tolist())) if text and math.isnan(part.place(text))]

    def numbers(self, columns: Mapping[str, np.ndarray]) -> dict[str, Float[np.ndarray, " rows"]]:
        """Columns of a corpus as float32: numbers as they are, labels as the number of their class, NaN where missing,
        no number, or of a class that is not known. Columns that are no conditions are left out."""
        found = {}
        for part in self.parts:
            if part.name not in columns:
                continue
            values = columns[part.name]
            if isinstance(part, Label):
                values = np.array([part.place(value) for value in values.tolist()])
            elif values.dtype == object:
                values = np.array([number(value) for value in values.tolist()], dtype=np.float64)  # None is NaN
            found[part.name] = np.where(np.isfinite(values), values, math.nan).astype(np.float32)
        return found

    def encoded(
        self, columns: Mapping[str, Float[Tensor, " batch"]], n: int, device: torch.device
    ) -> Float[Tensor, "batch condition"]:
        """What the networks are given for `n` rows of these values (of `numbers`); an absent column is missing."""
        missing = torch.full((n,), math.nan, device=device)
        parts = [part.encoded(columns.get(part.name, missing)) for part in self.parts]
        return torch.cat(parts, 1) if parts else torch.zeros(n, 0, device=device)

    def asked(self, given: Given, n: int, device: torch.device) -> Float[Tensor, "batch condition"]:
        """The same for `n` samples that are all asked for `given`.

        Raises:
            UsageError: If a name or a class is not known, a value is no number, or two names mean one condition.
        """
        values = {name: torch.full((n,), value, device=device) for name, value in self.read(given).items()}
        return self.encoded(values, n, device)

    def read(self, given: Given) -> dict[str, float]:
        """What is asked for as numbers, labels as the number of their class, by the names of the conditions.

        Raises:
            UsageError: As `asked` does.
        """
        values: dict[str, float] = {}
        for name, value in given.items():
            part = self.part(name)
            if part.name in values:
                raise UsageError(f"{part.name} is asked for twice, the second time as {excerpt(name)}; once is enough")
            values[part.name] = part.read(value)
        return values

    def told(self, given: Given) -> dict[str, float | str]:
        """What is asked for in the words of the run: numbers as numbers, labels as they are written here.

        Raises:
            UsageError: As `asked` does.
        """
        values: dict[str, float | str] = {}
        for name, value in self.read(given).items():
            part = self.part(name)
            values[name] = part.classes[int(value)] if isinstance(part, Label) else value
        return values

    def remarks(self, given: Given) -> list[str]:
        """Warnings on what is asked for.

        Raises:
            UsageError: As `asked` does.
        """
        return [remark for name, value in given.items() if (remark := self.part(name).remark(value))]

    def facts(self) -> list[dict[str, Any]]:
        """What `run.json` keeps; `of_facts` reads it."""
        return [dataclasses.asdict(part) for part in self.parts]

    @classmethod
    def of_facts(cls, facts: Sequence[Mapping[str, Any]]) -> "Conditions":
        parts: list[Number | Label] = []
        for fact in facts:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in fact.items()
            }
            parts.append(Label(**values) if "classes" in values else Number(**values))
        return cls(tuple(parts))


def fitted(columns: Mapping[str, np.ndarray], labels: Collection[str] = ()) -> Conditions:
    """Conditions on these columns of the training strings, in their order.

    Args:
        columns: float64 with NaN where missing, or labels as objects, empty where missing.
        labels: Columns whose values are classes even where they are numbers.

    Raises:
        UsageError: If a column has no value, or one value only, or (of labels) hardly a class twice.
    """
    return Conditions(
        tuple(
            _label(name, values) if values.dtype == object or name in labels else _number(name, values)
            for name, values in columns.items()
        )
    )


def _number(name: str, values: np.ndarray) -> Number:
    known = values[np.isfinite(values)].astype(np.float64)
    if not len(known):
        raise UsageError(f"the condition {name!r} has no value in any training string; leave it out")
    if known.min() == known.max():
        raise UsageError(f"the condition {name!r} is {known[0]:g} in every training string; leave it out")
    low, middle, high = np.quantile(known, QUANTILES).tolist()
    return Number(
        name, float(known.mean()), float(known.std()), float(known.min()), float(known.max()), (low, middle, high)
    )


def _label(name: str, values: np.ndarray) -> Label:
    names, counts = np.unique([_class(value) for value in values.tolist() if _class(value)], return_counts=True)
    if not len(names):
        raise UsageError(f"the condition {name!r} has no value in any training string; leave it out")
    if len(names) == 1:
        raise UsageError(f"the condition {name!r} is {str(names[0])!r} in every training string; leave it out")
    if len(names) > MOST_CLASSES or 3 * len(names) > 2 * counts.sum() > 40:
        raise UsageError(
            f"the condition {name!r} has {len(names):,} different values in {counts.sum():,} strings, like "
            f"{excerpt(str(names[0]))}: that is text, not a class; leave it out"
        )
    return Label(name, tuple(names.tolist()), tuple(counts.tolist()))


def _class(value: object) -> str:
    """How a class is written: 1.0 of a numeric column is 1; empty where it is missing."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.15g}"
    return str(value)


def _as_number(text: str) -> str:
    """How the class is written that a number names: 1.0 is 1; the text itself where it is no number."""
    try:
        return _class(float(text))
    except ValueError:
        return text


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    return f", did you mean {close[0]!r}?" if close else ""
