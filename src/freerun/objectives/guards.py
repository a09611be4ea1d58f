"""Guards around the scores of some terms; and the processes that they share, closed together."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from freerun.objectives.shared import Shared
from freerun.objectives.terms import Term
from freerun.scores.guard import Guarded


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the scores of an objective may take.

    Args:
        seconds: Longest time of a string, for scores that run in a process of their own.
        batch: Strings at most for one process of an external program.
        n_workers: Processes at once of each of them.
    """

    seconds: float = 60.0
    batch: int = 64
    n_workers: int = 1


class Guards:
    """One guard a term, in order.

    Args:
        folder: Where external programs leave answers that nobody has written down yet; None: nowhere.
    """

    def __init__(self, terms: Sequence[Term], folder: Path | None, limits: Limits):
        self._shared = {term.spec: Shared(term.spec, term.score) for term in terms if term.findable}
        self.all = [
            Guarded(
                dataclasses.replace(term.score, function=self._shared.get(term.spec, term.score.function)),
                seconds=limits.seconds,
                folder=folder,
                batch=limits.batch,
                n_workers=limits.n_workers,
            )
            for term in terms
        ]

    def close(self) -> None:
        for each in (*self.all, *self._shared.values()):
            each.close()

    @property
    def are_slow(self) -> bool:
        """Whether one of them has a program behind it."""
        return any(guard.score.program for guard in self.all)

    def recovered(self) -> list[str]:
        """Strings that external programs have answered to a process that was killed: asked, they answer at once."""
        return [string for guard in self.all for string in guard.recovered()]

    def written(self) -> None:
        """All answers so far are on the disk."""
        for guard in self.all:
            guard.written()
