"""A function in a process of its own, which may hang or die without harm to this one.

The process is a plain child that speaks JSON and raw bytes over pipes: it neither forks a process that holds threads
nor imports the user's script again, and no pickle is read.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, Self

import numpy as np
from jaxtyping import Float64

from freerun.corpora.workers import Reply, read_frame, write_frame
from freerun.errors import FreerunError
from freerun.scores.attempt import Failure

SECONDS_TO_LOAD = 300.0  # a library that it imports may be large, and the disk slow


class Stopped(Exception):
    """No answer: the process died, or was killed because it took too long."""

    def __init__(self, failure: Failure):
        self.failure = failure
        super().__init__(": ".join(failure))


class Program:
    """A running `FILE.py:FUNCTION`, or a running score, by its spec. It must `load` before it is asked."""

    def __init__(self, name: str):
        self.name = name
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "freerun.scores.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # a group of its own: programs that it starts are killed with it
        )
        self._send({"program": name})

    def load(self) -> Self:
        """Waits until it can be asked.

        Raises:
            FreerunError: If the file cannot be loaded, or does not define the function.
        """
        try:
            error = self._receive(SECONDS_TO_LOAD)[0].get("error", "")
        except Stopped as stopped:
            error = str(stopped)
        except BaseException:
            self.close()
            raise
        if error:
            self.close()
            raise FreerunError(f"cannot load {self.name}: {error}; give FILE.py:FUNCTION, or the name of a score")
        return self

    def ask(self, strings: Sequence[str]) -> None:
        """`answer` is due then, once for all of them."""
        self._send({"texts": list(strings)})

    def answer(self, seconds: float | None = None) -> tuple[Float64[np.ndarray, " strings"], Failure | None]:
        """The values, as `attempt` gives them.

        Raises:
            Stopped: If the process died, or has not answered within these seconds: then it is dead now. None: no limit.
        """
        values, blob = self._receive(seconds)
        failure = values["failure"]
        return np.frombuffer(blob, dtype=np.float64), None if failure is None else (failure[0], failure[1])

    def kill(self) -> None:
        """Ends the process and all that it has started; whoever waits for an answer gets `Stopped`."""
        if self._process.poll() is None and os.name == "posix":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                self._open(pipe).close()
        self._process.wait()

    def _send(self, values: dict) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has died; the missing answer says so
            write_frame(self._open(self._process.stdin), values, b"")

    def _receive(self, seconds: float | None) -> Reply:
        if seconds is None:
            return self._checked(read_frame(self._open(self._process.stdout)))
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            frame = read_frame(self._open(self._process.stdout))
        finally:
            timer.cancel()
            timer.join()
        if late.is_set():  # even if the answer came at the last moment: the process is dead
            raise Stopped(("too slow", f"no answer within {seconds:g} s"))
        return self._checked(frame)

    def _checked(self, frame: Reply | None) -> Reply:
        if frame is None:
            raise Stopped(("died", f"its process ended with {self._process.wait()}"))
        return frame

    @staticmethod
    def _open(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe
