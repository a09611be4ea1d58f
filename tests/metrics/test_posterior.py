"""Bounds and informations against closed forms, quadrature and plain loops."""

import itertools
import math

import numpy as np
import pytest
import torch

from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Anything, Length
from freerun.metrics import posterior
from freerun.metrics.posterior import (
    importance_weighted_nll,
    log_weights,
    mutual_information,
    neg_elbo,
    principal_plane,
)
from freerun.models.generator import Generator
from freerun.noise import normal
from freerun.sampling.likelihood import log_prob

ROWS = torch.tensor([[4, 5, EOS, PAD, PAD], [4, 5, 5, 4, EOS], [5, EOS, PAD, PAD, PAD], [5, 5, EOS, PAD, PAD]])
BUDGET = 5


def generator(d_context: int = 1) -> Generator:
    torch.manual_seed(0)
    network = Generator(6, d_embedding=3, d_hidden=8, d_context=d_context).double().eval()
    with torch.no_grad():
        network.output.weight.mul_(6)
    return network


def posteriors(n: int = len(ROWS), d: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, d, dtype=torch.float64), torch.randn(n, d, dtype=torch.float64) / 2 - 1


def weights(n_samples: int, seed: int = 0, rows=slice(None), d: int = 1, condition: torch.Tensor | None = None):
    mean, log_var = posteriors(d=d)
    condition = torch.zeros(len(ROWS), 0, dtype=torch.float64) if condition is None else condition
    network, where = generator(d + condition.shape[1]), Anything(6)
    return log_weights(
        network, where, BUDGET, ROWS[rows], mean[rows], log_var[rows], condition[rows], n_samples=n_samples, seed=seed
    )


def evidence() -> torch.Tensor:
    """-log p(x) = -log int p(x|z) N(z; 0, 1) dz, by Gauss-Hermite quadrature."""
    points, masses = np.polynomial.hermite_e.hermegauss(120)
    z, log_mass = torch.from_numpy(points)[:, None], torch.from_numpy(np.log(masses) - np.log(masses.sum()))
    network = generator()
    with torch.no_grad():
        parts = [
            (log_prob(network, row.expand(len(z), -1), Anything(6), z, budget=BUDGET).sum(1) + log_mass).logsumexp(0)
            for row in ROWS
        ]
    return -torch.stack(parts)


def test_the_bound_falls_to_the_evidence_from_above():
    """Means over 200 groups of K samples, with their standard errors; of 20,000 samples, the evidence itself."""
    log_w, truth = weights(20_000), evidence()
    before = neg_elbo(log_w)
    for k in (5, 100):
        bounds = torch.stack([importance_weighted_nll(group) for group in log_w[:, : 200 * k].split(k, 1)])
        error = bounds.std(0) / 200**0.5
        assert (bounds.mean(0) < before).all()
        assert (bounds.mean(0) > truth - 4.5 * error).all()
        before = bounds.mean(0)
    gap = (importance_weighted_nll(log_w[:, :2000]) - truth).abs()
    spread = (log_w[:, :2000] + truth[:, None]).exp().std(1) / 2000**0.5  # of w / p(x), whose mean is 1
    assert (gap < 4.5 * spread).all()


def test_the_weights_are_those_of_a_plain_loop_over_strings_and_samples():
    torch.manual_seed(2)
    condition = torch.randn(len(ROWS), 2, dtype=torch.float64)
    mean, log_var = posteriors(d=3)
    log_w, network = weights(4, seed=7, d=3, condition=condition), generator(5)
    for i, k in itertools.product(range(len(ROWS)), range(4)):
        eps = normal(7, torch.tensor([4 * i + k]), 3)[0].double()
        deviation = (log_var[i] / 2).exp()
        z = mean[i] + deviation * eps
        prior, approximate = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(mean[i], deviation)
        context = torch.cat([z, condition[i]])[None]
        with torch.no_grad():
            expected = log_prob(network, ROWS[i : i + 1], Anything(6), context, budget=BUDGET).sum()
        expected += prior.log_prob(z).sum() - approximate.log_prob(z).sum()
        assert log_w[i, k].item() == pytest.approx(expected.item(), rel=1e-9)


def test_in_small_pieces_nothing_changes(monkeypatch):
    whole = weights(6)
    monkeypatch.setattr(posterior, "N_VALUES", 500)
    torch.testing.assert_close(weights(6), whole)


def test_what_is_asked_for_one_after_another_is_the_same_but_for_its_numbers():
    """The first rows of a longer list are the shorter list."""
    torch.testing.assert_close(weights(6, rows=slice(2)), weights(6)[:2])
    assert not torch.allclose(weights(6, seed=1), weights(6))


def test_a_true_posterior_needs_one_sample_and_a_forbidden_string_is_infinitely_improbable():
    """Where the generator ignores its code, the prior is the posterior: all weights are p(x)."""
    network = generator()
    with torch.no_grad():
        network.recurrent.layers.all_weights[0][0][:, 3:] = 0  # what its input weighs the code by
        expected = log_prob(network, ROWS, Length(6, 0, 3), torch.zeros(4, 1).double(), budget=BUDGET).sum(1)
    nothing = torch.zeros(4, 1, dtype=torch.float64)
    log_w = log_weights(network, Length(6, 0, 3), BUDGET, ROWS, nothing, nothing, nothing[:, :0], n_samples=3)
    torch.testing.assert_close(log_w, expected[:, None].expand(-1, 3))
    nll = importance_weighted_nll(log_w)
    assert nll.isinf().tolist() == [False, True, False, False]  # four words
    assert nll[1] > 0
    torch.testing.assert_close(neg_elbo(log_w)[[0, 2, 3]], nll[[0, 2, 3]])


def test_gaussian_codes_of_gaussian_strings_have_the_information_of_the_channel():
    """mean ~ N(0, a^2), variance s on each axis: I = 1/2 sum ln(1 + a^2 / s)."""
    n, a, s = 1500, torch.tensor([1.0, 0.5]), torch.tensor([0.2, 0.5])
    torch.manual_seed(3)
    mean = torch.randn(n, 2) * a + torch.tensor([10.0, -3.0])
    expected = 0.5 * torch.log(1 + a.square() / s).sum().item()
    values = [mutual_information(mean, s.log().expand(n, 2), seed) for seed in range(4)]
    # one z a string: the density ratio's logarithm has a standard deviation below 1; the mixture of n adds O(1/n)
    assert abs(np.mean(values) - expected) < 4.5 / (4 * n) ** 0.5 + 10 / n
    assert len(set(values)) == 4


def test_posteriors_that_never_overlap_tell_the_string_and_equal_ones_nothing():
    mean = torch.arange(300.0)[:, None] * 100
    assert mutual_information(mean, torch.zeros(300, 1), 0) == pytest.approx(math.log(300), abs=1e-9)
    assert mutual_information(torch.zeros(300, 2), torch.zeros(300, 2), 0) == pytest.approx(0, abs=1e-9)
    assert mutual_information(torch.ones(1, 2), torch.zeros(1, 2), 0) == pytest.approx(0, abs=1e-12)
    for log_var in (-60.0, 60.0):
        assert 0 <= mutual_information(mean, torch.full((300, 1), log_var), 0) + 1e-9 <= math.log(300) + 1e-6


def test_the_information_is_that_of_a_plain_double_loop(monkeypatch):
    mean, log_var = posteriors(7, 2)
    z = mean + (log_var / 2).exp() * normal(5, torch.arange(7), 2).double()
    total = 0.0
    for i in range(7):
        densities = torch.stack(
            [torch.distributions.Normal(mean[j], (log_var[j] / 2).exp()).log_prob(z[i]).sum() for j in range(7)]
        )
        total += (densities[i] - densities.logsumexp(0) + math.log(7)).item() / 7
    assert mutual_information(mean, log_var, 5) == pytest.approx(total, abs=1e-10)
    monkeypatch.setattr(posterior, "N_VALUES", 14)  # two rows at once
    assert mutual_information(mean, log_var, 5) == pytest.approx(total, abs=1e-10)


def test_an_encoder_that_draws_nothing_is_refused():
    mean, nothing = torch.zeros(4, 1), torch.full((4, 1), -torch.inf)
    with pytest.raises(ValueError, match="has no density"):
        mutual_information(mean, nothing, 0)
    with pytest.raises(ValueError, match="has no density"):
        log_weights(generator(), Anything(6), BUDGET, ROWS, mean, nothing, mean[:, :0], n_samples=2)
    with pytest.raises(ValueError, match="n_samples = 0"):
        log_weights(generator(), Anything(6), BUDGET, ROWS, mean, mean, mean[:, :0], n_samples=0)
    with pytest.raises(ValueError, match="no string"):
        mutual_information(mean[:0], mean[:0], 0)


def test_the_principal_plane_holds_the_widest_directions():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    spread = np.array([3.0, 2.0, 0.1, 0.1, 0.1])
    codes = rng.standard_normal((2000, 5)) * spread @ turn + 7
    places, shares = principal_plane(codes)
    assert shares == pytest.approx(np.array([9, 4]) / (13 + 0.03), rel=0.1)
    np.testing.assert_allclose(places.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(places.var(0) / codes.var(0).sum(), shares)
    # distances within the plane of codes that lie in it are kept
    flat, _ = principal_plane(codes @ turn.T * (spread > 1) @ turn)
    inside = codes @ turn.T * (spread > 1)
    assert np.linalg.norm(flat[0] - flat[1]) == pytest.approx(np.linalg.norm(inside[0] - inside[1]))
    np.testing.assert_allclose(principal_plane(codes + 3)[0], places, atol=1e-6)


def test_a_code_of_one_axis_and_codes_that_are_all_equal_have_a_plane_too():
    places, shares = principal_plane(np.array([[1.0], [3.0]], dtype=np.float32))
    assert places.tolist() == [[-1, 0], [1, 0]]
    assert shares.tolist() == [1, 0]
    places, shares = principal_plane(np.ones((4, 3)))
    assert not places.any()
    assert not shares.any()
