"""The child process of `parallel`: a line of JSON strings in, their molecules out, until the input ends."""

import json
import os
import signal
import sys

from freerun.metrics.molecules import describe


def main() -> None:
    """Ctrl-C is the parent's business; whatever a library prints must not come between the answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        for line in sys.stdin.buffer:
            answer = describe(json.loads(line)).to_bytes()
            answers.write(len(answer).to_bytes(8, "little") + answer)
            answers.flush()


if __name__ == "__main__":
    main()
