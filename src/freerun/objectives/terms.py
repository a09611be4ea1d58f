"""The scores of an objective: which, how much each counts, and what its values are worth."""

import dataclasses
import math
import shlex
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from freerun.errors import UsageError
from freerun.objectives.shapes import AbstractShape
from freerun.scores import find_score, split_weight
from freerun.scores.base import Score
from freerun.scores.beside import novelty_beside
from freerun.scores.command import words_of

ROUNDING = 1e-9  # how far a value of a score from 0 to 1 may lie outside


@dataclasses.dataclass(frozen=True)
class Term:
    """One score of an objective.

    Args:
        spec: As it was asked for.
        weight: Above 0.
        shape: What a value is worth; None: the value itself counts, in the direction of the score.
        findable: `find_score(spec)` finds it in any process.
    """

    spec: str
    score: Score
    weight: float = 1.0
    shape: AbstractShape | None = None
    findable: bool = False

    @property
    def sign(self) -> float:
        return 1.0 if self.score.direction == "higher" else -1.0

    def parts(self, values: Float64[np.ndarray, " strings"]) -> Float64[np.ndarray, " strings"]:
        """What the values count, never NaN: shaped, and 0 where there is none; without a shape, the worst there.

        Raises:
            UsageError: If a value that has no shape of its own is not from 0 to 1.
        """
        if self.shape is None:
            return self.sign * np.where(np.isnan(values), self.score.worst, values)
        shaped = self.shape(values)
        outside = (shaped < -ROUNDING) | (shaped > 1 + ROUNDING)
        if outside.any():
            raise UsageError(
                f"{self.spec} answered {values[outside][0]:g}, and an objective counts from 0 to 1; say what its "
                f'values are worth: [objective.shapes."{self.spec}"] with shape = "clip", worst = .., best = ..'
            )
        return np.clip(np.nan_to_num(shaped, nan=0.0), 0.0, 1.0)


@dataclasses.dataclass
class Faring:
    """How a term fares. To say "no value" is no failure.

    Args:
        n_failed: Strings on which it failed.
        example: The first of them, with the reason.
        has_value: Whether any string ever had a value.
    """

    n_failed: int = 0
    example: str = ""
    has_value: bool = False


def find_terms(specs: Sequence[str], *, known: Container[str] | None = None) -> tuple[Term, ...]:
    """`NAME` or `NAME:WEIGHT`, as `split_weight` reads it; a name of `find_score`, or `FILE.py:FUNCTION`.

    Args:
        known: Canonical strings, those of the training corpus, say: what `novelty` without a file compares with. The
            score takes its strings for canonical, as an objective hands them over.

    Raises:
        UsageError: If a score is not known, stands there twice, or has a weight that is not above 0.
    """
    terms = []
    for spec in specs:
        name, weight = split_weight(spec)
        if not 0 < weight < math.inf:
            raise UsageError(f"the weight of {spec} must be above 0; which way is better belongs to the score itself")
        terms.append(_term(name, weight, known))
    twice = [name for name, count in Counter(term.spec for term in terms).items() if count > 1]
    if twice:
        raise UsageError(f"each score once: {', '.join(twice)} stands there again; give it one weight")
    return tuple(terms)


def of_one_string(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The terms themselves.

    Raises:
        UsageError: If one of them depends on the strings beside it.
    """
    for term in terms:
        if term.score.scope == "batch":
            raise UsageError(f"{term.spec} depends on the strings beside it, so it is no objective of one string")
    return tuple(terms)


def _term(name: str, weight: float, known: Container[str] | None) -> Term:
    if names_function(name):
        return Term(name, _of_file(name), weight)
    if name == "novelty" and known is not None:
        return Term(name, novelty_beside(known, name, "the training strings", key=str), weight)
    score = find_score(name)
    return Term(name, score, weight, findable=not score.program and score.scope == "string")


def names_function(name: str) -> bool:
    """Whether it is `FILE.py:FUNCTION`."""
    return name.rpartition(":")[0].endswith(".py")


def is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name longer than the system takes
        return False


def _of_file(name: str) -> Score:
    """A user's function, which runs in a process of its own and never here."""
    path, _, function = name.rpartition(":")
    if not is_file(path):
        raise UsageError(f"{path} is no file; give FILE.py:FUNCTION, a Python function from strings to numbers")
    if not function.isidentifier():
        raise UsageError(f"{function!r} is no name of a function; give FILE.py:FUNCTION")

    def never(strings: Sequence[str]) -> np.ndarray:
        raise AssertionError(f"{name} runs in a process of its own")

    return Score(
        name=name,
        about=f"the function {function} of {path}",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=never,
        program=name,
    )


def absolute(name: str) -> str:
    """The name of a score, its files by their whole path."""
    family, _, argument = name.partition(":")
    if names_function(name):
        path, _, function = name.rpartition(":")
        return f"{Path(path).absolute()}:{function}"
    if family == "command":
        words = (str(Path(word).absolute()) if is_file(word) else word for word in words_of(argument))
        return f"{family}:{shlex.join(words)}"
    return f"{family}:{Path(argument).absolute()}" if argument and is_file(argument) else name
