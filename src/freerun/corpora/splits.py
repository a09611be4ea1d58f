"""Which line goes to which split: by its ordinal alone, in one pass, whatever the length of the file."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from freerun.corpora.hashing import hashed


@dataclass(frozen=True)
class SplitRule:
    """How the lines of one file are shared out.

    The first `n_head` lines go to the split `head`. Of every `every` lines after them, one goes to each split of
    `held_out` (its place drawn from the seed), the others to `body`. The ordinals count refused lines too, so that a
    line that cannot be read moves no other line to another split.

    Args:
        body: Split of most lines.
        held_out: Splits that get one line in `every`. Of two lines or more the first of them gets at least one.
        every: Lines to a block, at least len(held_out) + 1.
        head: Split of the first lines.
        n_head: How many they are.
    """

    body: str = "train"
    held_out: tuple[str, ...] = ()
    every: int = 20
    head: str = ""
    n_head: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        names = dict.fromkeys((self.body, *self.held_out, self.head))
        return tuple(name for name in names if name)

    def labels(self, seed: int) -> Iterator[str]:
        """The split of line 0, 1, 2, ... without end."""
        yield from itertools.repeat(self.head, self.n_head)
        if not self.held_out:
            yield from itertools.repeat(self.body)
        for block in itertools.count():
            row = [self.body] * self.every
            for place, name in zip(self._places(seed, block), self.held_out, strict=True):
                row[place] = name
            yield from row

    def _places(self, seed: int, block: int) -> list[int]:
        order = np.argsort(hashed(seed, block, np.arange(self.every))).tolist()
        if block == 0:  # the first held-out line is line 0 or 1, so that a file of two lines has one
            first = next(place for place in order if place < 2)
            return [first, *[place for place in order if place >= 2]][: len(self.held_out)]
        return order[: len(self.held_out)]
