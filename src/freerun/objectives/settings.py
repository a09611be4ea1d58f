"""The table `[objective]` of a config, and the objective that it describes."""

import dataclasses
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from freerun.errors import UsageError
from freerun.objectives.accounts import Read
from freerun.objectives.guards import Limits
from freerun.objectives.objective import Objective
from freerun.objectives.shapes import AbstractShape, Clip, Identity, read_shape, written
from freerun.objectives.terms import Term, absolute, find_terms
from freerun.objectives.totals import TOTALS
from freerun.scores import split_weight
from freerun.scores.base import Score, nearest
from freerun.scores.parallel import values_of
from freerun.scores.program import Program

PUBLISHED: dict[str, AbstractShape] = {"logp": Clip(-2.12, 6.04), "sa": Clip(5.0, 1.5)}
"""Source: Guimaraes et al. 2017, arXiv:1705.10843, solubility and synthesizability."""

PERCENTILES = (1.0, 99.0)


@dataclasses.dataclass(frozen=True)
class ObjectiveSettings:
    """What strings are paid for: the table `[objective]`.

    Args:
        scores: `NAME` or `NAME:WEIGHT` each: a score, `FILE.py:FUNCTION`, `command:PROGRAM ARG...`, `ratings:FILE.csv`.
        combine: `arithmetic` or `geometric` mean by weight, or `turns`: one score at a time.
        seconds: Longest time of a string, for functions and programs of your own.
        batch: Strings at most for one process of an external program.
        n_workers: Processes at once of each function or program of your own.
        shapes: What values are worth, by the name of the score: `shape` and its numbers.
    """

    scores: tuple[str, ...] = ()
    combine: Literal["arithmetic", "geometric", "turns"] = "arithmetic"
    seconds: float = 60.0
    batch: int = 64
    n_workers: int = 1
    shapes: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if self.combine not in TOTALS:
            raise UsageError(f"combine = {self.combine!r} is not known; there are {', '.join(TOTALS)}")
        if not self.seconds > 0:
            raise UsageError(f"seconds = {self.seconds:g} leaves no time; give more than 0")
        for name, value in {"batch": self.batch, "n_workers": self.n_workers}.items():
            if value < 1:
                raise UsageError(f"{name} = {value} must be at least 1")
        names = [split_weight(spec)[0] for spec in self.scores]
        whole = {absolute(name) for name in names}
        for name in self.shapes:
            if name not in names and absolute(name) not in whole:
                raise UsageError(
                    f"[objective.shapes] {name!r} is none of the scores{nearest(name, names)}; there are "
                    f"{', '.join(names) or 'none'}"
                )

    def terms(self, known: Container[str] | None = None) -> tuple[Term, ...]:
        """The scores with their shapes; None is the shape of those that must be `fitted` first.

        Args:
            known: Canonical strings of the training corpus, with which `novelty` compares.

        Raises:
            UsageError: If a score or shape is not known, or wrong.
        """
        return tuple(
            dataclasses.replace(term, shape=self._shape(term)) for term in find_terms(self.scores, known=known)
        )

    def fitted(self, strings: Sequence[str]) -> Self:
        """With a shape for each score of unbounded range that has none: what the best and the worst hundredth of these
        strings reach is worth 1 and 0, and it is linear between.

        Raises:
            UsageError: If too few of them have a value, or all the same.
        """
        shapes = {}
        for spec in self.scores:
            name = split_weight(spec)[0]
            if name == "novelty" or name in self.shapes:
                continue
            (term,) = find_terms([spec])
            if self._shape(term) is None:
                shapes[name] = written(_fitted(term, strings))
        return dataclasses.replace(self, shapes=self.shapes | shapes)

    def build(self, path: Path | None, read: Read, known: Container[str] | None = None) -> Objective:
        """The objective. A user's functions are loaded once now: what is wrong with a file is told before the training.

        Raises:
            UsageError: If a score is not known, or has no shape, or the file holds other scores.
            FreerunError: If a function cannot be loaded.
        """
        terms = self.terms(known)
        for term in terms:
            if term.shape is None:
                raise UsageError(
                    f"{term.spec} may be any number; say what its values are worth: "
                    f'[objective.shapes."{term.spec}"] with shape = "clip", worst = .., best = ..'
                )
            if term.score.program == term.spec and not term.spec.startswith("command:"):
                Program(term.score.program).load().close()
        return Objective(terms, path, read, TOTALS[self.combine], Limits(self.seconds, self.batch, self.n_workers))

    def _shape(self, term: Term) -> AbstractShape | None:
        if term.spec in self.shapes:
            where = f'[objective.shapes."{term.spec}"]'
            return read_shape(self.shapes[term.spec], where, term.score.direction)
        return default_shape(term.score)


def default_shape(score: Score) -> AbstractShape | None:
    """Published, or linear over the range; None where that has no end.

    A program of a user's own must answer from 0 to 1.
    """
    if score.name in PUBLISHED:
        return PUBLISHED[score.name]
    if score.program:
        return Identity()
    low, high = score.range
    if not np.isfinite([low, high]).all():
        return None
    if score.direction == "lower":
        return Clip(high, low)
    return Identity() if (low, high) == (0.0, 1.0) else Clip(low, high)


def _fitted(term: Term, strings: Sequence[str]) -> Clip:
    values = values_of(term.spec, strings)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, PERCENTILES) if len(values) else (0.0, 0.0)
    if low == high and len(values):
        low, high = values.min(), values.max()
    if low == high:
        raise UsageError(
            f"{term.spec} tells {len(strings):,} strings of the corpus not apart, so no range can be found; say what "
            f'its values are worth: [objective.shapes."{term.spec}"] with shape = "clip", worst = .., best = ..'
        )
    return Clip(float(low), float(high)) if term.score.direction == "higher" else Clip(float(high), float(low))
