import math

import numpy as np
import pytest
import torch

from freerun.constraints.length import Anything, Length
from freerun.corpora.oracle import Oracle
from freerun.errors import UsageError
from freerun.metrics import oracle as truth
from freerun.models.generator import Generator
from freerun.observation import OBSERVERS, known, observe
from freerun.representations.base import AbstractRepresentation
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

ALL = tuple(OBSERVERS)


def numbers(n: int) -> AbstractRepresentation:
    text = Text(unit="word", numbers=n)
    return text.with_vocab(text.fixed_vocab)


def nothing(index: torch.Tensor) -> None:
    raise AssertionError("a generator without a context is not given one")


@pytest.fixture
def small(monkeypatch) -> Oracle:
    rng = np.random.default_rng(0)
    small = Oracle(*(rng.normal(size=shape) for shape in ((50, 2), (2, 8), (2, 8), (8,), (2, 50), (50,))))
    monkeypatch.setattr(truth, "published_oracle", lambda: small)
    return small


def test_the_oracle_observed_writing_has_its_own_entropy(small):
    generator, constraint = truth.as_generator(small), Length(54, 20, 20)
    seen = observe(ALL, generator, constraint, 21, numbers(50), nothing, 3, n=400)
    expected = truth.mean(small.draw(0, 2_000)[1].mean(1))
    error = math.hypot(seen["observed_nll_oracle_standard_error"], expected.standard_error)
    assert abs(seen["observed_nll_oracle"] - expected.value) < 4 * error < 0.2
    assert (seen["observed_validity"], seen["observed_uniqueness"]) == (1, 1)


def test_an_observation_repeats_itself_and_takes_no_random_number_of_the_run(small):
    generator, constraint = truth.as_generator(small), Length(54, 20, 20)
    before = torch.get_rng_state()
    first = observe(["oracle"], generator, constraint, 21, numbers(50), nothing, 3, n=30)
    assert torch.equal(torch.get_rng_state(), before)
    assert observe(["oracle"], generator, constraint, 21, numbers(50), nothing, 3, n=30) == first
    assert observe(["oracle"], generator, constraint, 21, numbers(50), nothing, 4, n=30) != first


def test_molecules_are_valid_and_different_by_their_canonical_smiles():
    strings = ["CCO", "OCC", "C(C", "CCN", ""]
    assert OBSERVERS["validity"](strings, Smiles()) == {"validity": 3 / 5}
    assert OBSERVERS["uniqueness"](strings, Smiles()) == {"uniqueness": 2 / 3}
    assert math.isnan(OBSERVERS["uniqueness"](["C("], Smiles())["uniqueness"])


def test_a_generator_is_led_by_the_context_of_each_sample():
    torch.manual_seed(0)
    generator, asked = Generator(10, d_hidden=4, d_context=2), []

    def context(index: torch.Tensor) -> torch.Tensor:
        asked.extend(index.tolist())
        return torch.zeros(len(index), 2)

    observe(["validity"], generator, Anything(10), 8, numbers(6), context, 0, n=150)
    assert sorted(asked) == list(range(150))


def test_nothing_is_drawn_where_nothing_is_observed():
    assert observe([], Generator(10, d_hidden=4), Anything(10), 8, numbers(6), nothing, 0) == {}


def test_an_unknown_observer_is_refused_and_all_are_listed():
    with pytest.raises(UsageError, match=r"'orcale' is not known, did you mean 'oracle'\?; there are oracle, validity"):
        known(["orcale"])


def test_sequences_of_another_length_are_no_matter_for_the_oracle():
    torch.manual_seed(0)
    with pytest.raises(UsageError, match=r"line 1 holds \d+ words, a sequence of seqgan-oracle has 20"):
        observe(["oracle"], Generator(10, d_hidden=4), Length(10, 0, 9), 10, numbers(6), nothing, 0, n=5)
