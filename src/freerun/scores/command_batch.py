"""One batch of strings for an external program, in files that outlive both freerun and the program.

`NAME.in` holds the strings, one a line; the program's output and errors go to `NAME.out` and `NAME.err`; how it ended,
to `NAME.end`. As long as somebody lives who can still write an answer, `NAME.out` is locked: the lock (flock) belongs
to the open file that the program has inherited as its output, so it is the kernel that takes it away.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from freerun.errors import FreerunError, UsageError
from freerun.files import written_aside
from freerun.scores import supervisor
from freerun.scores.attempt import LONGEST_REASON
from freerun.scores.verdict import Ending

SUFFIXES = (".in", ".out", ".err", ".end")  # the strings go first: without them the others mean nothing
END_OF_ERRORS = 1 << 14  # bytes


class CommandBatch:
    """The files of one batch, and the process that was started on them, if it was started here.

    Args:
        name: Of the program's batches in this folder; with `number`, the files' name without a suffix.
    """

    def __init__(self, folder: Path, name: str, number: int):
        self.folder, self.name, self.number = folder, name, number
        self._process: subprocess.Popen | None = None

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}-{self.number:06d}{suffix}"

    def start(self, arguments: Sequence[str], strings: Sequence[str], seconds: float, *, flushes: bool) -> None:
        """Runs the program on these strings.

        Raises:
            FreerunError: If the files cannot be written or locked.
        """
        with written_aside(self.path(".in")) as file:
            file.write("".join(f"{string}\n" for string in strings).encode("utf-8", "surrogatepass"))
        options = [str(self.path(".out")), str(self.path(".end")), str(len(strings)), repr(seconds), str(flushes)]
        try:
            with (
                open(self.path(".in"), "rb") as given,
                open(self.path(".out"), "xb") as out,
                open(self.path(".err"), "xb") as errors,
            ):
                _lock(out.fileno())
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", supervisor.__file__, *options, *arguments],
                    stdin=given,
                    stdout=out,
                    stderr=errors,
                    start_new_session=True,  # no Ctrl-C reaches it, and what it starts is killed with it
                )
        except OSError as error:
            raise FreerunError(
                f"cannot run {arguments[0]} with its files in {self.folder}: {error.strerror or error}; "
                "choose a folder on a local disk, with space on it"
            ) from error

    @property
    def strings(self) -> list[str]:
        return self.path(".in").read_bytes().decode("utf-8", "surrogatepass").split("\n")[:-1]

    @property
    def running(self) -> bool:
        """Whether an answer may still come."""
        if self._process is not None:
            return self._process.poll() is None
        if self.path(".end").exists() or not self.path(".out").exists():
            return False
        with open(self.path(".out"), "rb") as out:
            try:
                _lock(out.fileno())
            except BlockingIOError:
                return True
        return False

    @property
    def ending(self) -> Ending | None:
        """None: whoever watched the program was killed, too."""
        if not self.path(".end").exists():
            return None
        return Ending(**json.loads(self.path(".end").read_text("utf-8")), words=self.last_words())

    @property
    def printed(self) -> bytes:
        if not self.path(".out").exists():
            return b""
        with open(self.path(".out"), "rb") as out:
            return out.read(supervisor.MOST)

    def last_words(self, n_lines: int = 1) -> str:
        """The end of what the program wrote to its standard error, in one line."""
        with open(self.path(".err"), "rb") as errors:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - END_OF_ERRORS))
            lines = errors.read().decode("utf-8", "replace").splitlines()
        return " / ".join([line.strip() for line in lines if line.strip()][-n_lines:])[-LONGEST_REASON:]

    def kill(self) -> None:
        """Ends the program and all that it has started, if it was started by this object."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it is over already
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def remove(self) -> None:
        for suffix in SUFFIXES:
            self.path(suffix).unlink(missing_ok=True)


def left_in(folder: Path, name: str) -> list[CommandBatch]:
    """Batches whose files lie there still, in the order in which they were started; half removed ones are cleared."""
    numbers = sorted({int(path.name[len(name) + 1 :].split(".")[0]) for path in folder.glob(f"{name}-*")})
    batches = [CommandBatch(folder, name, number) for number in numbers]
    for batch in batches:
        if not batch.path(".in").exists():
            batch.remove()
    return [batch for batch in batches if batch.path(".in").exists()]


def need_locks() -> None:
    """Raises UsageError on a system without them."""
    if importlib.util.find_spec("fcntl") is None:
        raise UsageError(
            "an external program as a score needs file locks, which only Linux, macOS and their kin have; "
            "elsewhere call it from a Python function, FILE.py:FUNCTION"
        )


def _lock(handle: int) -> None:
    """Raises BlockingIOError where somebody else holds it."""
    import fcntl  # not on every system; `need_locks` has said so

    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
