"""The splits of a run under its constraint: their masks, the lines outside its language, the batches to validate on."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from freerun.config import Config
from freerun.constraints.base import AbstractConstraint
from freerun.corpora.batches import Batch, Batches
from freerun.corpora.masks import Split, StoredMasks, refusals, stored
from freerun.corpora.reading import plural
from freerun.errors import FreerunError, UsageError

Notify = Callable[[str], None]
N_REFUSALS_TOLD = 3


@dataclasses.dataclass(frozen=True)
class Validation:
    """Held-out sequences, and the number of characters of their strings."""

    batched: Batches
    n_most: int
    n_chars: int = 0

    def batches(self) -> Iterator[Batch]:
        """Batches in order of length: all, or evenly spaced ones that hold about `n_most` sequences."""
        n_wanted = max(1, self.n_most // self.batched.batch_size)
        return itertools.islice(self.batched.all(), 0, None, max(1, self.batched.n_batches // n_wanted))


def masks_of(constraint: AbstractConstraint, budget: int, splits: Mapping[str, Split]) -> dict[str, StoredMasks]:
    """The masks of each split; none at all where every token may follow.

    Raises:
        UsageError: If no string of the language fits into the budget.
    """
    try:
        constraint.start(1, budget)
    except ValueError as error:
        raise UsageError(f"run.max_length: {error}") from error
    if constraint.is_free:
        return {}
    return dict(zip(splits, stored(constraint, budget, list(splits.values())), strict=True))


def tell_forbidden(split: Split, masks: StoredMasks, strict: bool, notify: Notify) -> None:
    """Lines that the representation can write and the constraint forbids: how many, and why the first of them."""
    n = int((masks.refused >= 0).sum())
    examples = refusals(split, masks, N_REFUSALS_TOLD)
    if n and strict:
        raise FreerunError(f"{examples[0]}; mend or remove the line, or leave out --strict to skip such lines")
    if n:
        notify(f"{plural(n, 'line')} outside the language of the constraint, skipped:")
        for example in examples:
            notify(f"  {example}")


def validation_of(
    config: Config, budget: int, split: Split, masks: StoredMasks | None, columns: Mapping[str, np.ndarray]
) -> Validation:
    size = max(256, config.method.batch_size)
    batched = Batches(split.encoded, split.representation, size, max_tokens=budget, columns=columns, masks=masks)
    validation = Validation(batched, config.run.n_validate)
    rows = [row for batch in validation.batches() for row in batch.rows.tolist()]
    return dataclasses.replace(validation, n_chars=max(1, sum(len(text) for text in split.encoded.strings(rows))))
