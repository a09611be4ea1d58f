"""Any text, split into characters or words."""

import dataclasses
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from freerun.constraints.base import SPECIALS
from freerun.errors import InvalidSequence
from freerun.representations.base import AbstractRepresentation

RESERVED = frozenset(SPECIALS)


@dataclasses.dataclass(frozen=True)
class Text(AbstractRepresentation):
    """Characters as they stand, or words: what stands between white space, joined by single spaces.

    Args:
        lower: Write everything in lower case.
        blanks: Of characters: keep white space; else `x + 1` is `x+1`.
        numbers: Of words: they are the whole numbers from 0 to this one, less 1, and all of these are in the
            vocabulary, in their order, whatever a corpus shows; 0: the words are those of the corpus.

    Raises:
        ValueError: If `numbers` is asked of characters.
    """

    name: ClassVar[str] = "text"
    is_chemical: ClassVar[bool] = False

    unit: Literal["character", "word"] = "character"
    lower: bool = False
    blanks: bool = True
    numbers: int = 0

    def __post_init__(self):
        if self.numbers and self.unit != "word":
            raise ValueError(f'numbers = {self.numbers} are words; set unit = "word"')

    @property
    def code_version(self) -> str:
        return "1"

    @property
    def separator(self) -> str:
        return " " if self.unit == "word" else ""

    def normalise(self, text: str) -> str:
        return self.detokenize(self.tokenize(text))

    def tokenize(self, text: str) -> list[str]:
        if self.lower:
            text = text.lower()
        if self.unit == "character":
            return [character for character in text if self.blanks or not character.isspace()]
        words = text.split()
        if not RESERVED.isdisjoint(words):
            found = next(match for match in re.finditer(r"\S+", text) if match[0] in RESERVED)
            raise InvalidSequence(text, found.start(), f"the word {found[0]!r} is reserved (rename it)")
        if self.numbers:
            self._refuse_others(text)
        return words

    def _refuse_others(self, text: str) -> None:
        for match in re.finditer(r"\S+", text):
            if not re.fullmatch(r"0|[1-9][0-9]{0,8}", match[0], re.ASCII) or int(match[0]) >= self.numbers:
                rule = f"the word {match[0]!r} is no whole number from 0 to {self.numbers - 1}"
                raise InvalidSequence(text, match.start(), rule)

    def tokenize_prefix(self, text: str) -> list[str]:
        return self.tokenize(text)

    def detokenize(self, tokens: Sequence[str]) -> str:
        return self.separator.join(tokens)

    @property
    def fixed_vocab(self) -> tuple[str, ...]:
        return tuple(map(str, range(self.numbers)))

    def is_valid(self, text: str) -> bool:
        return True

    def augment(self, text: str, rng: np.random.Generator) -> str:
        return text
