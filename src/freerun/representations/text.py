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
    """Characters as they stand, or words: what stands between white space, joined by single spaces."""

    name: ClassVar[str] = "text"
    is_chemical: ClassVar[bool] = False

    unit: Literal["character", "word"] = "character"
    lower: bool = False  # write everything in lower case
    blanks: bool = True  # of characters: keep white space; else `x + 1` is `x+1`

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
        return words

    def tokenize_prefix(self, text: str) -> list[str]:
        return self.tokenize(text)

    def detokenize(self, tokens: Sequence[str]) -> str:
        return self.separator.join(tokens)

    def is_valid(self, text: str) -> bool:
        return True

    def augment(self, text: str, rng: np.random.Generator) -> str:
        return text
