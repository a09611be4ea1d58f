"""Which strings stand in the training set of a run: what is not novel."""

from collections.abc import Callable, Iterator

import numpy as np

from freerun.corpora.store import EncodedSplit
from freerun.prepare import reopen
from freerun.trained import Trained


def training_strings(trained: Trained) -> Callable[[list[str]], list[bool]]:
    """Whether strings stand in the run's training or validation split, as they are written there (by 64-bit hash)."""
    prepared = reopen(trained.folder, lambda _: None)
    splits = [split for split in (prepared.train, prepared.valid) if split is not None]
    known = np.unique(np.fromiter((hash(text) for split in splits for text in _strings(split)), dtype=np.int64))

    def is_known(strings: list[str]) -> list[bool]:
        return np.isin(np.array([hash(text) for text in strings], dtype=np.int64), known).tolist()

    return is_known


def _strings(split: EncodedSplit, at_once: int = 65_536) -> Iterator[str]:
    for start in range(0, len(split), at_once):
        yield from split.strings(range(start, min(start + at_once, len(split))))
