import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from freerun.conditions import fitted
from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Length
from freerun.corpora.batches import Batch
from freerun.gumbel import Annealing
from freerun.methods.base import Network, State, World
from freerun.methods.categorical_vae import CategoricalVAE, categorical_kl, use_of_classes
from freerun.methods.descent import Descent
from freerun.methods.estimators import cost_of_every_code, every_code, expected
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun

ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
BATCH = Batch(ROWS, torch.arange(4), {})
WORLD = World(Length(7, 2, 3), 4, Network(d_embedding=4, d_hidden=8), n_batches=3, device=torch.device("cpu"))
ESTIMATORS = ("gumbel", "straight_through", "reinforce", "rebar")
SMALL = {"n_steps": 10, "n_variables": 2, "n_classes": 3, "rising": 0.0}
SCALE = 3.0  # of the first weights: probabilities and costs that differ


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def copies(n: int) -> Batch:
    return Batch(ROWS.repeat(n, 1), torch.arange(4 * n), {})


def begun(method: CategoricalVAE, world: World = WORLD) -> State:
    torch.manual_seed(0)
    return method.init(world)


def in_float64(method: CategoricalVAE) -> State:
    """Weights that are large enough for the code to matter; the optimisers are built anew on them."""
    state = begun(method)
    state.networks.double()
    with torch.no_grad():
        for name in ("logits", "generator"):
            for weight in state.networks[name].parameters():
                weight.mul_(SCALE)
    return state


def enumerated(method: CategoricalVAE, state: State) -> tuple[Tensor, Tensor]:
    """The logits of each row, and nll(y, z) of each code z: (codes, batch)."""
    logits = method.posterior(state, BATCH)
    cost = method.cost(state, BATCH, torch.zeros(4, 0), ROWS)
    return logits, cost_of_every_code(logits, cost)


def test_the_hard_bound_is_in_the_mean_what_enumeration_of_all_codes_gives_and_below_the_likelihood():
    method = CategoricalVAE(**SMALL)
    state = in_float64(method)
    with torch.no_grad():
        logits, paid = enumerated(method, state)
        bound = -(expected(logits, paid) + categorical_kl(logits))
        log_likelihood = (-paid).logsumexp(0) - math.log(9)
        assert (bound <= log_likelihood).all()
        assert (log_likelihood - bound).min() > 0.01
        draws = [method.evaluate(state, copies(100), rng(seed)) for seed in range(20)]
    totals = torch.stack([draw["neg_elbo_hard_per_token"][0] / 100 for draw in draws])
    assert abs(totals.mean() + bound.sum()) < 4.5 * totals.std() / 20**0.5
    assert draws[0]["neg_elbo_hard_per_token"][1] == 1300


def test_the_bound_is_tight_where_the_encoder_has_the_true_posterior():
    """log p(y) - ELBO = KL(q(z|y) || p(z|y)): of one variable, the logits of the truth are -nll."""
    method = CategoricalVAE(**{**SMALL, "n_variables": 1})
    with torch.no_grad():
        _, paid = enumerated(method, in_float64(method))
        truth = -paid.T[:, None, :]
        bound = -(expected(truth, paid) + categorical_kl(truth))
        torch.testing.assert_close(bound, (-paid).logsumexp(0) - math.log(3))


def test_the_divergence_is_that_of_the_library_and_finite_at_certainty():
    logits = torch.randn(5, 2, 4, generator=rng())
    uniform = torch.distributions.Categorical(logits=torch.zeros_like(logits))
    by_library = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=logits), uniform).sum(1)
    torch.testing.assert_close(categorical_kl(logits), by_library)
    certain = torch.tensor([[[1e4, -1e4, 0.0]]], requires_grad=True)
    categorical_kl(certain).sum().backward()
    assert categorical_kl(certain).item() == pytest.approx(math.log(3))
    assert certain.grad is not None
    assert certain.grad.isfinite().all()


def gradients(method: CategoricalVAE, batch: Batch, seed: int) -> Tensor:
    """Of every weight of encoder and generator, as a step descends them."""
    state = in_float64(method)
    method.step(state, batch, rng(seed))
    return _slopes(state.networks)


def _slopes(networks: nn.ModuleDict) -> Tensor:
    parts = ("reader", "logits", "generator")
    return torch.cat([_slope(weight) for name in parts for weight in networks[name].parameters()])


def _slope(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad.flatten()


@pytest.fixture(scope="module")
def exact() -> Tensor:
    """The gradient of the mean negative bound, by enumeration."""
    method = CategoricalVAE(**SMALL)
    state = in_float64(method)
    logits, paid = enumerated(method, state)
    (expected(logits, paid) + categorical_kl(logits)).mean().backward()
    return _slopes(state.networks)


def steps_of(estimator: str, **settings: object) -> Tensor:
    """The gradients of 25 first steps, each on 200 copies of the batch."""
    descent = Descent(lr=1e-9, clip=0.0)
    method = CategoricalVAE(**{**SMALL, "estimator": estimator, "descent": descent, **settings})
    return torch.stack([gradients(method, copies(200), seed) for seed in range(25)])


def t_along(draws: Tensor, exact: Tensor, direction: Tensor) -> float:
    along = (draws - exact) @ direction
    return float(along.mean() / (along.std() / len(along) ** 0.5))


@pytest.mark.parametrize("estimator", ["reinforce", "rebar"])
def test_a_step_descends_in_the_mean_the_exact_gradient_of_the_bound(estimator, exact):
    draws = steps_of(estimator)
    anywhere = torch.randn(8, len(exact), generator=rng(), dtype=torch.float64)
    for direction in (exact, *anywhere):
        assert abs(t_along(draws, exact, direction)) < 5  # Student's t of 24 degrees: once in 20,000 seeds
    assert (draws.mean(0) - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize("estimator", ["gumbel", "straight_through"])
def test_a_relaxed_step_descends_another_gradient(estimator, exact):
    draws = steps_of(estimator, temperature=Annealing(2.0, 2.0, "constant"))
    first, second = draws[:10], draws[10:]
    assert t_along(second, exact, first.mean(0) - exact) > 8  # Student's t of 14 degrees


@pytest.mark.parametrize("kl", ["categorical", "concrete"])
def test_the_loss_of_a_step_is_in_the_mean_the_relaxed_bound_that_is_evaluated(kl):
    method = CategoricalVAE(**SMALL, kl=kl, temperature=Annealing(0.7, 0.7, "constant"))
    many, n = copies(50), 20
    losses = [method.step(begun(method), many, rng(seed))["loss"] for seed in range(n)]
    state = begun(method)
    bounds = [method.evaluate(state, many, rng(n + i))["neg_elbo_relaxed_per_token"][0] / 200 for i in range(n)]
    a, b = torch.stack(losses), torch.stack(bounds)
    assert abs(a.mean() - b.mean()) < 4.5 * ((a.var() + b.var()) / n).sqrt()


def test_the_concrete_divergence_is_not_negative_in_the_mean_and_nothing_where_the_posterior_is_the_prior():
    method = CategoricalVAE(**SMALL, kl="concrete")

    def free(z: Tensor) -> Tensor:
        return 0 * z.sum((1, 2))

    _, none = method._relaxed(torch.zeros(1000, 2, 3), free, 0.5, rng())
    assert none.abs().max() < 1e-4
    _, kl = method._relaxed(torch.randn(1, 2, 3, generator=rng()).expand(4000, -1, -1), free, 0.5, rng())
    assert kl.mean() > 4.5 * kl.std() / 4000**0.5


def test_early_stopping_goes_by_hard_codes():
    for beta in (1.0, 0.3):
        method = CategoricalVAE(**SMALL, beta=beta)
        measures = method.evaluate(begun(method), BATCH, rng())
        (total, _) = next(iter(measures.values()))
        hard, kl = measures["reconstruction_nll_per_token"][0], measures["kl_per_sequence"][0]
        assert total.item() == pytest.approx((hard + beta * kl).item(), rel=1e-5)
        assert measures["neg_elbo_hard_per_token"][0].item() == pytest.approx((hard + kl).item(), rel=1e-6)


def test_classes_in_use_and_information_of_posteriors_whose_answer_is_known():
    certain = 100 * every_code(1, 4)  # each sequence a class of its own
    measures = use_of_classes(certain)
    assert measures["classes_in_use"].item() == pytest.approx(4)
    assert measures["information_per_variable"].item() == pytest.approx(math.log(4))
    silent = torch.tensor([1.0, 2.0, 0.0, -1.0]).expand(5, 2, 4)
    assert use_of_classes(silent)["information_per_variable"].item() == pytest.approx(0, abs=1e-6)
    one_of_two = torch.tensor([[[50.0, 0, 0]], [[0, 50.0, 0]]])
    assert use_of_classes(one_of_two)["classes_in_use"].item() == pytest.approx(2)


def test_prior_draws_are_exactly_uniform_one_hots_of_the_seed_and_the_number_alone():
    method = CategoricalVAE(n_steps=1, n_variables=3, n_classes=4)
    state = begun(method)
    codes = method.context(state, torch.arange(20_000), {}, 5)
    assert torch.equal(method.context(state, torch.tensor([7]), {}, 5), codes[7:8])
    assert not torch.equal(method.context(state, torch.arange(9), {}, 6), codes[:9])
    z = codes.unflatten(1, (3, 4))
    assert (z.sum(-1) == 1).all()
    assert ((z == 0) | (z == 1)).all()
    counts = torch.einsum("bi,bj->ij", z.flatten(1), z.flatten(1))  # of every class, and of every pair of classes
    ones, pairs = counts.diagonal(), counts[:4, 4:8]
    assert (ones - 5000).abs().max() < 4.5 * (20_000 * 3 / 16) ** 0.5
    assert (pairs - 1250).abs().max() < 4.5 * (20_000 * 15 / 256) ** 0.5


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_run_that_was_saved_goes_on_alike_its_baseline_and_its_control_too(estimator, tmp_path):
    method = CategoricalVAE(**{**SMALL, "rising": 1.0}, estimator=estimator, word_dropout=0.2)
    whole, half = begun(method), begun(method)
    expected_logs = [method.step(whole, BATCH, rng(step)) for step in range(6)]
    for step in range(3):
        method.step(half, BATCH, rng(step))
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed = begun(method)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for step in range(3, 6):
        logs = method.step(resumed, BATCH, rng(step))
        assert {name: float(value) for name, value in logs.items()} == {
            name: float(value) for name, value in expected_logs[step].items()
        }
    for a, b in zip(whole.networks.state_dict().values(), resumed.networks.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_steps_in_half_precision_at_low_temperature_are_finite(estimator):
    world = dataclasses.replace(WORLD, compute_dtype=torch.bfloat16)
    method = CategoricalVAE(**SMALL, estimator=estimator, temperature=Annealing(0.05, 0.05, "constant"))
    state = begun(method, world)
    with torch.no_grad():
        for weight in state.networks["logits"].parameters():
            weight.mul_(1000)
    for step in range(3):
        logs = method.step(state, BATCH, rng(step))
        assert all(value.isfinite() for value in logs.values())
    assert all(total.isfinite() for total, _ in method.evaluate(state, BATCH, rng()).values())


@pytest.mark.parametrize("estimator", ["gumbel", "straight_through", "rebar"])
def test_four_strings_are_told_apart_by_their_codes(estimator):
    """Where the KL costs little: each of four strings gets a code, and is decoded from it."""
    settings = {"n_steps": 100, "n_variables": 2, "n_classes": 4, "beta": 0.1, "rising": 0.0}
    method = CategoricalVAE(**settings, estimator=estimator, descent=Descent(lr=0.03))
    state = begun(method)
    for step in range(100):
        torch.manual_seed(step)
        method.step(state, copies(16), rng(step))
    codes = nn.functional.one_hot(method.posterior(state, BATCH).argmax(-1), 4).float().flatten(1)
    run = FreeRun(method.generator(state), WORLD.constraint, 4, 0, Decoding(greedy=True), lambda index: codes[index])
    assert torch.equal(run(4).tokens, ROWS)
    assert method.evaluate(state, BATCH, rng())["information_per_variable"][0] / 4 > 0.5


def test_the_temperature_is_annealed_over_the_run():
    method = CategoricalVAE(**SMALL, temperature=Annealing(1.0, 0.25, "exponential"))
    state = begun(method)
    seen = [float(method.step(state, BATCH, rng())["temperature"]) for _ in range(10)]
    assert seen == pytest.approx([0.25 ** (step / 10) for step in range(10)], rel=1e-6)


def test_the_baseline_learns_what_strings_of_each_length_cost():
    method = CategoricalVAE(**{**SMALL, "n_steps": 60}, estimator="reinforce", descent=Descent(lr=0.05))
    state = begun(method)
    errors = [float(method.step(state, BATCH, rng(step))["baseline_error"]) for step in range(60)]
    assert np.mean(errors[-10:]) < errors[0] / 4


def test_conditions_lead_encoder_and_generator():
    conditions = fitted({"weight": np.array([1.0, 2.0, 3.0, np.nan])})
    world = dataclasses.replace(WORLD, conditions=conditions)
    batch = dataclasses.replace(BATCH, columns={"weight": torch.tensor([1.0, 2.0, 3.0, math.nan])})
    method = CategoricalVAE(**SMALL, condition=("weight",), condition_dropout=0.5)
    assert method.columns == ("weight",)
    state = begun(method, world)
    assert method.step(state, batch, rng())["loss"].isfinite()
    other = dataclasses.replace(batch, columns={"weight": torch.tensor([3.0, 2.0, 3.0, math.nan])})
    moved = (method.posterior(state, batch) - method.posterior(state, other)).abs().amax((1, 2))
    assert moved[0] > 0
    assert moved[1:].max() == 0
    context = method.context(state, torch.arange(5), {"weight": 3.0}, 0)
    assert torch.equal(context[:, 6:], conditions.asked({"weight": 3.0}, 5, torch.device("cpu")))
    assert torch.equal(context[:, :6], method.context(state, torch.arange(5), {}, 0)[:, :6])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rising": 1.5}, "rising = 1.5 must be in"),
        ({"word_dropout": -0.1}, "word_dropout = -0.1 must be in"),
        ({"condition_dropout": 2.0}, "condition_dropout = 2.0 must be in"),
        ({"n_cycles": 0}, "for no annealing set rising = 0"),
        ({"n_classes": 1}, "20 variables of 1 classes hold nothing"),
        ({"kl": "concrete", "estimator": "rebar"}, 'estimator = "rebar" has hard ones'),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CategoricalVAE(**settings)
