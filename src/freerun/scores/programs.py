"""Processes that run one function, side by side: the next strings go to the one that is done first."""

import collections
import queue
import threading
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from freerun.scores.attempt import Failure
from freerun.scores.program import Program, Stopped

Answer = tuple[int, float, Failure | None]
"""Position of the string, its value, and what went wrong."""


class Programs:
    """Some `Program` of one name; each is started when it is needed, and anew when it has died or was too slow.

    Args:
        name: `FILE.py:FUNCTION`, or a score.
        seconds: The longest time of a string.
        n_workers: Processes at once.
    """

    def __init__(self, name: str, seconds: float, n_workers: int):
        self.name, self.seconds = name, seconds
        self._running: list[Program | None] = [None] * n_workers
        self._given_up = threading.Event()

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        for place, program in enumerate(self._running):
            if program is not None:
                program.close()
                self._running[place] = None

    def answers(self, strings: Sequence[str]) -> Generator[Answer, None, None]:
        """Each string once, in the order in which they are answered.

        Raises:
            FreerunError: If the function cannot be loaded.
        """
        if len(self._running) == 1:
            yield from self._of_piece(0, 0, strings)
            return
        pieces = self._pieces(len(strings))
        self._given_up.clear()
        found = queue.SimpleQueue[Answer | BaseException | None]()

        def work(place: int) -> None:
            try:
                while not self._given_up.is_set():
                    first, after = pieces.popleft()
                    for answer in self._of_piece(place, first, strings[first:after]):
                        found.put(answer)
            except IndexError:  # no piece is left
                pass
            except BaseException as error:
                found.put(error)
            finally:
                found.put(None)

        threads = [threading.Thread(target=work, args=(place,)) for place in range(len(self._running))]
        for thread in threads:
            thread.start()
        n_at_work = len(threads)
        try:
            while n_at_work:
                answer = found.get()
                if isinstance(answer, BaseException):
                    raise answer
                if answer is None:
                    n_at_work -= 1
                else:
                    yield answer
        finally:
            if n_at_work:
                self._given_up.set()
                for program in filter(None, self._running):
                    program.kill()  # its thread closes the pipes
            for thread in threads:
                thread.join()

    def _pieces(self, n: int) -> "collections.deque[tuple[int, int]]":
        """Ever smaller ones, so that all processes end at about the same time."""
        pieces, first = collections.deque[tuple[int, int]](), 0
        while first < n:
            size = max(1, (n - first) // (2 * len(self._running)))
            pieces.append((first, first + size))
            first += size
        return pieces

    def _of_piece(self, place: int, first: int, strings: Sequence[str]) -> Iterator[Answer]:
        """By the process at this place, one after the other; a new one goes on behind a string that it died of."""
        at = 0
        while at < len(strings) and not self._given_up.is_set():
            program = self._running[place] = self._running[place] or Program(self.name)
            if self._given_up.is_set():  # while it was being loaded
                return
            program.ask(strings[at:], together=False)
            try:
                while at < len(strings):
                    values, failure = program.answer(self.seconds)
                    yield first + at, float(values[0]), failure
                    at += 1
            except Stopped as stopped:
                program.close()
                self._running[place] = None
                yield first + at, np.nan, stopped.failure
                at += 1
