"""Local search by a trust region, with strings decoded before they are chosen.

TuRBO-1 (Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization", arXiv:1910.01739): a box
around the best code, as wide on each axis as the Gaussian process's length there, of volume length^d; twice as long
after `success_tolerance` rounds with an improvement, half as long after `failure_tolerance` rounds without, begun anew
elsewhere when it is too small.

Ours differs from the paper's:
- the objective is known on strings, not on codes: candidates of the box are decoded greedily, strings that were asked
  before or are not valid are dropped, and what is left is encoded again. The process sees each string at the mean of
  its code, whichever code it was decoded from;
- there is a start: a new region begins at a random one of its best tenth, instead of at a new random design;
- the process knows the `n_local` points nearest to the centre, not all;
- a region is given up at 2^-5 instead of 2^-7: in a smaller one all codes decode to one string.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from freerun.noise import mix
from freerun.objectives.objective import Objective
from freerun.search.gaussian import fit_exact, lengths_of, log_ei, thompson
from freerun.search.history import Asked, History
from freerun.search.latent_bo import AbstractProtocol, Proposal, Space, encoded, new_ones, standardised

N_DEVIATIONS = 3.0  # the unit cube reaches this far to both sides of the start's mean, in its standard deviations
LONGEST, SHORTEST = 1.6, 0.5**5


@dataclasses.dataclass(frozen=True)
class Region:
    """Where the search is.

    Args:
        length: Of the box's edge, geometric mean, in the unit cube.
        number: Regions that were given up before.
        first: The round in which it began.
    """

    length: float = 0.8
    n_successes: int = 0
    n_failures: int = 0
    number: int = 0
    first: int = 0


@dataclasses.dataclass(frozen=True)
class TrustRegion(AbstractProtocol):
    """The protocol.

    Args:
        batch_size: Queries in a round.
        n_candidates: Codes of the box that are decoded in each round.
        n_neighbours: Where a grammar gives strings neighbours: how many of the best strings' are candidates for half of
            each round; 0: the box alone.
        n_elite: Best strings whose neighbours they are.
        n_free: Codes drawn from the prior beside them, a string drawn from each.
        n_local: Points that the Gaussian process knows.
        acquisition: How the candidates are chosen: `thompson`, each the best of a sample of the process; `log-ei`, the
            greatest logarithm of the expected improvement, with believed values for those chosen before.
        success_tolerance: Rounds in a row with an improvement after which the box doubles.
        n_steps: Most iterations of the fit.
    """

    batch_size: int = 10
    n_candidates: int = 1000
    n_free: int = 0
    n_neighbours: int = 0
    n_elite: int = 20
    n_local: int = 250
    acquisition: Literal["thompson", "log-ei"] = "thompson"
    success_tolerance: int = 3
    n_steps: int = 30

    def propose(self, space: Space, history: History, objective: Objective, n: int, seed: int) -> Proposal:
        cube = Cube.around(history.start.z)
        known = cube.inside(self._codes(space, history))
        totals = np.concatenate([history.start.totals, history.queried.totals])
        region = self.region(history)
        centre = centre_of(region, history)
        nearest = np.argsort(((known - known[centre]) ** 2).sum(1), kind="stable")[: self.n_local]
        values = standardised(totals[nearest])
        model = fit_exact(known[nearest], values, self.n_steps)
        rng = np.random.default_rng(seed)
        z = cube.outside(box(known[centre], lengths_of(model), region.length, self.n_candidates, rng))
        strings = [string for (string,) in space.decode(z, 0, 0)]
        if self.n_free:
            free = rng.standard_normal((self.n_free, space.d_latent))
            strings += [string for (string,) in space.decode(free, 1, seed)]
            z = np.concatenate([z, free])
        places = [place for place in new_ones(strings, history, objective) if objective.is_valid(strings[place])]
        z, strings = z[places], [strings[place] for place in places]
        near = self._neighbours(space, history, objective, strings, seed)
        parts = [(strings, z, n - n // 2 if near else n), (near, np.zeros((len(near), space.d_latent)), n // 2)]
        proposals = []
        for candidates, fallback, n_wanted in parts:
            if candidates and n_wanted:
                found = encoded(space, candidates, fallback)
                chosen = self._chosen(model, cube.inside(found), float(values.max()), min(n_wanted, len(found)), seed)
                proposals += [(candidates[place], found[place]) for place in chosen]
        return Proposal(
            np.array([code for _, code in proposals]).reshape(-1, space.d_latent),
            tuple(string for string, _ in proposals),
        )

    def _chosen(
        self, model: Any, candidates: Float64[np.ndarray, "strings latent"], best: float, n: int, seed: int
    ) -> list[int]:
        if self.acquisition == "thompson":
            return list(thompson(model, candidates, n, seed))
        return list(log_ei(model, candidates, best, n))

    def _neighbours(
        self, space: Space, history: History, objective: Objective, others: Sequence[str], seed: int
    ) -> list[str]:
        """New strings near the best that are known, in the way that the language gives."""
        if space.neighbours is None or not self.n_neighbours:
            return []
        known = (*history.start.strings, *history.queried.strings)
        totals = np.concatenate([history.start.totals, history.queried.totals])
        elite = [known[place] for place in np.argsort(-totals, kind="stable")[: self.n_elite]]
        found = space.neighbours(elite, self.n_neighbours, seed)
        fresh = [found[place] for place in new_ones(found, history, objective)]
        return [string for string in fresh if string not in set(others) and objective.is_valid(string)]

    def region(self, history: History) -> Region:
        """Where the rounds so far have led."""
        region = Region()
        best = history.start.totals.max()
        tolerance = math.ceil(max(4.0, history.start.z.shape[1]) / self.batch_size)
        for number, asked in enumerate(history.rounds, 1):
            reached = asked.totals.max(initial=-np.inf)
            if reached > best + 1e-3 * abs(best):
                region = dataclasses.replace(region, n_successes=region.n_successes + 1, n_failures=0)
            else:
                region = dataclasses.replace(region, n_successes=0, n_failures=region.n_failures + 1)
            best = max(best, reached)
            if region.n_successes == self.success_tolerance:
                region = dataclasses.replace(region, length=min(2 * region.length, LONGEST), n_successes=0)
            elif region.n_failures >= tolerance:
                region = dataclasses.replace(region, length=region.length / 2, n_failures=0)
            if region.length < SHORTEST:
                region = Region(number=region.number + 1, first=number)
                best = history.start.totals[begun_at(region.number, history.start)]
        return region

    def _codes(self, space: Space, history: History) -> Float64[np.ndarray, "codes latent"]:
        """Of every string that is known, the start first."""
        queried = history.queried
        return np.concatenate([history.start.z, encoded(space, queried.strings, queried.z)])


@dataclasses.dataclass(frozen=True)
class Cube:
    """The unit cube of the search, and where it lies among the codes."""

    low: Float64[np.ndarray, " latent"]
    edge: Float64[np.ndarray, " latent"]

    @classmethod
    def around(cls, z: Float64[np.ndarray, "codes latent"]) -> "Cube":
        half = N_DEVIATIONS * np.maximum(z.std(0), 1e-9)
        return cls(z.mean(0) - half, 2 * half)

    def inside(self, z: Float64[np.ndarray, "codes latent"]) -> Float64[np.ndarray, "codes latent"]:
        return (z - self.low) / self.edge

    def outside(self, u: Float64[np.ndarray, "codes latent"]) -> Float64[np.ndarray, "codes latent"]:
        return self.low + self.edge * u


def box(
    centre: Float64[np.ndarray, " latent"],
    lengths: Float64[np.ndarray, " latent"],
    edge: float,
    n: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "codes latent"]:
    """n points of the box, each with about 20 of the centre's coordinates moved (all of them below 20)."""
    d = len(centre)
    moved = rng.random((n, d)) < min(20 / d, 1.0)
    moved[np.arange(n), rng.integers(0, d, n)] = True
    steps = (rng.random((n, d)) - 0.5) * edge * lengths
    return centre + np.where(moved, steps, 0.0)


def centre_of(region: Region, history: History) -> int:
    """The row of the best string of the region, or of where it began; the rows of the start come first."""
    start = history.start
    first = len(start) + sum(map(len, history.rounds[: region.first]))
    totals = np.concatenate([start.totals, history.queried.totals])
    origin = begun_at(region.number, start)
    if len(totals) == first:
        return origin
    best = first + int(totals[first:].argmax())
    return best if totals[best] > totals[origin] else origin


def begun_at(number: int, start: Asked) -> int:
    """Where a region begins: the first at the best of the start, the others at random ones of its best tenth."""
    if number == 0:
        return int(start.totals.argmax())
    order = np.argsort(-start.totals, kind="stable")
    return int(order[mix(number) % max(1, len(order) // 10)])
