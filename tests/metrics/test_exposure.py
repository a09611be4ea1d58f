import numpy as np
import pytest
import torch

from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Length
from freerun.metrics.exposure import Exposure, _probe_accuracy
from freerun.models.generator import Generator
from freerun.sampling.free_run import FreeRun

N_VOCAB, LENGTH = 8, 6
CONSTRAINT = Length(N_VOCAB, LENGTH, LENGTH)


def network(weight: float) -> Generator:
    torch.manual_seed(0)
    generator = Generator(N_VOCAB, d_embedding=4, d_hidden=8).eval()
    with torch.no_grad():
        generator.output.weight.mul_(weight)
    return generator


def share_of_fours(tokens: torch.Tensor) -> np.ndarray:
    return (tokens[:, :LENGTH] == 4).double().mean(1).numpy()


def exposure(generator: Generator, tokens: torch.Tensor) -> Exposure:
    return Exposure(generator, CONSTRAINT, LENGTH + 1, tokens, share_of_fours)


@pytest.fixture(scope="module")
def own() -> tuple[Generator, torch.Tensor]:
    """A generator, and a 'corpus' that it wrote itself: the two modes are one distribution."""
    generator = network(2.0)
    return generator, FreeRun(generator, CONSTRAINT, LENGTH + 1, seed=99)(1200).tokens


def test_the_probe_finds_nothing_where_the_modes_are_alike(own):
    curve = exposure(*own).probe()
    assert curve["position"] == list(range(1, LENGTH + 2))
    for accuracy, error in zip(curve["accuracy"], curve["standard_error"], strict=True):
        assert abs(accuracy - 0.5) < 4.5 * error


def test_the_probe_sees_a_corpus_that_the_generator_does_not_write(own):
    other = torch.cat([torch.full((600, LENGTH), 4), torch.full((600, 1), EOS)], 1)
    curve = exposure(own[0], other).probe()
    assert curve["accuracy"][0] == 0.5  # before the first token both modes are in the same state
    assert curve["accuracy"][-1] > 0.9


def test_a_true_prefix_carries_its_share_of_quality(own):
    fours = torch.cat([torch.full((600, LENGTH), 4), torch.full((600, 1), EOS)], 1)
    curve = exposure(own[0], fours).prefix([0, 3, 5])
    free = curve["validity"][0]
    for length, value, error in zip(curve["length"], curve["validity"], curve["standard_error"], strict=True):
        assert value >= length / LENGTH
        assert 0 < error < 0.05
    assert free < curve["validity"][1] < curve["validity"][2]


def test_one_wrong_token_costs_what_it_is_worth_here(own):
    fours = torch.cat([torch.full((600, LENGTH), 4), torch.full((600, 1), EOS)], 1)
    curve = exposure(own[0], fours).perturbation([5])
    assert curve["validity_unperturbed"] == [1.0]
    assert curve["validity"] == pytest.approx([5 / 6])


def test_wrong_tokens_are_others_that_had_a_probability_above_one_percent(own):
    generator, tokens = own
    wrong, found = exposure(generator, tokens)._wrong_tokens(tokens, 2)
    assert found.all()
    assert (wrong != tokens[:, 2]).all()
    logits, _ = generator(tokens)
    allowed = CONSTRAINT.replay(tokens, LENGTH + 1)[:, 2]
    probability = logits[:, 2].masked_fill(~allowed, -torch.inf).softmax(-1).gather(1, wrong[:, None])
    assert (probability > 0.01).all()


def test_states_forget_an_error_step_by_step(own):
    curve = exposure(*own).perturbation([0])
    assert curve["steps_since"] == list(range(1, LENGTH + 1))
    assert curve["state_distance"][0] > 2 * curve["state_distance"][-1] > 0


def test_distances_are_zero_where_nothing_was_changed(own):
    generator, tokens = own
    distance = exposure(generator, tokens)._state_distances(tokens, tokens, 1)
    assert np.nanmax(distance) == 0
    assert np.isnan(distance[:, (tokens[0] != PAD).sum() :]).all()


def test_probe_accuracy_of_separable_and_of_equal_clouds():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 5)), rng.normal(size=(400, 5))
    assert abs(_probe_accuracy(a, b)[0] - 0.5) < 0.11
    assert _probe_accuracy(a, b + 6)[0] == 1.0
    assert _probe_accuracy(a, b + 6)[1] == 400
