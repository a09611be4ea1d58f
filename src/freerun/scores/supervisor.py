"""One process of an external program from its start to its end, run as a script by `Batch` in a session of its own.

It outlives freerun: when that is killed, the program goes on under its time limit, its answers land in a file, and how
it ended is left beside them. It imports the standard library only, so that it starts in some twenty milliseconds.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

BLOCK = 4096
"""Bytes. A program that does not flush writes nothing to a file before it has a block of at least so many (glibc 4,096,
Python and Java 8,192), or ends. So a file that grows below this size, and grows again, is that of a program that
flushes; if it has grown only once, the program may be about to end."""
MOST = 1 << 26
"""Bytes. What answers with more has gone wild, and is stopped before it fills the disk."""
SECONDS_TO_LOAD = 300.0
SECONDS_A_LOOK = 0.1


def patience(n_lines: int, n_strings: int, seconds: float, flushes: bool) -> float:
    """The longest silence, in seconds, after `n_lines` answers of `n_strings`.

    A program that flushes may be silent for one string, and for loading before its first answer; any other may hold the
    answers to all strings that are left.
    """
    if flushes and n_lines:
        return seconds
    silence = max(1, n_strings - n_lines) * seconds
    return min(silence, seconds + SECONDS_TO_LOAD) if flushes else silence


def supervise(arguments: Sequence[str], out: Path, n_strings: int, seconds: float, flushes: bool) -> dict:
    """Runs the program, whose answers go to the file `out`, until it ends or is silent for too long.

    Returns:
        `code`: what it ended with, minus the signal's number where one killed it; null: it was too slow, or has printed
        more lines than there are strings, and still runs. `flushes`: whether it was seen to, now or, as the argument
        says, before.
    """
    try:
        process = subprocess.Popen(arguments)
    except OSError as error:
        sys.stderr.write(f"{arguments[0]} does not start: {error.strerror}\n")
        return {"code": 127, "flushes": flushes}
    n_lines, n_small, last = 0, 0, time.monotonic()
    with open(out, "rb") as answers:
        while True:
            try:
                return {"code": process.wait(SECONDS_A_LOOK), "flushes": flushes or n_small > 1}
            except subprocess.TimeoutExpired:
                pass
            if n_new := answers.read(MOST).count(b"\n"):
                n_lines, last = n_lines + n_new, time.monotonic()
                n_small += answers.tell() < BLOCK
            wild = n_lines > n_strings or answers.tell() >= MOST
            if wild or time.monotonic() - last > patience(n_lines, n_strings, seconds, flushes or n_small > 0):
                return {"code": None, "flushes": flushes or n_small > 1}


def main() -> None:
    out, end, n_strings, seconds, flushes, *arguments = sys.argv[1:]
    result = supervise(arguments, Path(out), int(n_strings), float(seconds), flushes == "True")
    aside = Path(f"{end}.part")
    aside.write_text(json.dumps(result), encoding="utf-8")
    aside.replace(end)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # whatever the program has started and left behind, and this process


if __name__ == "__main__":
    main()
