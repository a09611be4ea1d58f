"""Ctrl-C and SIGTERM as a polite request: the step under way ends, everything is saved, then the run stops."""

import os
import signal
import sys
import threading
from types import FrameType

STOPPING = b"\nstopping after the step under way; Ctrl-C again stops at once, and loses that step\n"


class Stop:
    """Within the block, `requested` says whether SIGINT or SIGTERM came; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGINT, signal.SIGTERM):
                self._before[name] = signal.signal(name, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
        if number == signal.SIGINT and sys.stderr.isatty():
            os.write(sys.stderr.fileno(), STOPPING)  # a step that waits for a slow score may last; no buffer is entered
