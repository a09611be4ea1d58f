"""How well a formula fits points: the objective of the Grammar VAE's symbolic regression."""

import csv
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float64

from freerun.errors import InvalidSequence, UsageError
from freerun.scores.expression import evaluate, parse

TARGET = "1/3+x+sin(x*x)"
LARGEST_ERROR = 1000.0
WORST = math.log(1 + LARGEST_ERROR)


@dataclasses.dataclass(frozen=True)
class Points:
    """What a formula should give where."""

    x: Float64[np.ndarray, " points"]
    y: Float64[np.ndarray, " points"]

    @classmethod
    def of_formula(cls, text: str) -> Self:
        """1,000 points of a formula, from -10 to 10 with both ends.

        Raises:
            UsageError: If it is no formula, or has no finite value at some point.
        """
        x = np.linspace(-10.0, 10.0, 1000)
        try:
            y = evaluate(parse(text), x)
        except InvalidSequence as error:
            raise UsageError(f"the target is no formula: {error}") from error
        if not np.isfinite(y).all():
            at = x[~np.isfinite(y)][0]
            raise UsageError(f"the target {text!r} has no finite value at x = {at:.4g}; it must have one on [-10, 10]")
        return cls(x, y)

    @classmethod
    def of_table(cls, path: Path) -> Self:
        """The columns `x` and `y` of a csv file.

        Raises:
            UsageError: If there is no such file or column, a cell is no finite number, or there are no rows.
        """
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if not {"x", "y"} <= set(rows.fieldnames or ()):
                    raise UsageError(f"{path} needs columns x and y; it has {', '.join(rows.fieldnames or ['none'])}")
                values = [[_number(row[name], name, path, rows.line_num) for name in ("x", "y")] for row in rows]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise UsageError(f"cannot read the points of {path}: {error}") from error
        if not values:
            raise UsageError(f"{path} has no rows; give one point a row, in columns x and y")
        x, y = np.array(values).T.copy()
        return cls(x, y)


def _number(text: str | None, column: str, path: Path, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"{path}, line {line}, column {column}: {text!r} is no finite number")
    return value


def error_of(text: str, points: Points) -> float:
    """log(1 + mean over the points of min((f(x) - y)^2, 1000)), from 0 to log(1001).

    log(1001) too where f is NaN at some point. Source: Kusner et al. 2017, arXiv:1703.01925, and its code.

    Raises:
        InvalidSequence: If the string is no formula.
    """
    values = evaluate(parse(text), points.x)
    with np.errstate(over="ignore"):
        errors = np.minimum((values - points.y) ** 2, LARGEST_ERROR)
    mean = float(errors.mean())
    return WORST if math.isnan(mean) else math.log1p(mean)


def fit(points: Points) -> Callable[[Sequence[str]], Float64[np.ndarray, " strings"]]:
    """The error of each formula; NaN for what is no formula."""

    def score(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        values = np.full(len(strings), np.nan)
        for row, string in enumerate(strings):
            try:
                values[row] = error_of(string, points)
            except InvalidSequence:
                continue
        return values

    return score
