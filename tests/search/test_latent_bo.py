"""Searches of a space whose optimum is known: better than chance, the same again, gone on with."""

import dataclasses

import numpy as np
import pytest

from freerun.objectives.objective import Objective
from freerun.search.best_of_n import first_distinct
from freerun.search.history import Asked, History, Log
from freerun.search.latent_bo import MOST_EMPTY_ROUNDS, AbstractProtocol, Proposal, Space, search, standardised
from freerun.search.published import Published
from freerun.search.trust_region import Cube, Region, TrustRegion, begun_at, box, centre_of

PROTOCOLS = {
    "thompson": TrustRegion(n_candidates=200, n_local=80, n_steps=15),
    "log-ei": TrustRegion(n_candidates=200, n_local=80, n_steps=15, acquisition="log-ei"),
    "published": Published(batch_size=20, n_inducing=60, n_steps=15),
}


def chance(space: Space, start: Asked, n: int, seed: int) -> list[str]:
    """Codes drawn from a normal distribution with the moments of the start."""
    rng = np.random.default_rng(seed)
    z = rng.normal(start.z.mean(0), start.z.std(0), (n, space.d_latent))
    return space.one_each(z, 0, 0, lambda _: True)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_search_comes_at_least_twice_as_near_as_chance_with_the_same_queries(space, objective, start, name):
    found, by_chance = [], []
    for seed in range(3):
        found.append(-search(space, objective, start, PROTOCOLS[name], 60, seed=seed).queried.totals.max())
        by_chance.append(-objective(chance(space, start, 60, seed)).max())
    assert np.mean(found) < 0.5 * np.mean(by_chance)


def test_a_few_rounds_come_nearer_than_all_that_was_known(space, objective, start):
    history = search(space, objective, start, PROTOCOLS["thompson"], 30)
    assert -history.queried.totals.max() < 0.5 * -start.totals.max()


def test_every_query_of_a_trust_region_is_new(space, objective, start):
    history = search(space, objective, start, PROTOCOLS["thompson"], 20)
    asked = history.queried.strings
    assert len(asked) == len(set(asked)) == 20
    assert not set(asked) & set(start.strings)


@pytest.mark.parametrize(
    "name", ["thompson", *(pytest.param(name, marks=pytest.mark.slow) for name in ("log-ei", "published"))]
)
def test_a_search_cut_short_goes_on_to_the_same_queries(space, objective, start, tmp_path, name):
    protocol = dataclasses.replace(PROTOCOLS[name], batch_size=5)
    whole = search(space, objective, start, protocol, 10, seed=1).queried
    log = Log(tmp_path / "queries.jsonl", {"seed": 1})
    search(space, objective, start, protocol, 5, seed=1, log=log)
    on = search(space, objective, start, protocol, 10, seed=1, log=log).queried
    assert on.strings == whole.strings
    assert np.array_equal(on.z, whole.z)


def test_seeds_differ(space, objective, start):
    one, other = (search(space, objective, start, PROTOCOLS["thompson"], 10, seed=seed).queried for seed in (0, 1))
    assert one.strings != other.strings


class Silent(AbstractProtocol):
    """Proposes a string only in some rounds."""

    batch_size = 1

    def __init__(self, *at: int):
        self.at = at

    def propose(self, space, history, objective, n, seed) -> Proposal:
        speaks = len(history.rounds) in self.at
        return Proposal(history.start.z[:speaks], history.start.strings[:speaks])


def test_a_search_without_proposals_ends_after_so_many_rounds_in_a_row(space, objective, start):
    assert len(search(space, objective, start, Silent(), 5).rounds) == MOST_EMPTY_ROUNDS
    history = search(space, objective, start, Silent(3, 9), 5)
    assert history.n_queries == 2
    assert len(history.rounds) == 10 + MOST_EMPTY_ROUNDS


def test_a_trust_region_proposes_nothing_where_all_is_known(space, objective, start):
    stuck = dataclasses.replace(space, decode=lambda z, n_each, seed: [[start.strings[0]]] * len(z))
    protocol = TrustRegion(n_candidates=5, n_local=20)
    assert len(protocol.propose(stuck, History(start), objective, 10, 0)) == 0


def test_a_trust_region_never_asks_what_is_not_valid(space, objective, start):
    picky = Objective(objective.terms, None, lambda string: (string, not string.startswith("-")))
    protocol = dataclasses.replace(PROTOCOLS["thompson"], n_steps=2)
    proposal = protocol.propose(space, History(start), picky, 10, 0)
    assert len(proposal) == 10
    assert not any(string.startswith("-") for string in proposal.strings)
    assert any(string.startswith("-") for string in protocol.propose(space, History(start), objective, 10, 0).strings)


def test_the_most_frequent_valid_decoding_is_kept(space):
    drawn = ["a", "a", "a", "b", "b", "c"]
    told = dataclasses.replace(space, decode=lambda z, n_each, seed: [drawn[:n_each]] * len(z))
    assert told.one_each(np.zeros((2, 5)), 6, 0, lambda string: string != "a") == ["b", "b"]
    assert told.one_each(np.zeros((1, 5)), 6, 0, lambda string: False) == ["a"]


def test_strings_that_the_encoder_cannot_read_are_left_out_one_by_one(space):
    strings = ["unreadable", "1 2 3 4 5", "unreadable", "0 0 0 0 0", "unreadable"]
    places, z = space.readable(strings)
    assert places == [1, 3]
    assert np.allclose(z, [[0.1, 0.2, 0.3, 0.4, 0.5], [0, 0, 0, 0, 0]])
    assert space.readable([])[1].shape == (0, 5)


def test_standardised_values_have_mean_0_and_variance_1_and_outliers_below_are_drawn_up():
    totals = np.r_[np.linspace(-1, 1, 99), -1e6]
    values = standardised(totals)
    assert values.mean() == pytest.approx(0, abs=1e-12)
    assert values.std() == pytest.approx(1)
    assert np.array_equal(np.argsort(values), np.argsort(totals))
    assert values.max() > 1  # as it was: of a scale that one failure does not set
    assert np.isfinite(standardised(np.ones(5))).all()


def rounds(*totals: float) -> tuple[Asked, ...]:
    return tuple(Asked((str(i),), np.zeros((1, 8)), np.array([float(total)])) for i, total in enumerate(totals))


def test_the_region_grows_with_successes_shrinks_with_failures_and_begins_anew():
    begin = Asked(tuple("abc"), np.zeros((3, 8)), np.array([1.0, 3.0, 2.0]))
    protocol = TrustRegion(batch_size=4)  # 8 axes: two rounds without an improvement are a failure
    after = lambda *totals: protocol.region(History(begin, rounds(*totals)))  # noqa: E731
    assert after() == Region()
    assert after(4, 5, 6) == Region(length=1.6)
    assert after(4, 5, 6, 7, 8, 9).length == 1.6  # the longest there is
    assert after(3, 3).length == 0.4
    assert after(4, 5, 4.9) == Region(n_failures=1)
    gone = protocol.region(History(begin, rounds(*[0.0] * 10)))
    assert gone == Region(number=1, first=10)  # 0.8 halved five times is below 2^-5
    history = History(begin, rounds(*[0.0] * 10, 9.0))
    assert protocol.region(history).n_successes == 1
    assert centre_of(protocol.region(history), history) == 3 + 10
    assert centre_of(gone, History(begin, rounds(*[9.0] + [0.0] * 9))) == begun_at(1, begin)


def test_the_box_is_as_long_as_said_and_moves_about_twenty_coordinates():
    lengths = np.exp(np.linspace(-1, 1, 50))
    steps = box(np.zeros(50), lengths, 0.5, 2000, np.random.default_rng(0))
    assert (np.abs(steps) <= 0.25 * lengths).all()
    assert np.abs(steps).max(0).tolist() == pytest.approx((0.25 * lengths).tolist(), rel=0.02)
    assert (steps != 0).sum(1).mean() == pytest.approx(20, abs=1)


def test_the_cube_holds_the_start_to_three_deviations():
    z = np.random.default_rng(0).normal(3, [1, 2, 1e-20], (500, 3))
    cube = Cube.around(z)
    u = cube.inside(z)
    assert u[:, :2].std(0).tolist() == pytest.approx([1 / 6] * 2)
    assert u.mean(0).tolist() == pytest.approx([0.5] * 3)
    assert np.allclose(cube.outside(u), z)


def test_first_distinct_draws_on_until_there_are_enough_new_ones():
    row = [str(i % 7) for i in range(1000)]
    sizes = []

    def draw(n: int) -> list[str]:
        sizes.append(n)
        return row[:n]

    assert first_distinct(draw, 4, str, known={"1"}) == ["0", "2", "3", "4"]
    assert sizes == [4, 8]
    assert len(first_distinct(draw, 10, str)) == 7
    assert sizes[-1] == 200
