"""Properties that hold for each method, run through the dict on tiny worlds."""

import dataclasses

import pytest
import torch

from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Anything, Length
from freerun.corpora.batches import Batch
from freerun.methods import METHODS
from freerun.methods.base import AbstractMethod, Network, State, World
from freerun.methods.descent import Descent
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob

SETTINGS = {"teacher_forcing": {"n_steps": 300, "descent": Descent(lr=0.02)}}
WORLDS = {"text": Anything(7), "two to three words": Length(7, 2, 3)}
ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
BATCH = Batch(ROWS, torch.arange(4), {})


def test_every_method_has_settings_here():
    assert set(SETTINGS) == set(METHODS)


@pytest.fixture(params=METHODS)
def method(request) -> AbstractMethod:
    return METHODS[request.param](**SETTINGS[request.param])


@pytest.fixture(params=WORLDS)
def world(request) -> World:
    shape = Network(d_embedding=8, d_hidden=16, n_layers=2, dropout=0.1)
    return World(WORLDS[request.param], 4, shape, n_batches=3, device=torch.device("cpu"))


def begun(method: AbstractMethod, world: World) -> State:
    torch.manual_seed(0)
    return method.init(world)


def trained(method: AbstractMethod, state: State, first: int, last: int, batch: Batch = BATCH) -> list[dict]:
    """Steps `first` to `last - 1`, seeded as the training loop does."""
    (phase,) = method.phases(3)
    logs = []
    for step in range(first, last):
        torch.manual_seed(step)
        logs.append(phase.step(state, batch, torch.Generator().manual_seed(step)))
    return logs


def test_the_same_seed_gives_the_same_weights(method, world):
    states = [begun(method, world), begun(method, world)]
    for state in states:
        trained(method, state, 0, 3)
    for a, b in zip(states[0].networks.parameters(), states[1].networks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_state_that_was_saved_and_loaded_goes_on_alike(method, world, tmp_path):
    whole = begun(method, world)
    trained(method, whole, 0, 6)
    half = begun(method, world)
    trained(method, half, 0, 3)
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed = begun(method, world)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    trained(method, resumed, 3, 6)
    for a, b in zip(whole.networks.parameters(), resumed.networks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_every_logged_number_is_finite_and_detached(method, world):
    for logs in trained(method, begun(method, world), 0, 3):
        for name, value in logs.items():
            assert value.isfinite(), name
            assert not value.requires_grad, name


def test_a_batch_is_learned_by_heart(method, world):
    """Four strings of equal frequency: no model can do better than ln 4 a string."""
    state = begun(method, world)
    trained(method, state, 0, 300)
    ((total, count),) = method.evaluate(state, BATCH, torch.Generator()).values()
    assert total / 4 < torch.tensor(4.0).log() + 0.05
    assert total / 4 > torch.tensor(4.0).log() - 1e-4
    assert count == 3 + 4 + 3 + 3


def test_what_is_evaluated_is_what_sampling_draws(method, world):
    state = begun(method, world)
    trained(method, state, 0, 300)
    generator = method.generator(state).eval()
    ((total, _),) = method.evaluate(state, BATCH, torch.Generator()).values()
    with torch.no_grad():
        scored = log_prob(generator, ROWS, world.constraint, budget=4)
    assert -scored.sum().item() == pytest.approx(total.item(), rel=1e-5)
    drawn = FreeRun(generator, world.constraint, 4)(2000).tokens
    share = (drawn == ROWS[1]).all(1).double().mean()
    assert abs(share - scored[1].sum().exp().item()) < 4.5 * (0.25 / 2000) ** 0.5


def test_padding_adds_nothing(method, world):
    state = begun(method, world)
    wide = dataclasses.replace(BATCH, tokens=torch.nn.functional.pad(ROWS, (0, 5)))
    a, b = (method.evaluate(state, batch, torch.Generator()) for batch in (BATCH, wide))
    for name in a:
        assert a[name][0].item() == pytest.approx(b[name][0].item(), rel=1e-6)
        assert a[name][1] == b[name][1]
