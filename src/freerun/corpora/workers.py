"""The same function over chunks of strings, in this process and, where that takes long, in others; order is kept.

The processes are plain children that speak JSON and raw bytes over pipes: they neither fork a process that holds
threads nor import the user's script again, and no pickle is read.
"""

import collections
import contextlib
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from freerun.corpora.lines import Record
from freerun.errors import FreerunError

CHUNK = 2_000
MAX_WORKERS = 8  # each holds RDKit and PyTorch, some 300 MB
_LENGTHS = struct.Struct("<QQ")

Reply = tuple[dict, bytes]
"""What a job says about a chunk: plain values, and arrays as bytes."""


@dataclass(frozen=True)
class Job:
    """A function of a list of strings.

    Args:
        run: The function.
        name: Its key in `worker.JOBS`; empty: only this process can run it.
        settings: What it is made from there, JSON-able.
    """

    run: Callable[[list[str]], Reply]
    name: str = ""
    settings: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """Some records, refused ones among them, and the strings of the others."""

    records: list[Record]
    texts: list[str]


def chunked(records: Iterator[Record], size: int = CHUNK) -> Iterator[Chunk]:
    while chunk := list(islice(records, size)):
        yield Chunk(chunk, [text for _, text, _ in chunk if isinstance(text, str)])


def n_cpus() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def map_chunks(
    job: Job, chunks: Iterable[Chunk], n_workers: int | None = None, patience: float = 2.0
) -> Generator[tuple[Chunk, Reply], None, None]:
    """Each chunk with the job's reply, in order.

    Args:
        job: What to do.
        chunks: Read as they are needed.
        n_workers: Processes; None: one for each core, at most `MAX_WORKERS`.
        patience: Seconds of work in this process before others are started.

    Raises:
        FreerunError: If a process dies.
    """
    n_workers = min(n_cpus(), MAX_WORKERS) if n_workers is None else n_workers
    chunks, started = iter(chunks), time.monotonic()
    for chunk in chunks:
        yield chunk, job.run(chunk.texts)
        if job.name and n_workers > 1 and time.monotonic() - started > patience:
            break
    yield from _in_processes(job, chunks, n_workers)


def _in_processes(job: Job, chunks: Iterator[Chunk], n_workers: int) -> Iterator[tuple[Chunk, Reply]]:
    """Chunk i goes to worker i mod n; a worker gets its next chunk before its last reply is used."""
    waiting: collections.deque[tuple[Chunk, _Worker]] = collections.deque()
    with contextlib.ExitStack() as stack:
        for chunk in chunks:
            if len(waiting) < n_workers:
                worker = stack.enter_context(_Worker(job))
                worker.send(chunk.texts)
                waiting.append((chunk, worker))
                continue
            done, worker = waiting.popleft()
            reply = worker.receive()
            worker.send(chunk.texts)
            waiting.append((chunk, worker))
            yield done, reply
        for done, worker in waiting:
            yield done, worker.receive()


class _Worker:
    """One child process."""

    def __init__(self, job: Job):
        package = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "freerun.corpora.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **threads, "PYTHONPATH": path},
        )
        write_frame(self._pipe(self._process.stdin), {"job": job.name, "settings": job.settings}, b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._pipe(self._process.stdin).close()
        self._pipe(self._process.stdout).close()
        self._process.wait()

    def send(self, texts: list[str]) -> None:
        try:
            write_frame(self._pipe(self._process.stdin), {"texts": texts}, b"")
        except BrokenPipeError:
            self._died()

    def receive(self) -> Reply:
        frame = read_frame(self._pipe(self._process.stdout))
        return frame if frame is not None else self._died()

    def _died(self) -> Reply:
        code = self._process.wait()
        reason = "out of memory?" if code == -9 else "its message stands above"
        raise FreerunError(f"a worker process ended with {code} ({reason}); run again, nothing is lost")

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def write_frame(stream: IO[bytes], values: dict, blob: bytes) -> None:
    text = json.dumps(values).encode()
    stream.write(_LENGTHS.pack(len(text), len(blob)))
    stream.write(text)
    stream.write(blob)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Reply | None:
    """The next frame, or None where the stream ends."""
    head = stream.read(_LENGTHS.size)
    if len(head) < _LENGTHS.size:
        return None
    n_text, n_blob = _LENGTHS.unpack(head)
    text, blob = stream.read(n_text), stream.read(n_blob)
    return (json.loads(text), blob) if len(text) == n_text and len(blob) == n_blob else None
