"""What readers of grammar files have in common: places in the text, errors there, rules before they are checked."""

import dataclasses

from freerun.errors import UsageError


@dataclasses.dataclass(frozen=True, order=True)
class Place:
    """Line and column in a grammar file, both from 1."""

    line: int
    column: int


class GrammarError(UsageError):
    """A grammar that cannot be used: `my.lark:3:7: why`; a traceback shows the line with a caret below it too."""

    def __init__(self, source: "Source", place: Place, reason: str):
        self.name, self.line, self.column, self.reason = source.name, place.line, place.column, reason
        super().__init__(f"{source.name}:{place.line}:{place.column}: {reason}")
        lines = source.text.split("\n")
        if place.line <= len(lines):
            line = lines[place.line - 1].expandtabs(1)
            self.add_note(f"    {line}\n    {' ' * (place.column - 1)}^")


@dataclasses.dataclass(frozen=True)
class Source:
    """A grammar file's text, and what errors call it."""

    text: str
    name: str

    def place(self, offset: int) -> Place:
        """Line and column of a character."""
        start = self.text.rfind("\n", 0, offset) + 1
        return Place(self.text.count("\n", 0, offset) + 1, offset - start + 1)

    def error(self, place: Place, reason: str) -> GrammarError:
        return GrammarError(self, place, reason)


@dataclasses.dataclass(frozen=True)
class Named:
    """A nonterminal where a right side names it. Equal to another mention of the same name."""

    name: str
    place: Place = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Draft:
    """A rule as it was read: its left side, what it derives (nonterminals by name, literals), where it stands."""

    left: str
    right: tuple[Named | str, ...]
    place: Place
