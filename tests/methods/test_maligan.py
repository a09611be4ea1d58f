"""MaliGAN's weights, with a critic that is right, against maximum likelihood by enumeration."""

import pytest
import torch
from tiny_worlds import (
    RULES,
    SMALL,
    WIDE,
    Table,
    begun,
    errors,
    gradient,
    language,
    log_p,
    payments,
    step_gradients,
    told,
)

from freerun.methods.maligan import MaliGAN

STRINGS = language(RULES["anything"])
LOGITS = torch.tensor([2.0, -1.0, 0.0, 9.0], dtype=torch.float64)


def test_the_weights_are_odds_over_their_sum_less_their_mean():
    odds = torch.tensor([2.0, -1.0, 0.0, 5.0], dtype=torch.float64).exp()  # the last is bounded at 5
    torch.testing.assert_close(MaliGAN(baseline="none").weights(LOGITS), odds / odds.sum())
    weights = MaliGAN().weights(LOGITS)
    torch.testing.assert_close(weights, odds / odds.sum() - 0.25)
    assert weights.sum().item() == pytest.approx(0, abs=1e-12)


def test_the_effective_sample_size_is_from_one_to_all():
    for method in (MaliGAN(), MaliGAN(baseline="none", most=50.0)):
        assert method.effective(method.weights(torch.zeros(8))).item() == pytest.approx(8)
        one = torch.tensor([90.0] + [-90.0] * 7)
        assert method.effective(method.weights(one)).item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("baseline", ["batch", "none"])
def test_with_the_best_critic_a_step_is_one_of_maximum_likelihood(baseline):
    """D / (1 - D) = p_data / p_G: the mean of what steps descend is the gradient of - E_data log G."""
    method = MaliGAN(n_drawn=600, baseline=baseline, most=20.0, critic=SMALL)
    state = begun(method)
    data = (2 * payments(STRINGS).values).softmax(0)
    own = log_p(state, STRINGS).detach()
    told(state, Table(STRINGS, data.log() - own))
    exact = gradient(state, lambda log_p: -(data * log_p).sum(), STRINGS)
    draws = step_gradients(method, state, 20)
    assert (
        errors(draws, exact).abs().max() < 6.5
    )  # Student's t of 19 degrees; weights that sum to 1 are a little biased
    assert (draws.mean(0) - exact).norm() < 0.2 * exact.norm()


def test_a_critic_that_knows_nothing_changes_nothing_under_the_baseline():
    method = MaliGAN(n_drawn=20, critic=SMALL)
    state = begun(method)
    told(state, Table(STRINGS, torch.full((len(STRINGS),), 0.7)))
    assert step_gradients(method, state, 1).abs().max() < 1e-9
    assert method.step(state, WIDE, torch.Generator())["effective_sample_size"].item() == pytest.approx(20)


def test_one_sequence_is_too_few():
    with pytest.raises(ValueError, match="n_drawn = 1 must be at least 2"):
        MaliGAN(n_drawn=1)
