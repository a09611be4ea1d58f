"""What a person sees while it works: a line with rate and time left, rewritten on a terminal. All on stderr."""

import sys
import time
import warnings
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from freerun.run import Progress

EVERY_SECONDS = 0.2  # on a terminal
EVERY_SECONDS_PLAIN = 15.0  # in a log file
# What is told of a step: the first of these that it logs.
TOLD = {
    "objective": "objective {:.4f}",
    "reward": "reward {:.4f}",
    "nll_per_token": "NLL {:.4f} a token",
    "reconstruction_nll_per_token": "NLL {:.4f} a token",
    "critic_accuracy_held_out": "critic right {:.3f}",
}


class Screen:
    """One line that is rewritten on a terminal; a line now and then elsewhere."""

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self._shown_at = self._began_at = time.monotonic()
        self._dirty = False
        self._first: Progress | None = None
        self._noted: set[str] = set()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self.stream, flush=True)

    def training(self, progress: "Progress") -> None:
        if self._first is None or progress.step < self._first.step:  # a new run
            self._first = progress
        is_last = progress.step == progress.n_steps
        if not (is_last or self._is_due()):
            return
        steps = progress.step - self._first.step
        seconds = progress.seconds - self._first.seconds
        left = (progress.n_steps - progress.step) * seconds / steps if steps else 0.0
        rate = (progress.tokens - self._first.tokens) / seconds if steps and seconds else 0.0
        told = [words.format(progress.logs[name]) for name, words in TOLD.items() if name in progress.logs]
        parts = [
            f"{progress.phase} {progress.step:,}/{progress.n_steps:,}",
            f"{100 * progress.step / progress.n_steps:.0f} %",
            f"{rate:,.0f} tokens/s",
            f"{clock(left)} left" if steps else "",
            *told[:1],
        ]
        self._show("  ".join(part for part in parts if part))

    def work(self, part: str, done: int, total: int) -> None:
        """Progress of a part of the measures, or of reading."""
        if self._is_due():
            share = f"{done:,} of {total:,}" if total else f"{done:,}"
            self._show(f"{part}: {share}")

    def close(self) -> None:
        if self._dirty:
            print(file=self.stream, flush=True)
            self._dirty = False

    def warn(self, message: Warning | str, category: type, filename: str, line: int, *_: object) -> None:
        """In place of Python's own display of warnings; each once."""
        if str(message) not in self._noted:
            self._noted.add(str(message))
            self.say(f"note: {message}")

    def __enter__(self) -> "Screen":
        self._showwarning = warnings.showwarning
        warnings.showwarning = self.warn
        return self

    def __exit__(self, *exception: object) -> None:
        warnings.showwarning = self._showwarning
        self.close()

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._shown_at < (EVERY_SECONDS if self.is_terminal else EVERY_SECONDS_PLAIN):
            return False
        self._shown_at = now
        return True

    def _show(self, text: str) -> None:
        if self.is_terminal:
            print(f"\r\x1b[2K{text}", end="", file=self.stream, flush=True)
            self._dirty = True
        else:
            print(text, file=self.stream, flush=True)

    def _clear(self) -> None:
        if self._dirty:
            print("\r\x1b[2K", end="", file=self.stream, flush=True)
            self._dirty = False


def clock(seconds: float) -> str:
    """1:02:03, 2:03, or 3 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
