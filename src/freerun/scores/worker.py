"""The child process of `Program`: loads one function, then answers frames of strings, until the input ends.

Frames are those of `corpora.workers`. To `{"program": ...}` it answers `{}`, or `{"error": ...}`; to `{"texts": [...]}`
one frame with the values of all. The frame of a failure names kind and reason.
"""

import importlib.util
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freerun.corpora.workers import read_frame, write_frame
from freerun.scores import find_score
from freerun.scores.attempt import attempt


def loaded(program: str) -> Callable[[Sequence[str]], Any]:
    """The function that `FILE.py:FUNCTION` names (the file may import its neighbours), or the score of this name."""
    path, _, name = program.rpartition(":")
    if not path.endswith(".py"):
        return find_score(program)
    spec = importlib.util.spec_from_file_location("freerun_program", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(Path(path).resolve().parent))
    spec.loader.exec_module(module)
    return getattr(module, name)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and closes the pipe
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the function prints goes to standard error, not between the frames
    first = read_frame(sys.stdin.buffer)
    if first is None:
        return
    warnings.simplefilter("ignore")  # the parent has told them, where it loaded the same
    try:
        function = loaded(first[0]["program"])
    except Exception as error:
        write_frame(replies, {"error": f"{type(error).__name__}: {error}"}, b"")
        return
    write_frame(replies, {}, b"")
    try:
        while (frame := read_frame(sys.stdin.buffer)) is not None:
            values, failure = attempt(function, frame[0]["texts"])
            write_frame(replies, {"failure": failure}, values.tobytes())
    except BrokenPipeError:
        os._exit(1)  # the parent is gone: nobody to tell, and closing the pipe would fail once more


if __name__ == "__main__":
    main()
