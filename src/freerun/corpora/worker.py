"""The child process of `workers`: reads frames of strings from standard input, writes replies to standard output."""

import os
import signal
import sys
from collections.abc import Callable

from freerun.corpora.encode import encoder
from freerun.corpora.standardize import parents
from freerun.corpora.workers import Reply, read_frame, write_frame

JOBS: dict[str, Callable[[dict], Callable[[list[str]], Reply]]] = {
    "encode": encoder,
    "parent": lambda _: parents,
}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, and closes the pipe
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes to standard error, not between the frames
    first = read_frame(sys.stdin.buffer)
    if first is None:
        return
    run = JOBS[first[0]["job"]](first[0]["settings"])
    try:
        while (frame := read_frame(sys.stdin.buffer)) is not None:
            write_frame(replies, *run(frame[0]["texts"]))
    except BrokenPipeError:
        os._exit(1)  # the parent is gone: nobody to tell, and closing the pipe would fail once more


if __name__ == "__main__":
    main()
