"""A score that nobody vouches for, kept from doing harm: what fails is NaN, counted, and shown once of each kind."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float64

from freerun.errors import excerpt
from freerun.scores.attempt import Failure, attempt
from freerun.scores.base import Score
from freerun.scores.command import Command
from freerun.scores.program import Program, Stopped
from freerun.scores.programs import Programs

NO_VALUE: Failure = ("no value", "NaN")
INFINITE: Failure = ("infinite", "not a finite number")
EXTERNAL = "command:"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        values: Finite, or NaN where there is none.
        failures: Strings by kind: `no value` (the score's own NaN: it is no molecule, say), `infinite`, `raised`,
            `wrong answer` (not one number a string), `too slow`, `died`; of an external program also `too few lines`,
            `too many lines`, `no number`, `not sent`.
        examples: The first string of each kind, with the reason.
    """

    values: Float64[np.ndarray, " strings"]
    failures: Counter[str]
    examples: dict[str, str]


class Guarded:
    """A score behind a guard. In a `with` block, so that its processes end.

    A score with a `program` runs in processes of its own, string by string, or in one, all strings together, where its
    scope is `batch`; an external one (`command:PROGRAM ARG...`) as `Command` says; any other runs here, where nothing
    can stop it.

    Args:
        score: What is guarded.
        seconds: The longest time of a string (of a list, for a batch) in the other process. When it is over, or the
            process dies, a new process goes on with the next string.
        n_workers: Processes at once, for strings that need not be seen together.
        folder: Where an external program's answers are kept until they are `written`; None: a temporary one.
        batch: Strings at most for one process of an external program.
    """

    def __init__(
        self,
        score: Score,
        *,
        seconds: float = 60.0,
        folder: Path | None = None,
        batch: int = 64,
        n_workers: int = 1,
    ):
        if seconds <= 0:
            raise ValueError(f"a time limit of {seconds:g} s leaves no time; give more than 0")
        self.score, self.seconds = score, seconds
        self.folder, self.batch, self.n_workers = folder, batch, n_workers
        self._programs = Programs(score.program, seconds, n_workers)
        self._program: Program | None = None  # of scope `batch`
        self._command: Command | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._programs.close()
        if self._program is not None:
            self._program.close()
            self._program = None
        if self._command is not None:
            self._command.close()
            self._command = None

    def __call__(self, strings: Sequence[str]) -> Outcome:
        """The values, and what went wrong.

        Raises:
            FreerunError: If the program cannot be loaded.
        """
        values = np.full(len(strings), np.nan)
        reasons: dict[int, Failure] = {}
        for at, value, reason in self.answers(strings):
            values[at] = value
            if reason is not None:
                reasons[at] = reason
        examples: dict[str, str] = {}
        for at, (kind, words) in sorted(reasons.items()):
            examples.setdefault(kind, f"{excerpt(strings[at])}: {words}")
        return Outcome(values, Counter(kind for kind, _ in reasons.values()), examples)

    def answers(self, strings: Sequence[str]) -> Generator[tuple[int, float, Failure | None], None, None]:
        """Position, value (finite, or NaN) and what went wrong, as they come: each string once, in any order.

        Raises:
            FreerunError: If the program cannot be loaded, or an external one dies on everything.
        """
        try:
            with contextlib.closing(self._positioned(strings)) as found:
                for at, value, failure in found:
                    reason = failure or _flaw(value)
                    yield at, np.nan if reason else value, reason
        except BaseException:
            self.close()  # its answers to this list are still on the way: the next list needs a new process
            raise

    def recovered(self) -> dict[str, float]:
        """Answers (finite, or NaN) that an external program gave to a freerun that was killed; to be kept first.

        Raises:
            FreerunError: If that program still runs, and does not end.
        """
        values = self._external().recovered() if self._is_external else {}
        return {string: value if _flaw(value) is None else np.nan for string, value in values.items()}

    def written(self) -> None:
        """The caller has on the disk all that was handed out so far: nobody will need to recover it."""
        if self._command is not None:
            self._command.written()

    @property
    def _is_external(self) -> bool:
        return self.score.program.startswith(EXTERNAL)

    def _external(self) -> Command:
        if self._command is None:
            argument = self.score.program.removeprefix(EXTERNAL)
            self._command = Command(argument, self.folder, self.batch, self.seconds, self.n_workers)
        return self._command

    def _positioned(self, strings: Sequence[str]) -> Generator[tuple[int, float, Failure | None], None, None]:
        if self._is_external:
            yield from self._external().answers(strings)
            return
        if self.score.program and self.score.scope == "string":
            yield from self._programs.answers(strings)
            return
        at = 0
        for part, failure in [self._together(strings)] if self.score.program else self._here(strings):
            for value in part:
                yield at, float(value), failure
                at += 1

    def _here(self, strings: Sequence[str]) -> Iterator[tuple[np.ndarray, Failure | None]]:
        """All at once; where that fails, one by one, so that one string's fault is no other's."""
        values, failure = attempt(self.score, strings)
        if failure is None or self.score.scope == "batch" or len(strings) == 1:
            yield values, failure
            return
        for string in strings:
            yield attempt(self.score, [string])

    def _together(self, strings: Sequence[str]) -> tuple[np.ndarray, Failure | None]:
        """By another process that sees all of them."""
        if not strings:
            return np.zeros(0), None
        self._program = self._program or Program(self.score.program).load()
        self._program.ask(strings)
        try:
            return self._program.answer(self.seconds)
        except Stopped as stopped:
            self.close()
            return np.full(len(strings), np.nan), stopped.failure


def _flaw(value: float) -> Failure | None:
    if np.isfinite(value):
        return None
    return NO_VALUE if np.isnan(value) else INFINITE
