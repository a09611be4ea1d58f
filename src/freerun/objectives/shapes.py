"""What a value is worth, from 0 to 1: scores of different units are comparable after it. No value is worth 0."""

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from freerun.errors import UsageError
from freerun.scores.base import nearest

Better = Literal["higher", "lower"]
_DIRECTIONS = {"higher": 1, "lower": -1}


class AbstractShape(abc.ABC):
    """Final subclasses are frozen dataclasses of finite numbers: the table `[objective.shapes.NAME]`."""

    @abc.abstractmethod
    def __call__(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        """From 0 to 1 each; NaN stays NaN."""

    @property
    @abc.abstractmethod
    def direction(self) -> int:
        """1 where more is better, -1 where less is, 0 where it depends on the value."""


@dataclasses.dataclass(frozen=True)
class Identity(AbstractShape):
    """The value itself: of scores that are from 0 to 1 already, and better higher."""

    def __call__(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        return values

    @property
    def direction(self) -> int:
        return 1


@dataclasses.dataclass(frozen=True)
class Clip(AbstractShape):
    """Linear between two values, and level beyond them.

        min(1, max(0, (v - worst) / (best - worst)))

    Args:
        worst: Worth 0. It may lie above `best`: then less is better.
        best: Worth 1.
    """

    worst: float
    best: float

    def __post_init__(self):
        if self.worst == self.best:
            raise ValueError(f"worst = best = {self.best:g} leaves nothing between them; they must differ")

    def __call__(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        return np.clip((values - self.worst) / (self.best - self.worst), 0.0, 1.0)

    @property
    def direction(self) -> int:
        return 1 if self.best > self.worst else -1


@dataclasses.dataclass(frozen=True)
class Step(AbstractShape):
    """1 where the value is at least as good as `at`, else 0."""

    at: float
    better: Better

    def __call__(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        reached = values >= self.at if self.better == "higher" else values <= self.at
        return np.where(np.isnan(values), np.nan, reached)

    @property
    def direction(self) -> int:
        return _DIRECTIONS[self.better]


@dataclasses.dataclass(frozen=True)
class Sigmoid(AbstractShape):
    """1 / (1 + exp(-(v - middle) / width)), or of the negative where less is better: 1/2 at `middle`."""

    middle: float
    width: float
    better: Better

    def __post_init__(self):
        _above_zero("width", self.width)

    def __call__(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        sign = 1.0 if self.better == "higher" else -1.0
        return 0.5 * (1.0 + np.tanh(sign * (values - self.middle) / (2.0 * self.width)))  # exp overflows, tanh does not

    @property
    def direction(self) -> int:
        return _DIRECTIONS[self.better]


@dataclasses.dataclass(frozen=True)
class Window(AbstractShape):
    """1 from `low` to `high`, ends included; outside it falls linearly to 0 over `margin`.

    Args:
        margin: 0: it falls at once.
    """

    low: float
    high: float
    margin: float = 0.0

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError(f"low = {self.low:g} lies above high = {self.high:g}; exchange them")
        if self.margin < 0:
            raise ValueError(f"margin = {self.margin:g} must be 0 or more")

    def __call__(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        outside = np.maximum(np.maximum(self.low - values, values - self.high), 0.0)
        if not self.margin:
            return np.where(np.isnan(values), np.nan, outside == 0)
        return np.maximum(1.0 - outside / self.margin, 0.0)

    @property
    def direction(self) -> int:
        return 0


SHAPES: dict[str, type[AbstractShape]] = {
    "identity": Identity,
    "clip": Clip,
    "step": Step,
    "sigmoid": Sigmoid,
    "window": Window,
}


def _above_zero(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{name} = {value:g} must be above 0")


def read_shape(table: Mapping[str, Any], where: str, better: Better) -> AbstractShape:
    """A shape from its table: `shape` names it, the rest are its numbers.

    Args:
        where: What an error calls the table.
        better: Of the score, where the shape needs a direction and the table gives none.

    Raises:
        UsageError: If the shape or a key is not known (the nearest is named), or a number is missing or wrong.
    """
    told = dict(table)
    name = told.pop("shape", None)
    if name not in SHAPES:
        raise UsageError(f"{where}: shape = {name!r} is not known{nearest(str(name), SHAPES)}; {_choice(SHAPES)}")
    kind = SHAPES[name]
    fields = {field.name: field for field in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
    if "better" in fields:
        told.setdefault("better", better)
    for key, value in told.items():
        if key not in fields:
            raise UsageError(f"{where}: {key} is not known{nearest(key, fields)}; {name} takes {_listed(fields)}")
        if key == "better":
            if value not in ("higher", "lower"):
                raise UsageError(f"{where}: better = {value!r} must be 'higher' or 'lower'")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"{where}: {key} = {value!r} must be a finite number")
        else:
            told[key] = float(value)
    missing = [key for key, field in fields.items() if key not in told and field.default is dataclasses.MISSING]
    if missing:
        raise UsageError(f"{where}: {name} needs {_listed(missing)}")
    try:
        return kind(**told)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def written(shape: AbstractShape) -> dict[str, Any]:
    """The table of a shape, which `read_shape` reads."""
    name = next(name for name, kind in SHAPES.items() if type(shape) is kind)
    return {"shape": name, **dataclasses.asdict(shape)}  # pyright: ignore[reportArgumentType]


def _choice(names: Mapping[str, Any]) -> str:
    return f"there are {_listed(names)}"


def _listed(names: Any) -> str:
    return ", ".join(names) or "no numbers"
