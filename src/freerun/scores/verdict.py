"""What the lines that an external program has printed, and its end, say of the strings that it was given."""

import dataclasses
import math
import signal

from freerun.errors import excerpt
from freerun.scores.attempt import Failure
from freerun.scores.supervisor import BLOCK

Answer = tuple[float, Failure | None]
"""The value, NaN where there is none, and what went wrong."""

DIED, TOO_SLOW = "died", "too slow"
OUTSIDE = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""A machine or a person that stops everything sends these: no string does."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a program ended.

    Args:
        code: Its exit code, minus the signal's number where one killed it; None: it was too slow, and was killed.
        flushes: It is known to write each answer at once.
        words: The last line of its standard error.
    """

    code: int | None
    flushes: bool = False
    words: str = ""


def judged(n: int, printed: bytes, ending: Ending | None, seconds: float) -> list[Answer]:
    """What is known of the first of `n` strings, in order; the others are to be asked again.

    Whole lines are the answers to the first strings. But where a program has printed too many, or too few and ended as
    if all were well, nobody knows which line belongs to which string, and all of them fail.

    One that died or was too slow failed at the string after its last answer, if it can be said which was the last: its
    answers come at once, or were less than a block, or one string is left. If it cannot, no string is to blame.

    Args:
        ending: None: the program was stopped from outside, and no string is to blame.
        seconds: The time limit, for the reason.
    """
    done = ending is not None and ending.code == 0
    n_lines = printed.count(b"\n") + (done and not printed.endswith(b"\n") and printed != b"")
    said = f"; it says: {ending.words}" if ending is not None and ending.words else ""
    if n_lines > n or (n_lines < n and done):
        kind = "too many lines" if n_lines > n else "too few lines"
        reason = f"{n_lines} lines for {n} strings; print one number a string, nan where there is none{said}"
        return [(math.nan, (kind, reason))] * n
    answers = [_number(line, said) for line in printed.split(b"\n")[:n_lines]]
    if n_lines == n or ending is None:
        return answers
    known = ending.code not in OUTSIDE and (ending.flushes or 0 < len(printed) < BLOCK)
    if known or n_lines == n - 1:
        late = ending.code is None
        reason = f"no answer within {seconds:g} s" if late else f"its process ended with {ending.code}"
        answers.append((math.nan, (TOO_SLOW if late else DIED, reason + said)))
    return answers


def blames(answers: list[Answer]) -> bool:
    """Whether the last string is the one at which the program died, or was too slow."""
    failure = answers[-1][1] if answers else None
    return failure is not None and failure[0] in (DIED, TOO_SLOW)


def _number(line: bytes, said: str) -> Answer:
    text = line.decode("utf-8", "replace").strip()
    try:
        return float(text), None
    except ValueError:
        return math.nan, ("no number", f"printed {excerpt(text)}{said}")
