"""A score computed by an external program: strings on its standard input, one number a line on its standard output."""

import hashlib
import math
import shlex
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from freerun.errors import FreerunError, UsageError, excerpt
from freerun.scores.attempt import Failure
from freerun.scores.command_batch import CommandBatch, left_in, need_locks
from freerun.scores.verdict import Answer, Ending, blames, judged

SECONDS_A_LOOK = 0.01
N_HOPELESS = 10
"""A program that dies on so many strings, each by itself, before it has answered any is not worth another one."""
NOT_SENT: Failure = ("not sent", "it holds a line break, and the program gets one string a line")


class Command:
    """A program with its arguments, run once for each batch of strings, which it reads to the end of its input.

    What it answers is never lost: freerun may be killed at any moment, the program goes on, and the next `Command` with
    the same folder finds its answers. Files are kept until `written` is called.

    Args:
        argument: Program and arguments as one would type them (`./dock.sh --fast`); no shell ever sees them.
        folder: Where the files of the batches lie; None: a temporary one, which nobody will find again.
        batch: Strings at most for one process.
        seconds: The longest time of a string: of silence after an answer, if the program flushes its output after each;
            else, times the strings it has left.
        n_workers: Processes at once.

    Raises:
        UsageError: If there is no such program, or it may not be run; on a system without POSIX locks.
        ValueError: If a number is not above 0.
    """

    def __init__(
        self,
        argument: str,
        folder: Path | None = None,
        batch: int = 64,
        seconds: float = 60.0,
        n_workers: int = 1,
    ):
        if not (batch >= 1 and n_workers >= 1 and seconds > 0):
            raise ValueError(f"batch {batch}, n_workers {n_workers} and seconds {seconds:g} must be above 0")
        need_locks()
        self.arguments = found(argument)
        self.argument, self.batch, self.seconds, self.n_workers = argument, batch, seconds, n_workers
        self._temporary = None if folder else Path(tempfile.mkdtemp(prefix="freerun-"))
        self._folder = folder or self._temporary or Path()
        self._name = "command-" + hashlib.sha256(argument.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        self._left = left_in(self._folder, self._name)
        self._recovered: dict[str, float] | None = None
        self._running: dict[CommandBatch, list[int]] = {}
        self._handed: list[CommandBatch] = []  # all their answers are with the caller
        self._n_started = max([batch.number for batch in self._left], default=0)
        self._flushes = False
        self._n_deaths = 0
        self._is_mute = False  # a batch was too slow, and nothing was ever answered
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Kills what runs. Files that were not `written` stay in the folder, for the next time."""
        for batch in self._running:
            batch.kill()
        self._running.clear()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def recovered(self) -> dict[str, float]:
        """What batches left in the folder by a killed freerun have answered, NaN for strings that failed.

        Waits for programs that still run. Nothing in it is ever asked again by this object.

        Raises:
            FreerunError: If one of them does not end within its time limit.
        """
        values = self._known()
        self._handed += self._left
        self._left = []
        return dict(values)

    def _known(self) -> dict[str, float]:
        if self._recovered is None:
            values: dict[str, float] = {}
            for batch in self._left:
                strings = batch.strings
                self._wait(batch, 2 * len(strings) * self.seconds)
                ending = batch.ending
                if ending is not None and ending.code is not None and ending.code < 0:
                    ending = None  # by a signal, so perhaps with all the others, when the machine was to stop
                answers = judged(len(strings), batch.printed, ending, self.seconds)
                values |= {string: value for string, (value, _) in zip(strings, answers, strict=False)}
            self._recovered = values
            self._answered = bool(values)
        return self._recovered

    def written(self) -> None:
        """All answers that were handed out so far are safe with the caller: their files are removed."""
        for batch in self._handed:
            batch.remove()
        self._handed.clear()

    def answers(self, strings: Sequence[str]) -> Iterator[tuple[int, float, Failure | None]]:
        """Position, value (NaN where there is none) and what went wrong, as batches end: in any order, each once.

        Whoever leaves the iteration before its end has closed this object.

        Raises:
            FreerunError: If the program dies on the first strings without having answered any, or cannot be started.
        """
        try:
            known = self._known()
            asked = []
            for at, string in enumerate(strings):
                if "\n" in string or "\r" in string:
                    yield at, math.nan, NOT_SENT
                elif string in known:
                    yield at, known[string], None
                else:
                    asked.append(at)
            yield from self._asked(strings, asked)
        except BaseException:
            self.close()
            raise

    def _asked(self, strings: Sequence[str], asked: list[int]) -> Iterator[tuple[int, float, Failure | None]]:
        size = max(1, min(self.batch, -(-len(asked) // self.n_workers)))
        waiting = deque(asked[at : at + size] for at in range(0, len(asked), size))
        while waiting or self._running:
            while waiting and len(self._running) < self.n_workers:
                self._start(strings, self._next(waiting))
            ended = [batch for batch in self._running if not batch.running]
            if not ended:
                time.sleep(SECONDS_A_LOOK)
            for batch in ended:
                positions = self._running.pop(batch)
                answers = self._judged(batch, [strings[at] for at in positions], len(asked))
                rest = positions[len(answers) :]
                # Where no string is to blame, two halves find the one that is.
                half = 0 if blames(answers) else len(rest) // 2
                waiting.extendleft(part for part in (rest[half:], rest[:half]) if part)
                yield from self._handed_out(batch, positions, answers)

    def _next(self, waiting: deque[list[int]]) -> list[int]:
        """A batch; one string alone after one that was too slow, as long as nothing was ever answered."""
        first = waiting.popleft()
        if self._is_mute and not self._answered and len(first) > 1:
            waiting.appendleft(first[1:])
            return first[:1]
        return first

    def _handed_out(
        self, batch: CommandBatch, positions: list[int], answers: list[Answer]
    ) -> Iterator[tuple[int, float, Failure | None]]:
        for number, (value, failure) in enumerate(answers):
            if number == len(answers) - 1:
                self._handed.append(batch)  # now, as the caller may say `written` before it asks for the next
            yield positions[number], value, failure
        if not answers:
            self._handed.append(batch)

    def _start(self, strings: Sequence[str], positions: list[int]) -> None:
        self._n_started += 1
        batch = CommandBatch(self._folder, self._name, self._n_started)
        self._running[batch] = positions
        batch.start(self.arguments, [strings[at] for at in positions], self.seconds, flushes=self._flushes)

    def _judged(self, batch: CommandBatch, strings: Sequence[str], n_asked: int) -> list[Answer]:
        if (ending := batch.ending) is None:
            batch.kill()  # somebody has killed the supervisor alone
            ending = Ending(-signal.SIGTERM, words=batch.last_words())
        printed = batch.printed
        self._flushes = self._flushes or ending.flushes
        self._answered = self._answered or bool(printed)
        self._is_mute = not self._answered and ending.code is None
        answers = judged(len(strings), printed, ending, self.seconds)
        if not self._answered and ending.code != 0 and answers:
            self._n_deaths += 1
            if self._n_deaths >= (min(N_HOPELESS, n_asked) if ending.code else N_HOPELESS):
                how = f"ended with {ending.code}" if ending.code else f"gave no answer within {self.seconds:g} s"
                raise FreerunError(
                    f"{self.argument} {how} on each of its first {self._n_deaths} strings, such as "
                    f"{excerpt(strings[0])}, and has answered none (it says: {batch.last_words(5) or 'nothing'}); "
                    "it must read strings from its standard input, one a line, and print one number for each, "
                    "nan where there is none"
                )
        return answers

    def _wait(self, batch: CommandBatch, seconds: float) -> None:
        until = time.monotonic() + seconds + 10
        while batch.running:
            if time.monotonic() > until:
                raise FreerunError(
                    f"{self.argument}, started by a freerun that was killed, still runs and writes to "
                    f"{batch.path('.out')}; end it, then start again: what it has answered is kept"
                )
            time.sleep(SECONDS_A_LOOK)


def words_of(argument: str) -> list[str]:
    """A command line as words, as a shell would split it.

    Raises:
        UsageError: If a quotation mark is left open.
    """
    try:
        return shlex.split(argument)
    except ValueError as error:
        raise UsageError(f"the command {excerpt(argument)} cannot be split into words: {error}") from error


def found(argument: str) -> list[str]:
    """The program's full path, and its arguments.

    Raises:
        UsageError: If it is not there or may not be run, or a quotation mark is left open.
    """
    arguments = words_of(argument)
    if not arguments:
        raise UsageError("command needs a program, with its arguments: command:./dock.sh --fast")
    program = shutil.which(arguments[0])
    if program is None and Path(arguments[0]).is_file():
        raise UsageError(f"the program {excerpt(arguments[0])} may not be run; chmod +x {shlex.quote(arguments[0])}")
    if program is None:
        raise UsageError(f"there is no program {excerpt(arguments[0])}; give its path, as ./dock.sh, or install it")
    return [str(Path(program).absolute()), *arguments[1:]]
