import pytest
import scipy.stats
import torch
from torch import Tensor

from freerun.gumbel import gumbel_like, gumbel_softmax
from freerun.methods.estimators import (
    ControlWeight,
    conditional_gumbel,
    cost_of_every_code,
    every_code,
    expected,
    log_q,
    one_hot,
    rebar,
    reinforce,
    straight_through,
)

N = 20_000
BATCH, VARIABLES, CLASSES = 2, 2, 3
LOGITS = torch.tensor([[[1.0, -0.5, 0.3], [0.2, 0.9, -1.1]], [[-0.4, 0.0, 0.8], [1.5, -0.2, 0.1]]], dtype=torch.float64)
WEIGHTS = 1.5 * torch.randn(VARIABLES * CLASSES, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
OUTER = torch.randn(8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
NOISY = ("reinforce", "reinforce with a baseline", "rebar at 0.1", "rebar at 0.5", "rebar at 2", "rebar of eta 0.3")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cost(z: Tensor, outer: Tensor = OUTER) -> Tensor:
    """Of each row, far from linear in z, and about 3: a scale that no baseline of 0 fits."""
    return 3 + torch.tanh(z.flatten(1) @ WEIGHTS) @ outer


def estimate(name: str, logits: Tensor, cost, seed: int = 0) -> Tensor:
    match name:
        case "reinforce":
            return reinforce(logits, cost, 0.0, rng(seed))
        case "reinforce with a baseline":
            return reinforce(logits, cost, 3.0, rng(seed))
        case "straight-through":
            return straight_through(logits, cost, 0.7, rng(seed))
        case "rebar of eta 0.3":
            return rebar(logits, cost, 0.5, 0.3, rng(seed))[0]
        case _:
            return rebar(logits, cost, float(name.split()[-1]), 1.0, rng(seed))[0]


def gradients(estimated, n: int = N) -> Tensor:
    """`n` independent estimates of the gradient in LOGITS."""
    logits = LOGITS.repeat(n, 1, 1).requires_grad_()
    estimated(logits).sum().backward()
    assert logits.grad is not None
    return logits.grad.unflatten(0, (n, BATCH))


def exact_gradient() -> Tensor:
    logits = LOGITS.clone().requires_grad_()
    expected(logits, cost_of_every_code(logits.detach(), cost)).sum().backward()
    assert logits.grad is not None
    return logits.grad


def scores(draws: Tensor, exact: Tensor) -> Tensor:
    """How many standard errors the mean lies from what it should be."""
    return (draws.mean(0) - exact) / (draws.std(0) / len(draws) ** 0.5)


def p_value_of_equal(a: Tensor, b: Tensor) -> float:
    """Of two samples being drawn from one distribution (Kolmogorov and Smirnov)."""
    return scipy.stats.kstest(a.numpy(), b.numpy()).pvalue


def test_every_code_is_there_once():
    codes = every_code(3, 4)
    assert codes.shape == (64, 3, 4)
    assert len(codes.unique(dim=0)) == 64
    assert (codes.sum(-1) == 1).all()
    with pytest.raises(ValueError, match=r"10\^20 codes are too many"):
        every_code(20, 10)


def test_the_probabilities_of_all_codes_sum_to_one():
    total = sum(log_q(code.double().expand_as(LOGITS), LOGITS).exp() for code in every_code(VARIABLES, CLASSES))
    torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64))


def test_the_expectation_is_that_of_a_plain_loop():
    total = torch.zeros(BATCH, dtype=torch.float64)
    probs = LOGITS.softmax(-1)
    for i in range(CLASSES):
        for j in range(CLASSES):
            z = torch.zeros_like(LOGITS)
            z[:, 0, i] = z[:, 1, j] = 1
            total += probs[:, 0, i] * probs[:, 1, j] * cost(z)
    torch.testing.assert_close(expected(LOGITS, cost_of_every_code(LOGITS, cost)), total)


@pytest.mark.parametrize("name", NOISY)
def test_the_mean_of_many_draws_is_the_exact_gradient(name):
    draws = gradients(lambda logits: estimate(name, logits, cost))
    assert scores(draws, exact_gradient()).abs().max() < 4.5


@pytest.mark.parametrize("name", [*NOISY, "straight-through"])
def test_the_number_itself_is_the_cost_of_a_drawn_code(name):
    logits = LOGITS.repeat(N, 1, 1)
    paid = estimate(name, logits, cost).unflatten(0, (N, BATCH))
    table = cost_of_every_code(LOGITS, cost)
    nearest = (paid[:500, None] - table).abs().amin(1)
    assert nearest.max() < 1e-12
    assert scores(paid, expected(LOGITS, table)).abs().max() < 4.5


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_relaxed_and_straight_through_gradients_are_biased(temperature):
    """By a multiple of what chance explains, on the same cost for which the others are not."""

    def relaxed(logits: Tensor) -> Tensor:
        return cost(gumbel_softmax(logits, temperature, rng()))

    def through(logits: Tensor) -> Tensor:
        return straight_through(logits, cost, temperature, rng())

    for estimated in (relaxed, through):
        draws = gradients(estimated)
        assert scores(draws, exact_gradient()).abs().max() > 20
        assert (draws.mean(0) - exact_gradient()).norm() > 0.2 * exact_gradient().norm()


def test_the_bias_of_relaxed_gradients_falls_with_the_temperature_and_their_variance_rises():
    biases, variances = [], []
    for temperature in (2.0, 0.5, 0.1):
        draws = gradients(lambda logits, tau=temperature: cost(gumbel_softmax(logits, tau, rng())))
        biases.append((draws.mean(0) - exact_gradient()).norm())
        variances.append(draws.var(0).sum())
    assert biases[0] > 2 * biases[1] > 2 * biases[2]
    assert variances[0] < variances[1] < variances[2]


def test_of_a_linear_cost_straight_through_and_relaxed_gradients_are_the_same():
    """Its slope does not depend on where it is taken; and the exact gradient is that of the mean."""
    slope = torch.tensor([[0.0, 1.0, 3.0], [2.0, -1.0, 0.5]], dtype=torch.float64)

    def linear(z: Tensor) -> Tensor:
        return (z * slope).sum((1, 2))

    logits = LOGITS.clone().requires_grad_()
    (exact,) = torch.autograd.grad((logits.softmax(-1) * slope).sum(), logits)
    by_codes = torch.autograd.grad(expected(logits, cost_of_every_code(LOGITS, linear)).sum(), logits)[0]
    torch.testing.assert_close(by_codes, exact)
    a = gradients(lambda rows: straight_through(rows, linear, 0.5, rng()))
    b = gradients(lambda rows: linear(gumbel_softmax(rows, 0.5, rng())))
    torch.testing.assert_close(a, b)


def test_a_baseline_and_rebar_lower_the_variance_of_reinforce():
    plain, based, controlled = (
        gradients(lambda logits, n=name: estimate(n, logits, cost), 4000).var(0).sum()
        for name in ("reinforce", "reinforce with a baseline", "rebar at 0.5")
    )
    assert based < plain / 2
    assert controlled < plain / 2


def test_a_constant_cost_has_no_gradient_under_rebar_and_none_on_average_under_reinforce():
    def constant(z: Tensor) -> Tensor:
        return 5 + 0 * z.sum((1, 2))

    assert gradients(lambda logits: rebar(logits, constant, 0.5, 1.0, rng())[0], 100).abs().max() < 1e-12
    draws = gradients(lambda logits: reinforce(logits, constant, 0.0, rng()))
    assert draws.std(0).min() > 1
    assert scores(draws, torch.zeros_like(LOGITS)).abs().max() < 4.5


@pytest.mark.parametrize("name", NOISY)
def test_what_the_cost_depends_on_gets_its_own_exact_gradient(name):
    exact_outer = OUTER.clone().requires_grad_()
    expected(LOGITS, cost_of_every_code(LOGITS, lambda z: cost(z, exact_outer))).sum().backward()
    assert exact_outer.grad is not None
    groups = []
    for seed in range(20):
        outer = OUTER.clone().requires_grad_()
        logits = LOGITS.repeat(1000, 1, 1)
        estimate(name, logits, lambda z, o=outer: cost(z, o), seed).sum().backward()
        assert outer.grad is not None
        groups.append(outer.grad / 1000)
    assert scores(torch.stack(groups), exact_outer.grad).abs().max() < 5.5  # Student's t of 19 degrees, 8 numbers


def test_perturbed_logits_given_their_argmax_are_those_that_have_it():
    """Drawn z first and the others given it, or all at once: the same distribution, and the same argmax."""
    log_p = LOGITS[0, 0].log_softmax(-1).expand(N, -1)
    at_once = log_p + gumbel_like(log_p, rng(0))
    z = one_hot((log_p + gumbel_like(log_p, rng(1))).argmax(-1), log_p)
    given = conditional_gumbel(log_p, z, rng(2))
    assert torch.equal(one_hot(given.argmax(-1), log_p), z)
    for k in range(CLASSES):
        assert p_value_of_equal(given[:, k], at_once[:, k]) > 1e-3
        assert p_value_of_equal(given[:, k] - given[:, k - 1], at_once[:, k] - at_once[:, k - 1]) > 1e-3


def test_the_perturbed_maximum_given_its_class_is_a_standard_gumbel_and_no_gradient_reaches_it():
    log_p = LOGITS[0, 0].log_softmax(-1).expand(N, -1).clone().requires_grad_()
    z = one_hot(torch.full((N,), 2), log_p)
    given = conditional_gumbel(log_p, z, rng())
    assert scipy.stats.kstest(given[:, 2].detach().numpy(), "gumbel_r").pvalue > 1e-3
    (slope,) = torch.autograd.grad(given.sum(), log_p)
    assert (slope[:, 2] == 0).all()
    assert ((slope[:, :2] > 0) & (slope[:, :2] < 1)).all()


def test_extreme_logits_give_finite_gradients():
    logits = torch.tensor([[[1e4, -1e4, 0.0], [-80.0, 80.0, 80.0]]] * 4, requires_grad=True)
    single = WEIGHTS.float(), OUTER.float()

    def paid(z: Tensor) -> Tensor:
        return torch.tanh(z.flatten(1) @ single[0]) @ single[1]

    for temperature in (0.01, 1.0, 100.0):
        for value in (
            rebar(logits, paid, temperature, 1.0, rng())[0],
            straight_through(logits, paid, temperature, rng()),
            reinforce(logits, paid, 0.0, rng()),
        ):
            (gradient,) = torch.autograd.grad(value.sum(), logits)
            assert value.isfinite().all()
            assert gradient.isfinite().all()


def test_the_weight_of_the_control_is_one_at_first_and_then_the_best_of_the_past():
    control = ControlWeight()
    assert control.eta == 1
    draws = {eta: gradients(lambda a, e=eta: rebar(a, cost, 1.0, e, rng())[0]) for eta in (0.0, 1.0)}
    plain, part = draws[0.0], draws[1.0] - draws[0.0]
    best = -(plain * part).sum() / part.square().sum()
    for seed in range(100):
        control.learn(rebar(LOGITS.repeat(200, 1, 1), cost, 1.0, 1.0, rng(seed))[1])
    assert control.eta.item() == pytest.approx(best.item(), rel=0.1)
    at_best, beside = plain + best * part, plain + (best + 0.2) * part
    assert at_best.var(0).sum() < beside.var(0).sum()
