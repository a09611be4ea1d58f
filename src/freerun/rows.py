"""Batch-first records: everything that belongs to a row travels with the row."""

import dataclasses
from collections.abc import Sequence
from typing import Self, TypeVar

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Rows:
    """Base of all states: a frozen dataclass whose fields are tensors with the batch first, or such records, or None.

    `state[rows]` forks, drops or reorders rows by an index or a boolean mask; `concat` joins batches.
    """

    def _map(self, function) -> Self:
        values = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            values[field.name] = None if value is None else function(field.name, value)
        return type(self)(**values)

    def __getitem__(self, rows: Tensor | slice) -> Self:
        return self._map(lambda _, value: value[rows])

    def __len__(self) -> int:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                return len(value)
        raise ValueError(f"{type(self).__name__} holds no rows")

    def put(self, rows: Tensor, other: Self) -> None:
        """Write `other` into the given rows of these tensors, in place: cheaper than `concat` where few rows change."""

        def write(name: str, value) -> None:
            replacement = getattr(other, name)
            if isinstance(value, Rows):
                value.put(rows, replacement)
            else:
                value[rows] = replacement

        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                write(field.name, value)


R = TypeVar("R", bound=Rows)


def concat(parts: Sequence[R]) -> R:
    """One batch out of several, in order."""
    first = parts[0]

    def join(name: str, value):
        values = [getattr(part, name) for part in parts]
        return concat(values) if isinstance(value, Rows) else torch.cat(values)

    return first._map(join)
