import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from freerun.errors import UsageError
from freerun.gumbel import (
    Annealing,
    concrete_log_density,
    gumbel_like,
    gumbel_log_softmax,
    gumbel_max,
    gumbel_softmax,
    gumbel_top_k,
    straight_through,
)
from freerun.noise import gumbel, uniform
from freerun.settings import built

N = 200_000
P_VALUE = 1e-3  # a test that fails by chance once in a thousand seeds; the seeds are fixed
LOGITS = torch.tensor([1.3, -0.4, 0.2, 2.0])  # of four classes, not normalised
MASKED = torch.tensor([0.5, -math.inf, -1.0, -math.inf, 1.5])
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=["stream", "counter"])
def noise(request: pytest.FixtureRequest) -> np.ndarray:
    """Standard Gumbel noise from a generator, and from counted uniform numbers."""
    if request.param == "stream":
        return gumbel_like(torch.zeros(N), seeded()).double().numpy()
    return gumbel(uniform(5, torch.arange(N), 0)).numpy()


# The facts of the lecture room, of location m and scale b: z = m + b g.
PLACES = pytest.mark.parametrize(("m", "b"), [(0.0, 1.0), (2.0, 3.0)])


def density(z: np.ndarray, m: float = 0.0, b: float = 1.0) -> np.ndarray:
    s = (z - m) / b
    return np.exp(-(s + np.exp(-s))) / b


def distribution(z: np.ndarray, m: float = 0.0, b: float = 1.0) -> np.ndarray:
    return np.exp(-np.exp(-(z - m) / b))


@PLACES
def test_the_formulas_are_those_of_scipy_and_the_density_is_the_slope_of_the_distribution(m, b):
    z = np.linspace(m - 3 * b, m + 12 * b, 2001)
    np.testing.assert_allclose(density(z, m, b), scipy.stats.gumbel_r.pdf(z, m, b), rtol=1e-12)
    np.testing.assert_allclose(distribution(z, m, b), scipy.stats.gumbel_r.cdf(z, m, b), rtol=1e-12)
    np.testing.assert_allclose(np.gradient(distribution(z, m, b), z)[1:-1], density(z, m, b)[1:-1], atol=2e-5)


@PLACES
def test_noise_has_the_gumbel_density(noise, m, b):
    z = m + b * noise
    edges = m + b * np.linspace(-1.5, 6.5, 33)
    counts = np.histogram(z, edges)[0]
    shares = np.array([scipy.integrate.quad(density, *pair, args=(m, b))[0] for pair in itertools.pairwise(edges)])
    observed, expected = (np.append(x, total - x.sum()) for x, total in ((counts, N), (shares * N, N)))
    assert scipy.stats.chisquare(observed, expected).pvalue > P_VALUE


@PLACES
def test_noise_has_the_gumbel_distribution(noise, m, b):
    assert scipy.stats.kstest(m + b * noise, distribution, args=(m, b)).pvalue > P_VALUE


@PLACES
def test_the_mean_is_m_plus_eulers_constant_times_b(noise, m, b):
    standard_error = math.pi * b / math.sqrt(6 * N)
    assert abs((m + b * noise).mean() - (m + b * np.euler_gamma)) < 4 * standard_error


@PLACES
def test_the_median_is_m_minus_b_ln_ln_2(noise, m, b):
    median = m - b * math.log(math.log(2))
    standard_error = 1 / (2 * density(np.array(median), m, b) * math.sqrt(N))
    assert abs(np.median(m + b * noise) - median) < 4 * standard_error


@PLACES
def test_the_mode_is_m(noise, m, b):
    z = np.linspace(m - 3 * b, m + 3 * b, 601)
    assert z[density(z, m, b).argmax()] == pytest.approx(m)
    # Three neighbouring bins of width 0.4 b: the one about m expects 2,000 more than the next, 8 standard errors.
    counts = np.histogram(m + b * noise, m + b * np.array([-0.6, -0.2, 0.2, 0.6]))[0]
    assert counts.argmax() == 1


@PLACES
def test_the_variance_is_pi_squared_b_squared_over_6(noise, m, b):
    variance = math.pi**2 * b**2 / 6
    standard_error = variance * math.sqrt((5.4 - 1) / N)  # the kurtosis is 5.4
    assert abs((m + b * noise).var() - variance) < 4 * standard_error


def ks_of_maximum(n: int) -> float:
    """Distance of the distribution of max of n exponentials - ln n, (1 - exp(-x) / n)^n, from its limit."""
    x = np.linspace(-math.log(n), 12, 100_001)
    return np.abs((1 - np.exp(-x) / n) ** n - distribution(x)).max()


def test_the_maximum_of_n_exponentials_minus_ln_n_tends_to_it():
    # exp(-t) - (1 - t/n)^n is about t^2 exp(-t) / 2n with t = exp(-x), at most 2 exp(-2) / n, at t = 2.
    distances = [ks_of_maximum(n) for n in (1, 10, 100, 1000)]
    assert distances[0] == pytest.approx(math.exp(-1), abs=1e-6)  # all of the limit below 0
    assert [d * n for d, n in zip(distances[1:], (10, 100, 1000), strict=True)] == pytest.approx(
        [2 * math.exp(-2)] * 3, rel=0.05
    )


@pytest.mark.parametrize("n", [1, 10, 100, 1000])
def test_maxima_of_drawn_exponentials_are_as_far_from_it_as_they_should_be(n):
    maxima = torch.empty(4000, n).exponential_(generator=seeded()).amax(1).double().numpy() - math.log(n)
    exact = scipy.stats.kstest(maxima, lambda x: (1 - np.exp(-x) / n) ** n)
    assert exact.pvalue > P_VALUE
    # The triangle inequality, and the bound of Dvoretzky, Kiefer, Wolfowitz and Massart at probability 1e-3.
    from_limit = scipy.stats.kstest(maxima, "gumbel_r").statistic
    assert abs(from_limit - ks_of_maximum(n)) < math.sqrt(math.log(2 / P_VALUE) / (2 * len(maxima)))


def test_an_exponential_draw_of_zero_or_infinity_gives_finite_noise(monkeypatch):
    for value in (0.0, math.inf):
        monkeypatch.setattr(torch.Tensor, "exponential_", lambda self, generator, value=value: self.fill_(value))
        assert gumbel_like(torch.zeros(3, dtype=torch.float16), seeded()).isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_noise_is_the_same_whatever_the_dtype(dtype):
    noise = gumbel_like(torch.zeros(7, dtype=dtype), seeded())
    assert noise.dtype == torch.float32
    assert torch.equal(noise, gumbel_like(torch.zeros(7), seeded()))


@pytest.mark.parametrize("logits", [LOGITS, MASKED])
def test_the_argmax_of_perturbed_logits_follows_their_softmax(logits):
    p = torch.softmax(logits.double(), 0).numpy()
    draws = gumbel_max(logits.expand(N, -1), seeded())
    counts = np.bincount(draws.numpy(), minlength=len(p))
    assert (counts[p == 0] == 0).all()
    assert scipy.stats.chisquare(counts[p > 0], N * p[p > 0]).pvalue > P_VALUE


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_the_argmax_of_a_relaxed_draw_is_that_exact_draw_at_every_temperature(temperature):
    logits = LOGITS.expand(1000, -1)
    assert torch.equal(gumbel_softmax(logits, temperature, seeded()).argmax(-1), gumbel_max(logits, seeded()))


def test_relaxed_draws_become_one_hot_as_the_temperature_goes_to_0():
    # The distance is below 2 (K - 1) exp(-gap / tau), the gap being that between the two largest perturbed logits.
    logits = LOGITS.double().expand(1000, -1)
    hard = torch.nn.functional.one_hot(gumbel_max(logits, seeded()), 4).double()
    largest = (logits + gumbel_like(logits, seeded())).topk(2, -1).values
    gap = largest[:, 0] - largest[:, 1]
    for temperature in (1.0, 0.1, 0.01, 1e-4):
        distance = (gumbel_softmax(logits, temperature, seeded()) - hard).abs().sum(-1)
        assert (distance <= 6 * torch.exp(-gap / temperature) + 1e-12).all()
    assert distance.mean() < 1e-3


def test_relaxed_draws_become_uniform_over_the_allowed_classes_as_the_temperature_goes_to_infinity():
    # |y - 1/K| <= range / tau: a softmax moves by at most 1/4 a unit of each logit; no range here reaches 40.
    for logits, uniform_draw in ((LOGITS, torch.full((4,), 0.25)), (MASKED, MASKED.isfinite() / 3)):
        for temperature in (1e2, 1e4, 1e6):
            y = gumbel_softmax(logits.expand(1000, -1), temperature, seeded())
            assert (y - uniform_draw).abs().max() < 40 / temperature + 1e-7


def test_of_two_classes_the_log_ratio_of_a_relaxed_draw_is_logistic():
    # The difference of two Gumbels is logistic: log(y_1 / y_2) ~ Logistic(difference of the logits, 1) / tau.
    logits, temperature = torch.tensor([0.7, -0.5]), 0.4
    log_y = gumbel_log_softmax(logits.expand(N, -1), temperature, seeded()).double().numpy()
    ratio = log_y[:, 0] - log_y[:, 1]
    assert scipy.stats.kstest(ratio, "logistic", args=(1.2 / temperature, 1 / temperature)).pvalue > P_VALUE


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [0.01, 0.1, 1.0, 10.0, 100.0])
def test_relaxed_draws_and_their_gradients_are_finite_in_every_dtype(dtype, temperature):
    extreme = torch.tensor([6e4, -6e4, 0.0, -math.inf, 1.0])
    rows = torch.stack([MASKED, extreme, torch.tensor([-math.inf] * 4 + [0.0])]).repeat(2000, 1)
    logits = rows.to(dtype).requires_grad_()
    y = gumbel_softmax(logits, temperature, seeded())
    assert y.dtype == dtype
    assert y.isfinite().all()
    assert (y.sum(-1) - 1).abs().max() <= 4 * torch.finfo(dtype).eps
    wide = torch.promote_types(dtype, torch.float32)
    assert torch.equal(y, gumbel_softmax(logits.to(wide), temperature, seeded()).to(dtype))
    (y * torch.arange(5.0).to(dtype)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    masked = rows == -math.inf
    assert (y[masked] == 0).all()
    assert (logits.grad[masked] == 0).all()


@pytest.mark.parametrize("temperature", [0.1, 1.0, 10.0])
def test_the_jacobian_of_a_relaxed_draw_is_that_of_the_softmax_over_the_temperature(temperature):
    def relaxed(logits: torch.Tensor) -> torch.Tensor:
        return gumbel_softmax(logits, temperature, seeded(3))

    logits = LOGITS.double().requires_grad_()
    y = relaxed(logits)
    jacobian = torch.stack([torch.autograd.grad(part, logits, retain_graph=True)[0] for part in y])
    torch.testing.assert_close(jacobian, (torch.diag(y) - torch.outer(y, y)) / temperature, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(relaxed, logits)  # against finite differences, the noise held fixed


def test_the_mean_gradient_of_relaxed_draws_is_the_gradient_of_their_mean():
    # Of two classes log(y_1 / y_2) = (s + l) / tau, l logistic: the mean of y_1^2 is an integral, its slope in s too.
    temperature, s = 0.5, 0.8

    def mean(s: float) -> float:
        def part(x: float) -> float:
            return scipy.stats.logistic.pdf(x) * scipy.special.expit((s + x) / temperature) ** 2

        return scipy.integrate.quad(part, -40, 40, limit=200)[0]

    logits = torch.tensor([s, 0.0], dtype=torch.float64).repeat(N, 1).requires_grad_()
    gumbel_softmax(logits, temperature, seeded())[:, 0].square().sum().backward()
    assert logits.grad is not None
    slopes = logits.grad[:, 0]
    assert abs(slopes.mean() - (mean(s + 1e-4) - mean(s - 1e-4)) / 2e-4) < 4 * slopes.std() / math.sqrt(N)


@pytest.mark.parametrize("dtype", DTYPES)
def test_straight_through_is_exactly_one_hot_and_hands_its_gradient_to_the_relaxed_draw(dtype):
    logits = MASKED.to(dtype).repeat(500, 1).requires_grad_()
    relaxed = gumbel_softmax(logits, 0.7, seeded())
    hard = straight_through(relaxed)
    assert hard.dtype == dtype
    assert torch.equal(hard, torch.nn.functional.one_hot(relaxed.argmax(-1), 5).to(dtype))
    weights = torch.randn(hard.shape, generator=seeded(1)).to(dtype)
    (through,) = torch.autograd.grad((hard * weights).sum(), logits, retain_graph=True)
    (soft,) = torch.autograd.grad((relaxed * weights).sum(), logits)
    assert torch.equal(through, soft)


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_top_k_are_drawn_one_after_another_without_replacement(k):
    p = torch.softmax(LOGITS.double(), 0).tolist()
    expected = {}
    for chosen in itertools.permutations(range(4), k):
        taken = 0.0
        expected[chosen] = 1.0
        for i in chosen:
            expected[chosen] *= p[i] / (1 - taken)
            taken += p[i]
    assert sum(expected.values()) == pytest.approx(1)
    drawn = [tuple(row) for row in gumbel_top_k(LOGITS.expand(50_000, -1), k, seeded()).tolist()]
    counts = [drawn.count(chosen) for chosen in expected]
    assert scipy.stats.chisquare(counts, 50_000 * np.array(list(expected.values()))).pvalue > P_VALUE


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_top_k_of_one_seed_begin_with_those_of_a_smaller_k_and_leave_masked_classes_out(dtype):
    logits = MASKED.to(dtype).repeat(300, 1)
    three = gumbel_top_k(logits, 3, seeded())
    assert torch.equal(three.sort(-1).values, torch.tensor([0, 2, 4]).expand(300, -1))
    assert torch.equal(three[:, :2], gumbel_top_k(logits, 2, seeded()))
    assert torch.equal(three[:, 0], gumbel_max(logits, seeded()))


def test_more_classes_than_are_allowed_and_rows_of_none_are_refused():
    with pytest.raises(ValueError, match=r"k = 4 .* the 3 that are allowed"):
        gumbel_top_k(torch.stack([torch.zeros(5), MASKED]), 4, seeded())
    with pytest.raises(ValueError, match="k = 0"):
        gumbel_top_k(LOGITS, 0, seeded())
    with pytest.raises(ValueError, match="the 0 that are allowed"):
        gumbel_max(torch.full((2,), -math.inf), seeded())
    assert gumbel_top_k(torch.zeros(0, 4), 2, seeded()).shape == (0, 2)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    for refused in (
        lambda: gumbel_softmax(LOGITS, temperature, seeded()),
        lambda: gumbel_log_softmax(LOGITS, temperature, seeded()),
        lambda: concrete_log_density(LOGITS.log_softmax(0), LOGITS, temperature),
        lambda: Annealing(temperature, 1.0, "linear"),
        lambda: Annealing(1.0, temperature, "linear"),
    ):
        with pytest.raises(ValueError, match="temperature"):
            refused()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_of_two_classes_the_concrete_density_integrates_to_one(temperature):
    def on_simplex(y: float, side: int) -> float:
        log_y = torch.tensor([y, 1 - y], dtype=torch.float64).roll(side).log()
        return math.exp(concrete_log_density(log_y, LOGITS[:2].double(), temperature) - log_y.sum())

    # In halves: below temperature 1 the density is infinite in both corners, and 1 - y would be rounded near 1.
    halves = [scipy.integrate.quad(on_simplex, 0, 0.5, args=(side,), limit=100)[0] for side in (0, 1)]
    assert sum(halves) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_of_three_classes_the_concrete_density_integrates_to_one(temperature):
    # The trapezium rule over u_k = tau log(y_k / y_K): dy = prod_k y_k du / tau^(K-1). The tails fall as exp(-|u|), so
    # beyond 30 lies less than 1e-11; the integrand is analytic and the step small, so the rule's own error is less.
    axis = torch.arange(-30, 30, 0.2, dtype=torch.float64)
    u = torch.cartesian_prod(axis, axis, torch.zeros(1, dtype=torch.float64))
    log_y = (u / temperature).log_softmax(-1)
    logits = LOGITS[:3].double().expand_as(log_y)
    on_simplex = torch.exp(concrete_log_density(log_y, logits, temperature) - log_y.sum(-1))
    volume = log_y.sum(-1).exp() * (0.2 / temperature) ** 2
    assert (on_simplex * volume).sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 4.0])
def test_the_concrete_density_is_the_published_one_and_that_of_torch(temperature):
    logits = LOGITS.double().expand(50, -1)
    log_y = gumbel_log_softmax(logits, temperature, seeded())
    found = concrete_log_density(log_y, logits, temperature)
    terms = logits - temperature * log_y
    published = math.log(6) + 3 * math.log(temperature) + (terms - terms.exp().sum(-1, keepdim=True).log()).sum(-1)
    torch.testing.assert_close(found, published, rtol=1e-12, atol=1e-12)
    theirs = torch.distributions.RelaxedOneHotCategorical(torch.tensor(temperature, dtype=torch.float64), logits=logits)
    torch.testing.assert_close(found, theirs.base_dist.log_prob(log_y), rtol=1e-10, atol=1e-10)
    shifted = concrete_log_density(log_y, logits + 7, temperature)
    torch.testing.assert_close(shifted, found, rtol=1e-10, atol=1e-10)


def test_masked_classes_count_for_nothing_in_the_concrete_density():
    logits = MASKED.double().expand(50, -1).clone().requires_grad_()
    log_y = gumbel_log_softmax(logits, 0.5, seeded())
    whole = concrete_log_density(log_y, logits, 0.5)
    kept = [0, 2, 4]
    torch.testing.assert_close(whole, concrete_log_density(log_y[:, kept], logits[:, kept], 0.5))
    (gradient,) = torch.autograd.grad(whole.sum(), logits)
    assert gradient.isfinite().all()
    assert (gradient[:, [1, 3]] == 0).all()
    one_class = torch.tensor([0.0, -math.inf])
    assert concrete_log_density(one_class, one_class, 0.5) == 0


def test_outside_its_support_the_concrete_density_is_zero_with_finite_gradients():
    logits = torch.tensor([[0.0, 1.0, -math.inf]] * 2, requires_grad=True)
    log_y = torch.tensor([[0.0, -math.inf, -math.inf], [0.3, 0.3, 0.4]]).log_softmax(-1)
    density = concrete_log_density(log_y, logits, 0.5)
    assert density.tolist() == [-math.inf, -math.inf]
    (gradient,) = torch.autograd.grad(density.sum(), logits)
    assert gradient.isfinite().all()


def test_the_gradient_of_the_concrete_density_is_right_in_both_its_arguments():
    logits = LOGITS.double().requires_grad_()
    log_y = gumbel_log_softmax(LOGITS.double(), 0.6, seeded()).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: concrete_log_density(a, b, 0.6), (log_y, logits))


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_relaxed_draws_stay_finite_where_the_draws_underflow(dtype):
    logits = torch.tensor([0.0, 40.0], dtype=dtype).expand(100, -1)
    log_y = gumbel_log_softmax(logits, 0.1, seeded())
    assert log_y.dtype == dtype
    assert log_y.isfinite().all()
    assert concrete_log_density(log_y, logits, 0.1).isfinite().all()
    torch.testing.assert_close(log_y.exp(), gumbel_softmax(logits, 0.1, seeded()))


def test_the_temperature_is_constant_or_falls_by_the_same_difference_or_the_same_factor():
    assert Annealing(0.7, 0.7).at(3, 10) == 0.7
    assert [Annealing(5.0, 1.0, "linear").at(step, 4) for step in range(6)] == [5, 4, 3, 2, 1, 1]
    exponential = [Annealing(8.0, 0.5, "exponential").at(step, 4) for step in range(6)]
    assert exponential == pytest.approx([8, 4, 2, 1, 0.5, 0.5])


def test_a_schedule_is_known_and_a_constant_one_goes_nowhere():
    with pytest.raises(ValueError, match="'cosine' is not known; there are constant, linear, exponential"):
        Annealing(1.0, 0.5, "cosine")
    with pytest.raises(ValueError, match=r"constant temperature cannot go from 1\.0 to 0\.5"):
        Annealing(1.0, 0.5)


def test_annealing_is_read_from_a_table():
    table = {"start": 1.0, "end": 0.5, "schedule": "linear"}
    assert built(Annealing, table, "method.temperature") == Annealing(1.0, 0.5, "linear")
    with pytest.raises(UsageError, match="temperature 0"):
        built(Annealing, {"start": 1.0, "end": 0.0, "schedule": "linear"}, "method.temperature")
