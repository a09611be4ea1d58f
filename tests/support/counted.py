"""Scores that remember what they were asked, as terms of an objective."""

import math
from typing import Literal

import numpy as np

from freerun.objectives.shapes import AbstractShape
from freerun.objectives.terms import Term
from freerun.scores.base import Score


class Counted:
    """A tenth of the number of letters; none of an empty string; remembers what it was asked."""

    def __init__(self):
        self.asked: list[str] = []

    def __call__(self, strings) -> np.ndarray:
        self.asked += strings
        return np.array([len(string) / 10 if string else math.nan for string in strings], dtype=float)


def term(
    spec: str,
    function,
    direction: Literal["higher", "lower"] = "higher",
    weight=1.0,
    worst=-9.0,
    shape: AbstractShape | None = None,
    scope: Literal["string", "batch"] = "string",
) -> Term:
    score = Score(spec, spec, direction, (0.0, math.inf), worst, function, scope=scope)
    return Term(spec, score, weight, shape)


def plain(string: str) -> tuple[str, bool]:
    """Known by itself; valid unless it is empty or begins with a sign."""
    return string, bool(string) and not string.startswith("-")
