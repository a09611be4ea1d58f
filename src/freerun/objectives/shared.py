"""A score that is computed by all cores from the time on at which that is worth the start of processes."""

import contextlib
import time
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from freerun.corpora.workers import MAX_WORKERS, n_cpus
from freerun.scores.base import Score
from freerun.scores.parallel import crew

PATIENCE = 5.0  # seconds of work here before others are started
FEWEST = 64  # strings that are worth sharing


class Shared:
    """The values of a score; they do not depend on who computed them.

    Args:
        spec: What `find_score` finds the score by, in any process.
        n_workers: Processes; None: one a core, at most 8.
    """

    def __init__(self, spec: str, score: Score, *, n_workers: int | None = None, patience: float = PATIENCE):
        self.spec, self.score, self.patience = spec, score, patience
        self.n_workers = min(n_cpus(), MAX_WORKERS) if n_workers is None else n_workers
        self._seconds = 0.0
        self._processes = contextlib.ExitStack()
        self._computed = None

    def close(self) -> None:
        self._processes.close()
        self._computed = None

    def __call__(self, strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        """
        Raises:
            FreerunError: If a process dies.
        """
        if len(strings) < FEWEST or self._seconds <= self.patience or self.n_workers < 2:
            began = time.perf_counter()
            values = self.score(strings)
            self._seconds += time.perf_counter() - began
            return values
        if self._computed is None:
            self._computed = self._processes.enter_context(crew(self.spec, self.n_workers))
        size = -(-len(strings) // self.n_workers)
        pieces = [strings[at : at + size] for at in range(0, len(strings), size)]
        return np.concatenate(list(self._computed(pieces)))
