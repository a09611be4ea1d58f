"""What is best to ask next, by exact and by sparse processes."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from freerun.search.gaussian import fit_exact, highest_expected_improvement, lengths_of, log_ei, thompson
from freerun.search.sparse_gp import fit_sparse


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    u = rng.random((40, 2))
    y = np.sin(6 * u[:, 0]) + 0.05 * rng.standard_normal(40)
    return u, (y - y.mean()) / y.std()


def test_the_kernel_is_longer_on_the_axis_that_does_not_matter(data):
    lengths = lengths_of(fit_exact(*data))
    assert lengths[1] > 2 * lengths[0]
    assert lengths.prod() == pytest.approx(1)


def test_thompson_chooses_a_candidate_as_often_as_it_is_the_best(data):
    """Of two candidates: P(f_1 > f_2) = Phi((m_1 - m_2) / sd(f_1 - f_2))."""
    model = fit_exact(*data)
    u = np.array([[0.25, 0.1], [0.27, 0.9]])
    with torch.no_grad():
        posterior: Any = model.posterior(torch.from_numpy(u))
        mean, covariance = posterior.mean[:, 0].numpy(), posterior.distribution.covariance_matrix.numpy()
    deviation = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    expected = float(norm.cdf((mean[0] - mean[1]) / deviation))
    share = np.mean([thompson(model, u, 1, seed) == [0] for seed in range(400)])
    assert 0.1 < expected < 0.9  # else the test says nothing
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 400))


def test_thompson_and_log_ei_choose_different_candidates_the_first_by_the_closed_form(data):
    model = fit_exact(*data)
    u = np.random.default_rng(1).random((60, 2))
    best = float(data[1].max())
    with torch.no_grad():
        posterior = model.posterior(torch.from_numpy(u))
        mean, deviation = posterior.mean[:, 0].numpy(), posterior.variance[:, 0].sqrt().numpy()
    scaled = (mean - best) / deviation
    improvement = deviation * (norm.pdf(scaled) + scaled * norm.cdf(scaled))
    chosen = log_ei(model, u, best, 5)
    assert chosen[0] == improvement.argmax()
    for places in (chosen, thompson(model, u, 5, 0)):
        assert len(places) == len(set(places)) == 5


def test_the_climb_finds_the_greatest_expected_improvement_of_a_fine_grid(data):
    u, y = data
    gp = fit_sparse(u, y, n_inducing=40, n_steps=20)
    best = float(y.max())
    grid = torch.from_numpy(np.stack(np.meshgrid(*[np.linspace(0, 1, 60)] * 2), -1).reshape(-1, 2))

    def improvement(z: torch.Tensor) -> np.ndarray:
        mean, variance = (each.numpy() for each in gp.predict(z))
        scaled = (mean - best) / np.sqrt(variance)
        return np.sqrt(variance) * (norm.pdf(scaled) + scaled * norm.cdf(scaled))

    point = highest_expected_improvement(gp, best, np.zeros(2), np.ones(2), seed=0)
    assert improvement(point)[0] >= 0.999 * improvement(grid).max()
    assert ((point >= 0) & (point <= 1)).all()
