"""What happened while a corpus was read: lines refused, with reasons, and remarks worth saying once."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from freerun.errors import FreerunError, excerpt

N_EXAMPLES = 10


@dataclass(frozen=True, order=True)
class Refusal:
    """One line that was left out.

    Args:
        line: Line number in the file, from 1.
        file: Name of the file.
        position: Index of the first character that cannot be read, from 0.
        reason: What is wrong there.
        text: The line, or the part of it around the position.
    """

    line: int
    file: str
    position: int
    reason: str
    text: str = ""

    def __str__(self) -> str:
        shown = f": {self.text}" if self.text else ""
        return f"{self.file}, line {self.line}, position {self.position}: {self.reason}{shown}"


def refuse(line: int, file: str, position: int, reason: str, text: str = "") -> Refusal:
    """A refusal that shows the neighbourhood of the position, not the whole of a long line."""
    return Refusal(line, file, position, reason, excerpt(text, position) if text else "")


@dataclass
class Refusals:
    """How many lines were left out, and the first of them (by line, whatever the order of finding)."""

    count: int = 0
    examples: list[Refusal] = field(default_factory=list)

    def add(self, refusal: Refusal) -> None:
        self.count += 1
        if len(self.examples) < N_EXAMPLES or refusal < self.examples[-1]:
            self.examples = sorted([*self.examples, refusal])[:N_EXAMPLES]

    def __str__(self) -> str:
        if not self.count:
            return "no line was left out"
        verb = "was" if self.count == 1 else "were"
        return f"{plural(self.count, 'line')} {verb} left out; the first: {self.examples[0]}"

    def to_dict(self) -> dict:
        return {"count": self.count, "examples": [asdict(example) for example in self.examples]}

    @classmethod
    def from_dict(cls, values: dict) -> "Refusals":
        return cls(values["count"], [Refusal(**example) for example in values["examples"]])


@dataclass
class Reading:
    """The minutes of one pass over a split; with `strict` the first refusal ends it.

    Raises:
        FreerunError: By `refused`, if `strict`.
    """

    strict: bool = False
    refusals: Refusals = field(default_factory=Refusals)
    notes: list[str] = field(default_factory=list)

    def refused(self, refusal: Refusal) -> None:
        if self.strict:
            raise FreerunError(f"{refusal}; mend or remove the line, or leave out --strict to skip such lines")
        self.refusals.add(refusal)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def plural(n: int, noun: str) -> str:
    """`1 line`, `2,000 lines`."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def listed(names: Iterable[str], n: int = 20) -> str:
    """Names for an error line: quoted, at most `n` of them."""
    names = list(names)
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(repr(name) for name in names[:n]) + more
