"""A score: strings in, one number each out; what it means that a number is high, and what a failure costs."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64


@dataclasses.dataclass(frozen=True)
class Score:
    """A named function of strings, for rewards, conditions, search, measures and reports alike.

    Args:
        name: The key in `SCORES`.
        about: One line for the user.
        direction: Which way is better where the score is an objective.
        range: Smallest and largest value that can occur.
        worst: What a string without a value is worth as a reward.
        function: One float64 a string, NaN where it has no value (it is no molecule, say). Never raises on a string.
        scope: `string`: a function of the string alone, so it may be cached and computed in any order;
            `batch`: it depends on the strings beside it.
    """

    name: str
    about: str
    direction: Literal["higher", "lower"]
    range: tuple[float, float]
    worst: float
    function: Callable[[Sequence[str]], np.ndarray]
    scope: Literal["string", "batch"] = "string"

    def __call__(self, strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        """The values; NaN marks a string that has none."""
        return self.function(strings)

    def rewards(self, strings: Sequence[str]) -> tuple[Float64[np.ndarray, " strings"], int]:
        """The values with `worst` for every string that has none, and the number of those."""
        values = self(strings)
        failed = np.isnan(values)
        return np.where(failed, self.worst, values), int(failed.sum())
