"""Processes that run one function, side by side: the next string goes to the one that is done first."""

import queue
import threading
from collections.abc import Generator, Sequence

import numpy as np

from freerun.scores.attempt import Failure
from freerun.scores.program import Program, Stopped

Answer = tuple[int, float, Failure | None]
"""Position of the string, its value, and what went wrong."""
Todo = queue.SimpleQueue[tuple[int, str]]
Found = queue.SimpleQueue[Answer | BaseException | None]
"""What the threads tell: answers, why one gave up, and None from each at its end."""


class Programs:
    """Some `Program` of one name; each is started when it is needed, and anew when it has died or was too slow.

    Args:
        name: `FILE.py:FUNCTION`, or a score.
        seconds: The longest time of a string.
        n_workers: Processes at once.
    """

    def __init__(self, name: str, seconds: float, n_workers: int):
        if n_workers < 1:
            raise ValueError(f"n_workers = {n_workers} must be at least 1")
        self.name, self.seconds = name, seconds
        self._running: list[Program | None] = [None] * n_workers
        self._given_up = False

    def close(self) -> None:
        """Ends the processes, whatever they are doing."""
        for place in range(len(self._running)):
            self._close(place)

    def answers(self, strings: Sequence[str]) -> Generator[Answer, None, None]:
        """Each string once, as they are answered: nearly in order. Left before its end, it ends the processes.

        Raises:
            FreerunError: If the function cannot be loaded.
        """
        todo: Todo = queue.SimpleQueue()
        for each in enumerate(strings):
            todo.put(each)
        found: Found = queue.SimpleQueue()
        threads: list[threading.Thread] = []
        self._given_up, n_at_work = False, 0
        try:
            for place in range(min(len(self._running), len(strings))):
                thread = threading.Thread(target=self._work, args=(place, todo, found))
                thread.start()
                threads.append(thread)
                n_at_work += 1
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
                self._given_up = True
                for program in filter(None, self._running):
                    program.kill()
            for thread in threads:
                thread.join()
            if n_at_work:
                self.close()

    def _work(self, place: int, todo: Todo, found: Found) -> None:
        """What one thread does: a string after the other, until none is left."""
        try:
            while not self._given_up:
                try:
                    at, string = todo.get_nowait()
                except queue.Empty:
                    return
                found.put((at, *self._value(place, string)))
        except BaseException as error:
            found.put(error)
        finally:
            found.put(None)

    def _value(self, place: int, string: str) -> tuple[float, Failure | None]:
        """By the process at this place; one that it dies of, or that takes too long, costs no other its value."""
        if (program := self._running[place]) is None:
            program = self._running[place] = Program(self.name)
            if self._given_up:  # whoever did so has not seen this one
                program.kill()
            program.load()
        program.ask([string])
        try:
            values, failure = program.answer(self.seconds)
        except Stopped as stopped:
            self._close(place)
            return np.nan, stopped.failure
        return float(values[0]), failure

    def _close(self, place: int) -> None:
        program, self._running[place] = self._running[place], None
        if program is not None:
            program.close()
