"""Weighted retraining around a space whose objective is known."""

import dataclasses

import numpy as np
import pytest

from freerun.search.history import Log
from freerun.search.latent_bo import Space, search
from freerun.search.retraining import Retraining, rank_weights
from freerun.search.trust_region import TrustRegion

REGION = TrustRegion(batch_size=5, n_candidates=100, n_free=50, n_local=60, n_steps=10)


@dataclasses.dataclass
class Tuner:
    """Teaches nothing, and remembers what it was asked to."""

    space: Space
    asked: list

    def __call__(self, strings, weights, n_steps, seed) -> Space:
        self.asked.append((list(strings), weights, n_steps))
        return self.space


def test_weights_fall_with_the_rank():
    weights = rank_weights(np.array([1.0, 3.0, 2.0, 3.0]), k=0.5)
    assert weights == pytest.approx(np.array([1 / 5, 1 / 2, 1 / 4, 1 / 3]) / (1 / 5 + 1 / 2 + 1 / 4 + 1 / 3))
    assert rank_weights(np.arange(5.0), k=1e9) == pytest.approx(np.full(5, 0.2), rel=1e-6)


def test_the_model_is_taught_after_every_few_queries_on_all_that_is_known(space, objective, start):
    tuner = Tuner(space, [])
    history = search(space, objective, start, Retraining(tuner, REGION, every=10, n_steps=7), 25)
    sizes = [len(strings) for strings, _, _ in tuner.asked]
    assert sizes == [len(start), len(start) + 10, len(start) + 20]
    strings, weights, n_steps = tuner.asked[-1]
    assert n_steps == 7
    assert strings == [*start.strings, *history.queried.strings[:20]]
    best = strings[int(weights.argmax())]
    assert objective([best])[0] == max(start.totals.max(), history.queried.totals[:20].max())


def test_a_search_cut_short_goes_on_to_the_same_queries(space, objective, start, tmp_path):
    def protocol() -> Retraining:
        return Retraining(Tuner(space, []), REGION, every=10)

    whole = search(space, objective, start, protocol(), 20, seed=1).queried
    log = Log(tmp_path / "queries.jsonl", {"seed": 1})
    search(space, objective, start, protocol(), 15, seed=1, log=log)
    on = search(space, objective, start, protocol(), 20, seed=1, log=log).queried
    assert on.strings == whole.strings
    assert repr(protocol()) == repr(protocol()), "a log knows its search by this"
