"""Weighted retraining: the model follows the search.

Tripp, Daxberger & Hernandez-Lobato 2020, "Sample-efficient optimization in the latent space of deep generative models
via weighted retraining", arXiv:2006.09191. After every few queries the model is taught further on all strings that are
known, weighted by their rank, so that ever more of its latent space decodes to good ones:

    w(y) proportional to 1 / (k N + rank(y)),    rank 0 the best of N                                         (1)

Ours differs: each time the run's own weights are taught anew (theirs go on from the last), so that the model is a
function of what is known; the next queries come from a trust region, whose candidates are joined by strings that the
model writes freely.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from freerun.objectives.objective import Objective
from freerun.search.history import Asked, History
from freerun.search.latent_bo import AbstractProtocol, Proposal, Space, encoded
from freerun.search.trust_region import TrustRegion

Tuner = Callable[[Sequence[str], Float64[np.ndarray, " strings"], int, int], Space]  # strings, weights, steps, seed


@dataclasses.dataclass(frozen=True)
class Retraining(AbstractProtocol):
    """The protocol.

    Args:
        tuner: Teaches a copy of the model and gives its space.
        region: Proposes the queries.
        every: Queries between two retrainings.
        k: Of (1): the smaller, the more weight the best strings have.
        n_steps: Gradient steps of a retraining.
    """

    tuner: Tuner = dataclasses.field(repr=False)
    region: TrustRegion = TrustRegion(n_free=1000)  # noqa: RUF009
    every: int = 50
    k: float = 1e-3
    n_steps: int = 100
    _kept: dict[str, Any] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)  # last space

    @property
    def batch_size(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.region.batch_size

    def propose(self, space: Space, history: History, objective: Objective, n: int, seed: int) -> Proposal:
        known = self._known_at_retraining(history)
        strings = [string for part in known for string in part.strings]
        totals = np.concatenate([part.totals for part in known])
        space = self._space(tuple(strings), totals, space)
        return self.region.propose(space, _recoded(history, space), objective, n, seed)

    def _known_at_retraining(self, history: History) -> list[Asked]:
        """The start, and the rounds before the last multiple of `every` queries."""
        last, n, known = history.n_queries // self.every * self.every, 0, [history.start]
        for asked in history.rounds:
            n += len(asked)
            if n > last:
                break
            known.append(asked)
        return known

    def _space(self, strings: tuple[str, ...], totals: Float64[np.ndarray, " strings"], space: Space) -> Space:
        kept = self._kept
        if kept.get("strings") != strings:
            places, _ = space.readable(strings)
            weights = rank_weights(totals[places], self.k)
            kept["space"] = self.tuner([strings[place] for place in places], weights, self.n_steps, len(strings))
            kept["strings"] = strings
        return kept["space"]


def rank_weights(totals: Float64[np.ndarray, " strings"], k: float) -> Float64[np.ndarray, " strings"]:
    """(1), summing to 1; of equals the first ranks higher."""
    rank = np.empty(len(totals))
    rank[np.argsort(-totals, kind="stable")] = np.arange(len(totals))
    weights = 1 / (k * len(totals) + rank)
    return weights / weights.sum()


def _recoded(history: History, space: Space) -> History:
    """What is known, at the codes that this space gives it."""

    def recoded(asked: Asked) -> Asked:
        return dataclasses.replace(asked, z=encoded(space, asked.strings, asked.z)) if len(asked) else asked

    return History(recoded(history.start), tuple(map(recoded, history.rounds)))
