import itertools
import math

import numpy as np
import pytest
import torch

from freerun.constraints.length import Anything, Length
from freerun.corpora.oracle import Oracle
from freerun.errors import UsageError
from freerun.metrics.frontier import Point, at_nll_test, chosen, frontier, sequence_nll, tokens_of, where, words_of
from freerun.metrics.oracle import as_generator
from freerun.models.generator import Generator

N_WORDS, LENGTH = 6, 3
ALL = np.array(list(itertools.product(range(N_WORDS), repeat=LENGTH)))
CONSTRAINT = Length(N_WORDS + 4, LENGTH, LENGTH)


def tiny_oracle(seed: int = 0) -> Oracle:
    rng = np.random.default_rng(seed)
    return Oracle(*(rng.normal(size=shape) for shape in ((6, 3), (3, 12), (3, 12), (12,), (3, 6), (6,))))


def tempered(oracle: Oracle, temperature: float) -> np.ndarray:
    """log p of every sequence where each word comes from the oracle at this temperature: word by word in NumPy."""
    total = np.zeros(len(ALL))
    for t in range(LENGTH):
        words = np.stack([-_with_last(oracle, ALL[:, : t + 1], word) for word in range(N_WORDS)], 1) / temperature
        log_probs = words - np.log(np.exp(words).sum(1, keepdims=True))
        total += log_probs[np.arange(len(ALL)), ALL[:, t]]
    return total


def _with_last(oracle: Oracle, rows: np.ndarray, word: int) -> np.ndarray:
    rows = rows.copy()
    rows[:, -1] = word
    return oracle.nll(rows)[:, -1]


@pytest.fixture(scope="module")
def points() -> list[Point]:
    """The frontier of a generator (the oracle of seed 1) that is not the truth (the oracle of seed 0)."""
    return frontier(
        as_generator(tiny_oracle(1)),
        CONSTRAINT,
        LENGTH + 1,
        temperatures=(1.0, 0.5, 1.4),
        n=1_000,
        valid=ALL[:50],
        test=ALL,
        oracle=tiny_oracle(0),
    )


def test_the_nll_at_every_temperature_is_that_of_the_tempered_steps():
    oracle, temperatures = tiny_oracle(), (0.4, 1.0, 1.7)
    found = sequence_nll(as_generator(oracle), CONSTRAINT, LENGTH + 1, ALL, temperatures)
    expected = [-tempered(oracle, temperature) / LENGTH for temperature in temperatures]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(np.exp(-LENGTH * found).sum(1), 1, atol=1e-12)


def test_points_are_those_of_exact_enumeration(points):
    assert [point["temperature"] for point in points] == [0.5, 1.0, 1.4]
    truth = -tempered(tiny_oracle(0), 1.0) / LENGTH
    for point in points:
        own = -tempered(tiny_oracle(1), point["temperature"]) / LENGTH
        weights = np.exp(-LENGTH * own)
        assert point["nll_valid"] == pytest.approx(own[:50].mean(), abs=1e-12)
        assert point["nll_test"] == pytest.approx(own.mean(), abs=1e-12)
        assert point["forward_kl"] == pytest.approx(
            (own - truth).mean(), abs=1e-12
        )  # on this "draw": every sequence once
        assert abs(point["nll_oracle"] - weights @ truth) < 4 * point["nll_oracle_standard_error"] < 0.1
        assert abs(point["reverse_kl"] - weights @ (truth - own)) < 4 * point["reverse_kl_standard_error"] < 0.1
        assert point["nll_own"] == pytest.approx(point["nll_oracle"] - point["reverse_kl"], abs=1e-12)
        assert (point["n"], 0 < point["uniqueness"] < 0.25) == (1_000, True)


def test_the_truth_itself_is_no_distance_from_the_truth():
    oracle = tiny_oracle()
    (point,) = frontier(
        as_generator(oracle), CONSTRAINT, 4, temperatures=[1.0], n=50, valid=ALL, test=ALL, oracle=oracle
    )
    assert point["forward_kl"] == pytest.approx(0, abs=1e-12)
    assert point["reverse_kl"] == pytest.approx(0, abs=1e-12)


def test_a_point_does_not_depend_on_the_other_temperatures(points):
    (alone,) = frontier(
        as_generator(tiny_oracle(1)),
        CONSTRAINT,
        4,
        temperatures=[1.4],
        n=1_000,
        valid=ALL[:50],
        test=ALL,
        oracle=tiny_oracle(0),
    )
    assert alone == points[2]


def curve(*rows: tuple[float, float, float, float]) -> list[Point]:
    return [dict(zip(("temperature", "nll_valid", "nll_test", "nll_oracle"), row, strict=True)) for row in rows]


COOLED_AND_HEATED = curve((0.5, 9.1, 9.0, 6.0), (0.8, 7.9, 8.0, 7.0), (1.0, 7.4, 7.6, 8.0), (1.5, 8.3, 8.4, 10.0))


def test_nll_oracle_between_two_temperatures_is_linear_and_the_colder_crossing_counts():
    assert at_nll_test(COOLED_AND_HEATED, 8.5) == pytest.approx(6.5)
    assert at_nll_test([COOLED_AND_HEATED[row] for row in (2, 0, 3, 1)], 8.5) == pytest.approx(6.5)  # in any order
    assert at_nll_test(COOLED_AND_HEATED, 8.0) == pytest.approx(7.0)  # 9.0 on the hot side
    assert at_nll_test(COOLED_AND_HEATED[2:], 8.0) == pytest.approx(9.0)
    assert at_nll_test(COOLED_AND_HEATED, 9.0) == pytest.approx(6.0)


@pytest.mark.parametrize("value", [7.5, 9.01])
def test_outside_the_curve_there_is_no_figure(value):
    assert math.isnan(at_nll_test(COOLED_AND_HEATED, value))
    assert math.isnan(at_nll_test(COOLED_AND_HEATED[:1], value))
    assert where(COOLED_AND_HEATED, "nll_test", value) == {}


def test_temperatures_are_chosen_on_the_validation_draw_alone():
    misled = curve((0.8, 7.0, 9.0, 1.0), (1.0, 7.1, 7.0, 2.0))
    assert chosen(misled)["nll_test"] == 9.0
    at = where(COOLED_AND_HEATED, "nll_valid", 8.5)
    assert (at["temperature"], at["nll_test"], at["nll_oracle"]) == pytest.approx((0.65, 8.5, 6.5))


def test_words_and_tokens_are_each_others_inverse():
    tokens = tokens_of(ALL)
    assert tokens[1].tolist() == [4, 4, 5, 2]
    np.testing.assert_array_equal(words_of(tokens, LENGTH), ALL)


@pytest.mark.parametrize("row", [[4, 2, 0, 0], [4, 5, 6, 7], [4, 5, 3, 2], [4, 5, 6, 2, 0], [4, 5, 2]])
def test_sequences_of_another_length_are_refused(row):
    with pytest.raises(UsageError, match=r'other lengths than 3; .* \[constraint\] name = "length", shortest = 3'):
        words_of(torch.tensor([row]), LENGTH)


def test_a_generator_of_other_words_or_lengths_is_refused():
    torch.manual_seed(0)
    draws = {"valid": ALL, "test": ALL, "oracle": tiny_oracle()}
    with pytest.raises(UsageError, match=r"knows 7 words, the oracle 6; .* numbers = 6"):
        frontier(Generator(11, d_hidden=4), Length(11, 3, 3), 4, n=5, **draws)
    with pytest.raises(UsageError, match="other lengths than 3"):
        frontier(Generator(10, d_hidden=4), Anything(10), 4, n=20, temperatures=[1.0], **draws)
