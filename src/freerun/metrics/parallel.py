"""Molecules described by several processes.

RDKit holds the interpreter's lock, so threads do not help. The processes are started as programs of their own: the
`multiprocessing` library would either fork a process that runs PyTorch's threads or run the user's script again.
"""

import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from freerun.corpora.workers import n_cpus
from freerun.errors import FreerunError
from freerun.metrics.molecules import Molecules, concat, describe

SMALL = 200  # fewer strings than this are not worth the second that a process takes to start
CHUNK = 200
MAX_WORKERS = 8  # each holds RDKit and the fragment table, some 200 MB


Progress = Callable[[str, int, int], None]
"""Called now and then: which part of the work, how much of it is done, how much there is."""


def part_of(progress: Progress | None, part: str) -> Callable[[int, int], None] | None:
    """The progress of one part."""
    return None if progress is None else lambda done, total: progress(part, done, total)


def molecules(strings: Iterable[str], *, progress: Progress | None = None, n_workers: int | None = None) -> Molecules:
    """One row a string, in order; a repeated string is looked at once.

    Args:
        strings: Samples as they were written; the empty string is one.
        progress: Told how many different strings are done.
        n_workers: Processes; one for each core by default, at most 8.

    Raises:
        FreerunError: If a process dies (out of memory, say).
    """
    index: dict[str, int] = {}
    rows = np.array([index.setdefault(string, len(index)) for string in strings], dtype=np.int64)
    distinct = list(index)
    chunks = [distinct[at : at + CHUNK] for at in range(0, len(distinct), CHUNK)]
    n_workers = min(n_workers or min(n_cpus(), MAX_WORKERS), len(chunks))
    parts, done = [], 0
    with _describer(n_workers if len(distinct) > SMALL else 1) as described:
        for part in described(chunks):
            parts.append(part)
            done += len(part)
            if progress is not None:
                progress("molecules", done, len(distinct))
    return concat(parts).take(rows) if parts else describe([])


@contextmanager
def _describer(n_workers: int) -> Iterator[Callable[[list[list[str]]], Iterable[Molecules]]]:
    """A function that describes chunks, in order; the processes behind it end with the block."""
    if n_workers < 2:
        yield lambda chunks: map(describe, chunks)
        return
    idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()
    processes = [_start() for _ in range(n_workers)]
    for process in processes:
        idle.put(process)

    def ask(chunk: list[str]) -> Molecules:
        process = idle.get()
        try:
            return _ask(process, chunk)
        finally:
            idle.put(process)

    pool = ThreadPoolExecutor(n_workers)
    try:
        yield lambda chunks: pool.map(ask, chunks)
    finally:
        for process in processes:
            process.kill()
        pool.shutdown(cancel_futures=True)
        for process in processes:
            process.communicate()


def _start() -> subprocess.Popen:
    """-P and our own path: the child finds what we find, and nothing in the folder where the user happens to be."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "freerun.metrics.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def _ask(process: subprocess.Popen, chunk: list[str]) -> Molecules:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(chunk).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        pass  # it has died; the missing answer says so below
    size = int.from_bytes(process.stdout.read(8), "little")
    answer = process.stdout.read(size)
    if not size or len(answer) < size:
        raise FreerunError(
            f"a process that was describing {len(chunk)} molecules died (exit code {process.wait()}), "
            "most likely out of memory; close other programs or use fewer workers"
        )
    return Molecules.from_bytes(answer)
