"""What an optimisation is asked for, and what comes of it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from freerun.errors import UsageError
from freerun.objectives.objective import Objective
from freerun.objectives.terms import Term
from freerun.search.history import Asked
from freerun.settings import named

FEWEST_AT_START = 10
WAYS = {
    "latent": "Bayesian optimisation among the codes of a latent model",
    "best-of-n": "strings that the run writes by itself",
    "random": "strings of the run's language, without its model",
}
PROTOCOLS = ("trust-region", "neighbours", "retraining", "published")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be optimised, and how.

    Args:
        scores: `NAME` or `NAME:WEIGHT`, each.
        by: One of `WAYS`.
        budget: Queries of each seed; the strings of the start are not counted.
        protocol: One of `PROTOCOLS`, of the latent search.
        n_seeds: Searches, from `seed` on.
        start: Strings whose scores the latent search begins with; none: training strings of the run.
        n_start: How many training strings are drawn for it.
        max_length: Most tokens of a string; 0: as in training.
    """

    scores: tuple[str, ...]
    by: str = "latent"
    budget: int = 500
    protocol: str = "trust-region"
    seed: int = 0
    n_seeds: int = 1
    start: tuple[str, ...] = ()
    n_start: int = 1000
    max_length: int = 0

    def __post_init__(self):
        named(WAYS, self.by, "way")
        named(dict.fromkeys(PROTOCOLS), self.protocol, "protocol")
        for name, least in {"budget": 1, "n_seeds": 1, "n_start": FEWEST_AT_START, "max_length": 0}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} = {getattr(self, name)} must be at least {least}")


@dataclasses.dataclass(frozen=True)
class Found:
    """One string that was asked.

    Args:
        string: In its canonical form.
        values: One a score, NaN where it has none.
        total: What was maximised.
        seed: Of the search that asked it first.
        query: Its number in that search, from 1.
    """

    string: str
    values: tuple[float, ...]
    total: float
    seed: int
    query: int


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        start: What the latent search began with.
        searches: The queries of each seed, in their order.
        best: Every distinct string that was asked, best first.
        n_paid: Strings that were computed; the others were known from before.
        failures: Strings without a value, by what went wrong.
        examples: The first string of each kind of failure, with the reason.
    """

    terms: tuple[Term, ...]
    start: Asked | None
    searches: tuple[Asked, ...]
    best: tuple[Found, ...]
    n_paid: int
    failures: dict[str, int]
    examples: dict[str, str]
    folder: Path


def ranking(searches: Sequence[Asked], seeds: Sequence[int], objective: Objective) -> tuple[Found, ...]:
    """Every distinct string once, best first; of equals, the one that was asked first."""
    found: dict[str, Found] = {}
    for seed, asked in zip(seeds, searches, strict=True):
        for query, (string, total) in enumerate(zip(asked.strings, asked.totals.tolist(), strict=True), 1):
            key = objective.key(string)
            found.setdefault(key, Found(key, objective.values[key], total, seed, query))
    return tuple(sorted(found.values(), key=lambda each: -each.total))
