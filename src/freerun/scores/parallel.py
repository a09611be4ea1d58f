"""A score of many strings, by several processes where that takes long; the values do not depend on their number."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float64

from freerun.corpora.workers import MAX_WORKERS, n_cpus
from freerun.errors import FreerunError
from freerun.scores import find_score
from freerun.scores.program import Program, Stopped

PIECE = 200  # strings at once
Progress = Callable[[int, int], None]
"""Told how many strings are done, and how many there are."""


def values_of(
    spec: str,
    strings: Sequence[str],
    *,
    progress: Progress | None = None,
    n_workers: int | None = None,
    patience: float = 2.0,
) -> Float64[np.ndarray, " strings"]:
    """The values of `find_score(spec)`; NaN marks a string that has none.

    Args:
        n_workers: Processes; None: one for each core, at most 8.
        patience: Seconds of work here, and of work that is left, before others are started. RDKit holds the
            interpreter's lock, so threads do not help.

    Raises:
        UsageError: If there is no such score.
        FreerunError: If a process dies.
    """
    score = find_score(spec)
    if score.scope == "batch":
        return score(strings)
    n_workers = min(n_cpus(), MAX_WORKERS) if n_workers is None else n_workers
    pieces = [strings[at : at + PIECE] for at in range(0, len(strings), PIECE)]
    parts: list[np.ndarray] = [np.zeros(0)]
    began = time.monotonic()
    while len(parts) <= len(pieces):
        parts.append(score(pieces[len(parts) - 1]))
        done = len(parts) - 1
        _tell(progress, done, strings)
        seconds = time.monotonic() - began
        if n_workers > 1 and seconds > patience and seconds / done * (len(pieces) - done) > patience:
            with crew(spec, n_workers) as computed:
                for part in computed(pieces[done:]):
                    parts.append(part)
                    _tell(progress, len(parts) - 1, strings)
    return np.concatenate(parts)


def _tell(progress: Progress | None, n_pieces: int, strings: Sequence[str]) -> None:
    if progress is not None:
        progress(min(n_pieces * PIECE, len(strings)), len(strings))


@contextmanager
def crew(spec: str, n_workers: int) -> Iterator[Callable[[list[Sequence[str]]], Iterator[np.ndarray]]]:
    """A function that computes pieces, in order; the processes behind it end with the block."""
    programs = [Program(spec) for _ in range(n_workers)]
    idle: queue.SimpleQueue[Program] = queue.SimpleQueue()
    for program in programs:
        idle.put(program)

    def compute(piece: Sequence[str]) -> np.ndarray:
        program = idle.get()
        try:
            program.ask(piece)
            values, failure = program.answer()
            if failure is not None:
                raise Stopped(failure)
        except Stopped as stopped:
            raise FreerunError(f"the score {spec} of {len(piece)} strings failed: {stopped}") from stopped
        finally:
            idle.put(program)
        return values

    pool = ThreadPoolExecutor(n_workers)
    try:
        for program in programs:
            program.load()
        yield lambda pieces: pool.map(compute, pieces)
    finally:
        for program in programs:
            program.close()
        pool.shutdown(cancel_futures=True)
