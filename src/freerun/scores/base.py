"""A score: strings in, one number each out; what it means that a number is high, and what a failure costs."""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64

Function = Callable[[Sequence[str]], np.ndarray]
"""One float64 a string, NaN where it has no value (it is no molecule, say). Never raises on a string."""


@dataclasses.dataclass(frozen=True)
class Score:
    """A named function of strings, for rewards, conditions, search, measures and reports alike.

    Args:
        name: What `find_score` finds it by: the key in `SCORES`, or a family's name with its argument.
        about: One line for the user, with the unit.
        direction: Which way is better where the score is an objective.
        range: Smallest and largest value that can occur.
        worst: What a string without a value is worth as a reward.
        function: The values of a list of strings.
        domain: What the strings are. Of a `molecule` all writings have the same value, so one of them is computed.
        scope: `string`: a function of the string alone, so it may be cached and computed in any order;
            `batch`: it depends on the strings beside it.
        program: `FILE.py:FUNCTION`, a function that may hang, or end its process: `Guarded` runs it in another one,
            under a time limit, and never calls `function`. Or the `name` of a score, to run that so. Empty: `function`
            is safe here.
    """

    name: str
    about: str
    direction: Literal["higher", "lower"]
    range: tuple[float, float]
    worst: float
    function: Function
    domain: Literal["molecule", "formula", "string"] = "string"
    scope: Literal["string", "batch"] = "string"
    program: str = ""

    def __call__(self, strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        """The values; NaN marks a string that has none."""
        return self.function(strings)

    def rewards(self, strings: Sequence[str]) -> tuple[Float64[np.ndarray, " strings"], int]:
        """The values with `worst` for every string that has no finite one, and the number of those."""
        values = self(strings)
        failed = ~np.isfinite(values)
        return np.where(failed, self.worst, values), int(failed.sum())


@dataclasses.dataclass(frozen=True)
class Family:
    """Scores that need an argument: `similarity:CCO`.

    Args:
        name: The key in `FAMILIES`, before the colon.
        argument: What stands after it, in capitals.
        about: One line for the user.
        make: The score of an argument; raises UsageError where it makes none.
        default: The argument where none is given; None: it must be.
    """

    name: str
    argument: str
    about: str
    make: Callable[[str], Score]
    default: str | None = None


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'qed'?`, or nothing where no known name is near."""
    spelled = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), list(spelled), 1, 0.5)
    return f", did you mean {spelled[close[0]]!r}?" if close else ""
