"""The sparse process against the exact one, computed by NumPy from its definition."""

import numpy as np
import pytest
import torch

from freerun.search.sparse_gp import SparseGP, fit_sparse, kernel
from freerun.search.surrogate import gp_quality

LENGTHS, VARIANCE, NOISE = np.array([0.7, 1.5, 1.1]), 1.3, 0.2


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 3))
    return z, np.sin(2 * z[:, 0]) + 0.3 * z[:, 1]


def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return VARIANCE * np.exp(-0.5 * (((a[:, None] - b[None]) / LENGTHS) ** 2).sum(-1))


def conditioned(z: np.ndarray, y: np.ndarray, inducing: np.ndarray) -> SparseGP:
    hyper = torch.from_numpy(LENGTHS), torch.tensor(VARIANCE).double(), torch.tensor(NOISE).double()
    return SparseGP.conditioned(torch.from_numpy(z), torch.from_numpy(y), torch.from_numpy(inducing), *hyper)


def test_with_all_points_inducing_it_is_the_exact_process(data):
    z, y = data
    new = np.random.default_rng(1).normal(size=(10, 3))
    inverse = np.linalg.inv(covariance(z, z) + NOISE * np.eye(len(z)))
    cross = covariance(new, z)
    gp = conditioned(z, y, z)
    mean, variance = gp.predict(torch.from_numpy(new))
    assert np.allclose(mean.numpy(), cross @ inverse @ y, atol=1e-4)
    assert np.allclose(variance.numpy(), VARIANCE - np.einsum("ij,jk,ik->i", cross, inverse, cross), atol=1e-4)
    log_density = -0.5 * (y @ inverse @ y - np.linalg.slogdet(inverse)[1] + len(y) * np.log(2 * np.pi))
    assert gp.bound(torch.from_numpy(y)).item() == pytest.approx(log_density, abs=1e-3)


def test_with_fewer_points_mean_and_bound_are_those_of_the_formulas(data):
    z, y = data
    inducing = z[:7]
    cross, own = covariance(z, inducing), covariance(inducing, inducing)
    low_rank = cross @ np.linalg.solve(own, cross.T)
    full = low_rank + NOISE * np.eye(len(z))
    gp = conditioned(z, y, inducing)
    new = covariance(z[20:25], inducing) @ np.linalg.solve(own, cross.T)
    assert np.allclose(gp.predict(torch.from_numpy(z[20:25]))[0].numpy(), new @ np.linalg.solve(full, y), atol=1e-4)
    log_density = -0.5 * (
        y @ np.linalg.solve(full, y) + np.linalg.slogdet(full)[1] + len(y) * np.log(2 * np.pi)
    ) - np.trace(covariance(z, z) - low_rank) / (2 * NOISE)
    assert gp.bound(torch.from_numpy(y)).item() == pytest.approx(log_density, abs=1e-3)


def test_points_added_later_are_as_points_given_at_once(data):
    z, y = data
    part = conditioned(z[:25], y[:25], z[:10]).with_points(torch.from_numpy(z[25:]), torch.from_numpy(y[25:]))
    whole = conditioned(z, y, z[:10])
    for one, other in zip(part.predict(torch.from_numpy(z)), whole.predict(torch.from_numpy(z)), strict=True):
        assert torch.allclose(one, other, atol=1e-10)


def test_the_kernel_is_its_definition(data):
    z, _ = data
    points = torch.from_numpy(z)
    own = kernel(points, points[:5], torch.from_numpy(LENGTHS), torch.tensor(VARIANCE).double())
    assert np.allclose(own.numpy(), covariance(z, z[:5]))


def test_a_fit_finds_the_axis_that_matters_and_the_noise():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 3))
    y = np.sin(2 * z[:, 1]) * 1.3 + 0.3 * rng.normal(size=300)
    gp = fit_sparse(z, y, n_inducing=60, n_steps=40)
    assert gp.lengths[1] < 1.5 < min(gp.lengths[0], gp.lengths[2])
    assert gp.noise.item() == pytest.approx(0.09, rel=0.4)


def test_quality_is_that_of_the_noise_where_the_function_can_be_learnt_and_of_the_spread_where_not():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 2))
    noise = 0.5 * rng.normal(size=600)
    log_density, rmse = gp_quality(z, 10 * np.sin(z[:, 0]) + noise, n_inducing=50)
    assert rmse == pytest.approx(0.5, abs=0.12)  # 60 held-out errors: standard error 0.05
    assert log_density == pytest.approx(-0.5 * np.log(2 * np.pi * 0.25) - 0.5, abs=0.3)
    _, blind = gp_quality(z, 3 * rng.normal(size=600), n_inducing=50)
    assert blind == pytest.approx(3.0, abs=0.8)
