"""What is asked of a rater: strings in a seeded order, some of them twice."""

import dataclasses

import numpy as np

from freerun.errors import UsageError

SCALES = range(2, 10)  # one key each


@dataclasses.dataclass(frozen=True)
class Item:
    """One string to rate.

    Args:
        string: What the answer is kept under: the canonical SMILES of a molecule, else the string itself.
        raw: As it was written.
    """

    string: str
    raw: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """One round of rating.

    Args:
        items: The strings, each once.
        order: Which item is asked at each place; one that comes again measures the rater.
        scale: Ratings are 1 to this.
        is_chemical: Whether the strings are molecules, and are drawn.
        file: Name of the file of answers.
        rater: Who answers, where that is known.
    """

    items: tuple[Item, ...]
    order: tuple[int, ...]
    scale: int
    is_chemical: bool
    file: str = "people.csv"
    rater: str = ""


def order_of(n: int, repeat: float, seed: int) -> tuple[int, ...]:
    """n items in random order, and a share of them again, each at least a sixth of the way later.

    Raises:
        UsageError: If the share is not from 0 to 0.5.
    """
    if not 0 <= repeat <= 0.5:
        raise UsageError(f"--repeat {repeat:g} must be from 0 to 0.5: the share of the strings that are asked twice")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n).tolist()
    n_again = min(round(repeat * n), n // 2)
    again = rng.permutation(order[: n // 2])[:n_again].tolist()
    first = n - n // 3
    places = np.sort(rng.integers(first, n + 1, n_again))
    return tuple(np.insert(np.array(order, dtype=np.int64), places, np.array(again, dtype=np.int64)).tolist())


def check_scale(scale: int) -> None:
    """Raises:
    UsageError: If there is no key for each rating.
    """
    if scale not in SCALES:
        raise UsageError(f"--scale {scale} must be from {SCALES[0]} to {SCALES[-1]}: each rating has one key")
