"""What a grammar file in lark's EBNF says, as trees. Trees are equal if they say the same, wherever they stand."""

import dataclasses
import re

from freerun.grammars.draft import Place


@dataclasses.dataclass(frozen=True)
class Literal:
    """A string as it stands; `ignore_case`: in any mixture of cases."""

    text: str
    ignore_case: bool = False


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A regular expression, its flags inside."""

    pattern: str


@dataclasses.dataclass(frozen=True)
class Mention:
    """A rule or a terminal by name."""

    name: str
    place: Place = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Repeat:
    """A tree `low` to `high` times; None: any number of times."""

    tree: "Tree"
    low: int
    high: int | None


@dataclasses.dataclass(frozen=True)
class Choice:
    """Alternatives, each a sequence."""

    alternatives: tuple["Sequence", ...]


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Trees one after the other."""

    trees: tuple["Tree", ...]
    place: Place = dataclasses.field(compare=False)


Tree = Literal | Pattern | Mention | Repeat | Choice


@dataclasses.dataclass(frozen=True)
class Definition:
    """A rule or terminal with its alternatives."""

    name: str
    choice: Choice
    place: Place

    @property
    def is_terminal(self) -> bool:
        return is_terminal(self.name)


@dataclasses.dataclass(frozen=True)
class File:
    """What a file says: definitions in order, imports (new name -> name in lark's `common`, place), what is ignored."""

    definitions: tuple[Definition, ...]
    imports: dict[str, tuple[str, Place]]
    ignored: tuple[Choice, ...]


def is_terminal(name: str) -> bool:
    """Whether a name is a terminal's: of capital letters, behind `_` if any."""
    return name.strip("_")[:1].isupper()


def mentions(tree: Tree) -> list[Mention]:
    """All names in a tree, in order."""
    if isinstance(tree, Mention):
        return [tree]
    if isinstance(tree, Repeat):
        return mentions(tree.tree)
    if isinstance(tree, Choice):
        return [found for one in tree.alternatives for part in one.trees for found in mentions(part)]
    return []


def shown(tree: Tree) -> str:
    """A tree in a word or two, as the name of its helper."""
    if isinstance(tree, Mention):
        return tree.name
    if isinstance(tree, Literal):
        return f'"{tree.text}"' + "i" * tree.ignore_case
    if isinstance(tree, Pattern):
        return tree.pattern if re.fullmatch(r"\[[^][]*\]", tree.pattern) else f"/{tree.pattern}/"
    if isinstance(tree, Repeat):
        often = {(0, None): "*", (1, None): "+", (0, 1): "?"}
        return shown(tree.tree) + often.get((tree.low, tree.high), f"~{tree.low}..{tree.high}")
    return f"({' | '.join(' '.join(map(shown, one.trees)) for one in tree.alternatives)})"
