"""Validity, uniqueness and novelty of plain strings, whatever they write."""

import math
from collections.abc import Callable, Iterable, Sequence


def plain_measures(
    strings: Sequence[str], is_valid: Callable[[str], bool], train: Iterable[str] | None = None
) -> dict[str, float]:
    """Validity, and uniqueness and novelty of the valid strings; NaN where there is nothing to divide by.

    Args:
        strings: Samples, invalid ones included.
        is_valid: The representation's own judgement.
        train: The training strings; without them there is no novelty.
    """
    valid = [string for string in strings if is_valid(string)]
    measures = {"validity": ratio(len(valid), len(strings)), "uniqueness": uniqueness(valid)}
    if train is not None:
        measures["novelty"] = novelty(valid, train)
    return measures


def uniqueness(strings: Sequence[str]) -> float:
    """|set(strings)| / |strings|."""
    return ratio(len(set(strings)), len(strings))


def novelty(strings: Iterable[str], train: Iterable[str]) -> float:
    """|set(strings) - train| / |set(strings)|; train is read once, as it stands, and not kept."""
    unique = set(strings)
    new = set(unique)
    for string in train:
        new.discard(string)
    return ratio(len(new), len(unique))


def ratio(part: int | float, whole: int | float) -> float:
    """part / whole; NaN where there is no whole."""
    return part / whole if whole else math.nan
