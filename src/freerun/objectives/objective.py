"""An objective: several scores as one number of each string."""

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Bool, Float64

from freerun.errors import FreerunError, UsageError
from freerun.objectives.accounts import Accounts, Read
from freerun.objectives.guards import Guards, Limits
from freerun.objectives.terms import Faring, Term
from freerun.objectives.totals import AbstractTotal, Sum
from freerun.scores.guard import NO_VALUE, Guarded

N_HOPELESS = 64  # strings on which a score failed, and none has a value: it is broken
N_READ = 100_000  # strings whose canonical form is remembered
NO_LIMITS = Limits()
SUM = Sum()


class Objective:
    """What strings are paid: more is better.

    Strings are known by their canonical form, and scores see that form alone. One that was asked before, in this
    process or in the one that left the file, costs nothing. Terms of scope `batch` are never remembered.

    In a `with` block, so that the processes of its scores end.

    Args:
        terms: What is scored, and what the values are worth.
        path: `scores.csv`: a line for each distinct string, call after call; None: nothing is kept.
        read: Canonical form and validity of a string.
        total: How the terms become one number.

    Raises:
        UsageError: If there is no term, or the file holds other scores.
        FreerunError: If it cannot be read.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        path: Path | None,
        read: Read,
        total: AbstractTotal = SUM,
        limits: Limits = NO_LIMITS,
    ):
        if not terms:
            raise UsageError("an objective needs a score; `freerun scores` lists them")
        self.terms, self.total = tuple(terms), total
        self.turn = 0  # with `Turns`: which term counts
        self.read: Read = functools.lru_cache(N_READ)(read)  # asked of the same strings again and again
        self._weights = np.array([term.weight for term in terms], dtype=np.float64)
        total.check(self._weights)
        self._alone = np.array([term.score.scope == "string" for term in terms])
        alone = [term for term in terms if term.score.scope == "string"]
        self._accounts = Accounts(alone, path, self.read, total, limits)
        self._beside = Guards([term for term in terms if term.score.scope == "batch"], None, limits)
        self._course: set[str] = set()
        self._faring_beside = [Faring() for _ in self._beside.all]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._accounts.close()
        self._beside.close()

    def listen(self, heard: Callable[[], None]) -> None:
        """`heard` is called as soon as a string has failed in a new way, in the middle of a call."""
        self._accounts.heard = heard

    def key(self, string: str) -> str:
        return self.read(string)[0]

    def is_valid(self, string: str) -> bool:
        return self.read(string)[1]

    @property
    def values(self) -> Mapping[str, tuple[float, ...]]:
        """Of each canonical string that was ever paid for: one value a term of scope `string`, NaN without one."""
        return self._accounts.values

    @property
    def failures(self) -> Counter[str]:
        """Strings without a value, by what went wrong."""
        return self._accounts.failures

    @property
    def examples(self) -> dict[str, str]:
        """The first string of each kind of failure, with the reason."""
        return self._accounts.examples

    @property
    def n_paid(self) -> int:
        """Strings that were computed; the others were known from before."""
        return self._accounts.n_paid

    @property
    def is_silent(self) -> bool:
        """Whether scores were asked about many strings, and none has ever had a value."""
        fared = [*self._accounts.faring, *self._faring_beside]
        return sum(self.failures.values()) >= N_HOPELESS and not any(faring.has_value for faring in fared)

    @property
    def n_distinct(self) -> int:
        """Distinct strings that were asked for, valid or not, whether they were paid now or before."""
        return len(self._course)

    def rewind(self, n: int) -> None:
        """Back to when n distinct strings had been asked for; what was paid since then costs nothing a second time.

        Raises:
            FreerunError: If fewer are known.
        """
        if n > len(self.values):
            raise FreerunError(
                f"{self._accounts.ledger.path or 'the objective'} holds {len(self.values):,} strings, and {n:,} "
                "had been asked for; put the file back, or train again"
            )
        self._course = set(itertools.islice(self.values, n))

    def __call__(self, strings: Sequence[str], batch: int = 0) -> Float64[np.ndarray, " strings"]:
        """Totals, never NaN; of a string that is not valid 0, unless `total` asks the scores about it too.

        Args:
            batch: Strings that stand beside one another, for terms of scope `batch`: the first so many, the next, ...;
                0: all.

        Raises:
            UsageError: If a value that should be from 0 to 1 is not.
            FreerunError: If a program cannot be loaded, the file cannot be written, or nothing ever has a value.
        """
        keys = [self.key(string) for string in strings]
        first: dict[str, str] = {}
        for key, string in zip(keys, strings, strict=True):
            first.setdefault(key, string)
        self._accounts.pay(first)
        self._course.update(first)
        is_paid = np.array([self.total.of_invalid or self.is_valid(string) for string in strings], dtype=bool)
        values = np.full((len(keys), len(self.terms)), math.nan)
        values[:, self._alone] = np.array([self.values[key] for key in keys]).reshape(len(keys), self._alone.sum())
        beside = [
            self._among(guard, faring, keys, is_paid, batch or len(keys))
            for guard, faring in zip(self._beside.all, self._faring_beside, strict=True)
        ]
        for place, column in zip(np.flatnonzero(~self._alone), beside, strict=True):
            values[:, place] = column
        self._refuse_hopeless()
        parts = np.stack([term.parts(column) for term, column in zip(self.terms, values.T, strict=True)], 1)
        return np.where(is_paid, self.total(parts, self._weights, self.turn), 0.0)

    def _refuse_hopeless(self) -> None:
        """Raises FreerunError where a score fails on all that it is asked."""
        alone, beside = iter(self._accounts.faring), iter(self._faring_beside)
        for term in self.terms:
            faring = next(alone if term.score.scope == "string" else beside)
            if faring.n_failed >= N_HOPELESS and not faring.has_value:
                raise FreerunError(
                    f"{term.spec} failed on all {faring.n_failed:,} strings that it was asked about "
                    f"({faring.example}); mend it, then start a new run"
                )

    def _among(
        self, guard: Guarded, faring: Faring, keys: Sequence[str], is_paid: Bool[np.ndarray, " strings"], batch: int
    ) -> Float64[np.ndarray, " strings"]:
        """The values of a term of scope `batch`: it sees the strings of each group that are paid at all."""
        values = np.full(len(keys), math.nan)
        for first in range(0, len(keys), max(1, batch)):
            places = [place for place in range(first, min(first + batch, len(keys))) if is_paid[place]]
            outcome = guard([keys[place] for place in places])
            values[places] = outcome.values
            self.failures.update(outcome.failures)
            faring.has_value |= bool(np.isfinite(outcome.values).any())
            for kind, example in outcome.examples.items():
                self.examples.setdefault(kind, example)
                if kind != NO_VALUE[0]:
                    faring.n_failed += outcome.failures[kind]
                    faring.example = faring.example or example
        return values
