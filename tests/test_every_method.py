"""Properties that hold for each method, run through the dict on tiny worlds."""

import dataclasses
import functools

import pytest
import torch

from freerun.conditions import Conditions, Label
from freerun.constraints.base import EOS, PAD, SPECIALS
from freerun.constraints.language import Language
from freerun.constraints.length import Anything
from freerun.corpora.batches import Batch
from freerun.errors import UsageError
from freerun.methods import METHODS
from freerun.methods.base import AbstractLatentMethod, AbstractMethod, Network, State, World, unrolled
from freerun.methods.descent import Descent
from freerun.methods.scheduled_sampling import Weaning
from freerun.models.behaviour_critic import BehaviourShape
from freerun.models.sequence_critic import CriticShape
from freerun.noise import mix
from freerun.objectives.objective import Objective
from freerun.objectives.settings import ObjectiveSettings
from freerun.sampling.free_run import FreeRun, OfIndex
from freerun.sampling.likelihood import log_prob

N_STEPS = 120
MLE = Descent(lr=0.02)
CRITIC = CriticShape(widths=(1, 2), filters=(4, 4))
TAUGHT = {"n_mle": N_STEPS, "n_steps": 3, "batch_size": 8, "mle_descent": MLE, "descent": Descent(lr=1e-6)}
SETTINGS = {
    "teacher_forcing": {"n_steps": N_STEPS, "descent": Descent(lr=0.02)},
    "vrae": {"n_steps": N_STEPS, "d_latent": 4, "bidirectional": True, "descent": Descent(lr=0.02)},
    "grammar_vae": {
        "n_steps": N_STEPS,
        "d_latent": 4,
        "filters": (4, 4),
        "widths": (2, 2),
        "d_dense": 16,
        "objective": "elbo",
        "descent": Descent(lr=0.01),
    },
    "aae": {"n_steps": N_STEPS, "d_latent": 4, "critic": (16,), "adversarial": 0.3, "descent": Descent(lr=0.02)},
    "categorical_vae": {"n_steps": N_STEPS, "n_variables": 2, "n_classes": 3, "descent": Descent(lr=0.02)},
    "semi_supervised": {"n_steps": N_STEPS, "label": "kind", "d_latent": 4, "descent": Descent(lr=0.02)},
    "scheduled_sampling": {
        "n_steps": N_STEPS,
        "teacher": Weaning("linear", slope=0.02),
        "descent": Descent(lr=0.02),
    },
    "professor_forcing": {
        "n_steps": N_STEPS,
        "critic": BehaviourShape(8, (8,)),
        "adversarial": 0.1,
        "descent": Descent(lr=0.02),
    },
    "gumbel_gan": TAUGHT | {"critic": CRITIC, "n_critic": 1},
    "reinforce": TAUGHT | {"n_rollouts": 2, "n_prefixes": 2},
    "seqgan": TAUGHT | {"critic": CRITIC, "n_pretrain": 2, "n_critic": 1, "n_rollouts": 2},
    "maligan": TAUGHT | {"critic": CRITIC, "n_pretrain": 2, "n_critic": 1, "n_drawn": 8},
    "organ": TAUGHT | {"kl": 0.1, "critic": CRITIC, "n_pretrain": 2, "n_critic": 1, "n_rollouts": 2},
    "reinvent": TAUGHT | {"sigma": 1.0},
    "hill_climb": TAUGHT | {"n_kept": 8},
}
LIKELIHOODS = {name for name, kind in METHODS.items() if not issubclass(kind, AbstractLatentMethod)} - {
    "categorical_vae",
    "semi_supervised",
}
# What each evaluates that bounds the likelihood from below, or is it; the adversarial autoencoder has none.
BOUNDS = {
    **dict.fromkeys(LIKELIHOODS, "nll_per_token"),
    "vrae": "neg_elbo_per_token",
    "grammar_vae": "neg_elbo_per_token",
    "categorical_vae": "neg_elbo_hard_per_token",
    "semi_supervised": "neg_elbo_per_token",
}
GRAMMAR = "S -> X X | X X X\nX -> 'a' | 'b' | 'c'"
WORLDS = {"text": Anything(7), "a grammar of two to three words": Language((*SPECIALS, "a", "b", "c"), GRAMMAR)}
ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
KIND = Conditions((Label("kind", ("one", "two"), (1, 1)),))
BATCH = Batch(ROWS, torch.arange(4), {"kind": torch.tensor([0.0, torch.nan, 1.0, torch.nan])})
CONDITION = {"condition": ("kind",), "condition_dropout": 0.0}
CONDITIONED = dict.fromkeys(("teacher_forcing", "vrae", "categorical_vae"), CONDITION) | {"semi_supervised": {}}
LATENT = {name for name, kind in METHODS.items() if issubclass(kind, AbstractLatentMethod)}
N_DRAWS = 3000
# For tests that train to the end: the other world takes as long again.
LEARNED = pytest.mark.parametrize(
    "world", ["a grammar of two to three words", pytest.param("text", marks=pytest.mark.slow)], indirect=True
)


def test_every_method_has_settings_here():
    assert set(SETTINGS) == set(METHODS)
    assert set(METHODS) - set(BOUNDS) == {"aae"}


# Those of one method in one process, which trains it once.
@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in METHODS])
def method(request) -> AbstractMethod:
    return METHODS[request.param](**SETTINGS[request.param])


def name_of(method: AbstractMethod) -> str:
    return next(name for name, kind in METHODS.items() if type(method) is kind)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in sorted(LATENT)])
def latent_method(request) -> AbstractLatentMethod:
    method = METHODS[request.param](**SETTINGS[request.param])
    assert isinstance(method, AbstractLatentMethod)
    return method


@pytest.fixture(params=WORLDS)
def world(request) -> World:
    return world_of(request.param)


@functools.cache
def world_of(name: str) -> World:
    shape = Network(d_embedding=8, d_hidden=16, n_layers=2, dropout=0.1)
    return World(WORLDS[name], 4, shape, n_batches=3, device=torch.device("cpu"))


def begun(method: AbstractMethod, world: World) -> State:
    """In a world with the one column, for methods that ask for it."""
    torch.manual_seed(0)
    told = dataclasses.replace(world, conditions=KIND if method.columns else Conditions(), held_out=ROWS)
    if method.takes_objective:
        told = dataclasses.replace(told, objective=objective(), read=written)
    return method.init(told)


def written(tokens: torch.Tensor) -> list[str]:
    return ["".join("...<abc"[token] for token in row if token > EOS) for row in tokens.tolist()]


def objective() -> Objective:
    """Pays short strings."""
    shape = {"shape": "clip", "worst": 4.0, "best": 0.0}
    return ObjectiveSettings(("length",), shapes={"length": shape}).build(None, lambda string: (string, True))


def trained(method: AbstractMethod, state: State, first: int, last: int, batch: Batch = BATCH) -> list[dict]:
    """Steps `first` to `last - 1` of the whole path, seeded as the training loop does."""
    steps = [(phase, step) for phase in unrolled(method.phases(3)) for step in range(phase.n_steps)]
    logs = []
    for number, (phase, step) in enumerate(steps[first:last], first):
        torch.manual_seed(number)
        if phase.before is not None and step == 0:
            phase.before(state, torch.Generator().manual_seed(mix(number)))
        logs.append(phase.step(state, batch, torch.Generator().manual_seed(number)))
    return logs


def n_steps(method: AbstractMethod) -> int:
    return sum(phase.n_steps for phase in unrolled(method.phases(3)))


def ends(method: AbstractMethod) -> tuple[int, int]:
    """Steps of which each phase has some: the last ones of maximum likelihood and all that follow, or the first six."""
    phases = unrolled(method.phases(3))
    return (0, 6) if len(phases) == 1 else (phases[0].n_steps - 2, n_steps(method))


def contexts(method: AbstractMethod, state: State, seed: int = 0) -> OfIndex | None:
    """What sampling gives to the generator: prior draws, or nothing."""
    if method.context(state, torch.arange(0), {}, seed) is None:
        return None

    def of_index(index: torch.Tensor) -> torch.Tensor:
        codes = method.context(state, index, {}, seed)
        assert codes is not None
        return codes

    return of_index


@functools.cache
def learned(method: AbstractMethod, world: World) -> State:
    """At the end of its training; for tests that only read."""
    state = begun(method, world)
    trained(method, state, 0, n_steps(method))
    return state


@torch.no_grad()
def marginal_log_prob(method: AbstractMethod, state: State, n: int = N_DRAWS) -> tuple[torch.Tensor, torch.Tensor]:
    """log p(y) of each row, and the standard error of p(y): exact without a code, else the mean over prior draws."""
    generator, of_index = method.generator(state).eval(), contexts(method, state, seed=1)
    if of_index is None:
        scored = log_prob(generator, ROWS, state.world.constraint, budget=4).double().sum(1)
        return scored, torch.zeros_like(scored)
    codes = of_index(torch.arange(n))
    tokens, repeated = ROWS.repeat(n, 1), codes.repeat_interleave(len(ROWS), 0)
    scored = log_prob(generator, tokens, state.world.constraint, repeated, budget=4).double().sum(1)
    probs = scored.exp().unflatten(0, (n, len(ROWS)))
    return probs.mean(0).log(), probs.std(0) / n**0.5


def test_the_same_seed_gives_the_same_weights(method, world):
    states = [begun(method, world), begun(method, world)]
    for state in states:
        trained(method, state, *ends(method))
    for a, b in zip(states[0].networks.parameters(), states[1].networks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_state_that_was_saved_and_loaded_goes_on_alike(method, world, tmp_path):
    first, last = ends(method)
    whole = begun(method, world)
    trained(method, whole, first, last)
    half = begun(method, world)
    trained(method, half, first, last - 3)
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed = begun(method, world)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    trained(method, resumed, last - 3, last)
    for a, b in zip(whole.networks.parameters(), resumed.networks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_every_logged_number_is_finite_and_detached(method, world):
    for logs in trained(method, begun(method, world), *ends(method)):
        for name, value in logs.items():
            assert value.isfinite(), name
            assert not value.requires_grad, name


@LEARNED
def test_a_batch_is_learned_by_heart(method, world):
    """Four strings of equal frequency: no model can do better than ln 4 a string; given a code, 0 is the best."""
    state = learned(method, world)
    bound = BOUNDS.get(name_of(method))
    best = torch.tensor(4.0 if bound else 1.0).log()
    slack = 0.05 if bound == "nll_per_token" else 0.5  # a bound is not tight
    draws = [method.evaluate(state, BATCH, torch.Generator().manual_seed(i)) for i in range(50)]
    totals = torch.stack([draw[bound or "reconstruction_nll_per_token"][0] for draw in draws])
    total = totals.mean() / 4
    assert total < best + slack
    assert total > best - 1e-4 - 4.5 * totals.std() / 4 / 50**0.5
    assert next(iter(draws[0].values()))[1] == 3 + 4 + 3 + 3


@LEARNED
def test_what_is_evaluated_is_what_sampling_draws(method, world):
    state = learned(method, world)
    scored, error = marginal_log_prob(method, state)
    if name_of(method) in LIKELIHOODS:
        ((total, _),) = method.evaluate(state, BATCH, torch.Generator()).values()
        assert -scored.sum().item() == pytest.approx(total.item(), rel=1e-5)
    run = FreeRun(method.generator(state), world.constraint, 4, context=contexts(method, state, seed=2))
    share = (run(2000).tokens == ROWS[1]).all(1).double().mean()
    tolerance = 4.5 * (0.25 / 2000 + error[1].item() ** 2) ** 0.5
    assert abs(share - scored[1].exp().item()) < tolerance


@LEARNED
def test_the_evaluated_bound_is_below_the_likelihood_and_tight_where_the_posterior_is(latent_method, world):
    """E_q [log p(y|z) + log p(z) - log q(z|y)] is the bound; the logarithm of the mean of its exponential, log p(y)."""
    if name_of(latent_method) not in ("vrae", "grammar_vae"):
        pytest.skip("its bound is not that of a Gaussian posterior alone")
    state = learned(latent_method, world)
    n, rng = N_DRAWS, torch.Generator().manual_seed(0)
    latent = latent_method.encode(state, BATCH)
    mean, deviation = latent.mean.double()[:, None], (latent.log_var.double() / 2).exp()[:, None]
    z = mean + deviation * torch.randn(4, n, latent_method.d_latent, generator=rng, dtype=torch.float64)
    tokens = ROWS.repeat_interleave(n, 0)
    generator = latent_method.generator(state).eval()
    with torch.no_grad():
        given = log_prob(generator, tokens, world.constraint, z.flatten(0, 1).float(), budget=4).double()
    prior = torch.distributions.Normal(0, 1).log_prob(z).sum(-1)
    posterior = torch.distributions.Normal(mean, deviation).log_prob(z).sum(-1)
    weights = given.sum(1).unflatten(0, (4, n)) + prior - posterior
    marginal, error = marginal_log_prob(latent_method, state, 4 * n)
    weighted = weights.logsumexp(1) - torch.tensor(n).log()
    torch.testing.assert_close(weighted.exp(), marginal.exp(), rtol=0.05, atol=4.5 * error.max().item())
    assert (weights.mean(1) <= weighted + 1e-9).all()
    draws = [latent_method.evaluate(state, BATCH, torch.Generator().manual_seed(i)) for i in range(100)]
    bounds = torch.stack([-draw["neg_elbo_per_token"][0] for draw in draws]).double()
    expected, spread = weights.mean(1).sum(), weights.std(1).square().sum().sqrt()
    assert abs(bounds.mean() - expected) < 4.5 * spread * (1 / 100 + 1 / n) ** 0.5 + 1e-4


def test_prior_draws_depend_on_the_seed_and_the_number_of_the_sample(latent_method, world):
    state = begun(latent_method, world)
    codes = latent_method.context(state, torch.arange(20_000), {}, 5)
    assert codes is not None
    assert torch.equal(latent_method.context(state, torch.tensor([7]), {}, 5), codes[7:8])
    assert not torch.equal(latent_method.context(state, torch.tensor([7]), {}, 6), codes[7:8])
    codes = codes[:, : latent_method.d_latent]
    assert codes.mean(0).abs().max() < 4.5 / 20_000**0.5
    assert (codes.var(0) - 1).abs().max() < 4.5 * (2 / 20_000) ** 0.5


@LEARNED
@pytest.mark.parametrize("name", CONDITIONED)
def test_a_class_that_is_asked_for_is_what_is_written(name, world):
    """Where the codes of four strings lie as the prior does, or the generator needs none: not of a critic."""
    method = METHODS[name](**SETTINGS[name] | CONDITIONED[name])
    state = begun(method, world)
    told = dataclasses.replace(BATCH, columns={"kind": torch.tensor([0.0, 0.0, 1.0, 1.0])})
    trained(method, state, 0, N_STEPS, told)
    for place, kind in enumerate(("one", "two")):
        contexts = method.context(state, torch.arange(300), {"kind": kind}, 1)
        assert contexts is not None
        run = FreeRun(method.generator(state), world.constraint, 4, context=lambda index, of=contexts: of[index])
        own = {tuple(row) for row in ROWS[2 * place : 2 * place + 2].tolist()}
        written = run(300).tokens
        written = torch.nn.functional.pad(written, (0, 4 - written.shape[1]))  # as wide as its longest
        assert sum(tuple(row) in own for row in written.tolist()) > 270
    with pytest.raises(UsageError, match="no class 'onee', did you mean 'one'"):
        method.context(state, torch.arange(1), {"kind": "onee"}, 0)


def test_padding_adds_nothing(method, world):
    state = begun(method, world)
    wide = dataclasses.replace(BATCH, tokens=torch.nn.functional.pad(ROWS, (0, 5)))
    a, b = (method.evaluate(state, batch, torch.Generator()) for batch in (BATCH, wide))
    for name in a:
        assert a[name][0].item() == pytest.approx(b[name][0].item(), rel=1e-6)
        assert a[name][1] == b[name][1]
