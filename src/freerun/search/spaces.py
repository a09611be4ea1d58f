"""A trained run as a search sees it: codes, strings to start from, strings that it writes by itself."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from freerun import codes
from freerun.errors import UsageError
from freerun.grammars.earley import Parser
from freerun.grammars.reading import grammar_of
from freerun.objectives.objective import Objective
from freerun.prepare import reopen
from freerun.representations.grammar import GrammarRules
from freerun.samples import Wanted, draw
from freerun.search.best_of_n import Draw
from freerun.search.history import Asked
from freerun.search.latent_bo import Space
from freerun.search.neighbours import Neighbours
from freerun.search.plan import FEWEST_AT_START, Plan
from freerun.trained import Trained

Notify = Callable[[str], None]
Work = Callable[[str, int, int], None]  # which part, how much of it is done, how much there is


def space_of(trained: Trained, max_length: int = 0) -> Space:
    """The run's codes.

    Raises:
        UsageError: If its method has none.
    """
    d_latent = codes.latent_method(trained).d_latent
    shortened = dataclasses.replace(trained, budget=max_length + 1) if max_length else trained

    def encode(strings: Sequence[str]) -> np.ndarray:
        return codes.encode(trained, strings)[0].astype(np.float64)

    def decode(z: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
        return codes.decode(shortened, z, greedy=n_each == 0, n_each=max(1, n_each), seed=seed)

    representation = trained.representation
    if not isinstance(representation, GrammarRules):
        return Space(d_latent, encode, decode)
    return Space(d_latent, encode, decode, Neighbours(Parser(grammar_of(representation.text))))


def prior_strings(trained: Trained, seed: int, max_length: int = 0) -> Draw:
    """What the run writes when it runs free."""

    def first(n: int) -> list[str]:
        pieces = draw(trained, Wanted(n, seed, max_length=max_length))
        return [sample.raw for piece in pieces for sample in piece]

    return first


def start_of(trained: Trained, space: Space, plan: Plan, objective: Objective, notify: Notify, work: Work) -> Asked:
    """The strings given, or training strings drawn with the first seed, each distinct one once; all are scored.

    Raises:
        UsageError: If the encoder reads fewer than `FEWEST_AT_START`.
    """
    strings = list(plan.start)
    if not strings:
        split = reopen(trained.folder, lambda _: None).train
        rows = np.random.default_rng(plan.seed).permutation(len(split))[: plan.n_start]
        strings = split.strings(rows.tolist())
    distinct = list({objective.key(string): string for string in reversed(strings)}.values())[::-1]
    places, z = space.readable(distinct)
    if len(places) < len(distinct):
        notify(f"{len(distinct) - len(places):,} strings of the start are left out: the run cannot read them")
    if len(places) < FEWEST_AT_START:
        raise UsageError(f"{len(places)} strings to start from are too few; give at least {FEWEST_AT_START}")
    kept = [distinct[place] for place in places]
    parts = []
    for first in range(0, len(kept), 100):
        parts.append(objective(kept[first : first + 100]))
        work("start", min(first + 100, len(kept)), len(kept))
    totals = np.concatenate(parts)
    notify(f"start: {len(kept):,} strings, {objective.n_paid:,} of them scored now; {told(objective, kept, totals)}")
    return Asked(tuple(kept), z, totals)


def told(objective: Objective, strings: Sequence[str], totals: np.ndarray) -> str:
    """The best of some strings in one clause."""
    best = strings[int(totals.argmax())]
    values = objective.values[objective.key(best)]
    shown = ", ".join(f"{term.spec} {value:.4g}" for term, value in zip(objective.terms, values, strict=True))
    return f"best {best} ({shown})"
