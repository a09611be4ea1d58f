"""A score that nobody vouches for, kept from doing harm: what fails is NaN, counted, and shown once of each kind."""

import dataclasses
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Self

import numpy as np
from jaxtyping import Float64

from freerun.errors import excerpt
from freerun.scores.attempt import Failure, attempt
from freerun.scores.base import Score
from freerun.scores.program import Program, Stopped

NO_VALUE: Failure = ("no value", "NaN")
INFINITE: Failure = ("infinite", "not a finite number")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        values: Finite, or NaN where there is none.
        failures: Strings by kind: `no value` (the score's own NaN: it is no molecule, say), `infinite`, `raised`,
            `wrong answer` (not one number a string), `too slow`, `died`.
        examples: The first string of each kind, with the reason.
    """

    values: Float64[np.ndarray, " strings"]
    failures: Counter[str]
    examples: dict[str, str]


class Guarded:
    """A score behind a guard. In a `with` block, so that its process ends.

    A score with a `program` runs in a process of its own, string by string, or all strings together where its scope is
    `batch`; any other runs here, where nothing can stop it.

    Args:
        score: What is guarded.
        seconds: The longest time of a string (of a list, for a batch) in the other process. When it is over, or the
            process dies, a new process goes on with the next string.
    """

    def __init__(self, score: Score, *, seconds: float = 60.0):
        if seconds <= 0:
            raise ValueError(f"a time limit of {seconds:g} s leaves no time; give more than 0")
        self.score, self.seconds = score, seconds
        self._program: Program | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None

    def __call__(self, strings: Sequence[str]) -> Outcome:
        """The values, and what went wrong.

        Raises:
            FreerunError: If the program cannot be loaded.
        """
        values = np.full(len(strings), np.nan)
        failures: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for at, (value, failure) in enumerate(self._answers(strings)):
            reason = failure or _flaw(value)
            if reason is None:
                values[at] = value
            else:
                failures[reason[0]] += 1
                examples.setdefault(reason[0], f"{excerpt(strings[at])}: {reason[1]}")
        return Outcome(values, failures, examples)

    def _answers(self, strings: Sequence[str]) -> Generator[tuple[float, Failure | None], None, None]:
        """One a string."""
        try:
            for part, failure in self._elsewhere(strings) if self.score.program else self._here(strings):
                yield from ((float(value), failure) for value in part)
        except BaseException:
            self.close()  # its answers to this list are still on the way: the next list needs a new process
            raise

    def _here(self, strings: Sequence[str]) -> Iterator[tuple[np.ndarray, Failure | None]]:
        """All at once; where that fails, one by one, so that one string's fault is no other's."""
        values, failure = attempt(self.score, strings)
        if failure is None or self.score.scope == "batch" or len(strings) == 1:
            yield values, failure
            return
        for string in strings:
            yield attempt(self.score, [string])

    def _elsewhere(self, strings: Sequence[str]) -> Iterator[tuple[np.ndarray, Failure | None]]:
        together = self.score.scope == "batch"
        size = len(strings) if together else 1
        at = 0
        while at < len(strings):
            self._program = self._program or Program(self.score.program)
            self._program.ask(strings[at:], together=together)
            try:
                while at < len(strings):
                    yield self._program.answer(self.seconds)
                    at += size
            except Stopped as stopped:
                self.close()
                yield np.full(size, np.nan), stopped.failure
                at += size


def _flaw(value: float) -> Failure | None:
    if np.isfinite(value):
        return None
    return NO_VALUE if np.isnan(value) else INFINITE
