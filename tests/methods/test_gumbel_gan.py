import dataclasses
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Anything, Length
from freerun.corpora.batches import Batch
from freerun.gumbel import Annealing
from freerun.methods.adversarial_losses import accuracy, critic_loss, generator_loss, gradient_penalty, interpolated
from freerun.methods.base import Network, State, World
from freerun.methods.collapse import seen, stop_below, uniqueness, variety_of
from freerun.methods.descent import Descent
from freerun.methods.gumbel_gan import GumbelGAN
from freerun.models.sequence_critic import CriticShape, MeanOfStates, SequenceCritic
from freerun.sampling.likelihood import log_prob

N_VOCAB = 7  # words 4, 5, 6
SMALL = CriticShape(d_embedding=8, widths=(1, 2, 3), filters=(8, 8, 8), dropout=0.0, l2=0.0)
ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
BATCH = Batch(ROWS, torch.arange(4), {})
REAL, FAKE = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-3.0, 0.0, 1.0])


def build(**changes: Any) -> GumbelGAN:
    rates = {"descent": Descent(lr=0.02), "critic_descent": Descent(lr=0.02)}
    settings: dict[str, Any] = {"n_steps": 20, "n_critic": 2, "critic": SMALL, **rates, **changes}
    return GumbelGAN(**settings)


def begun(method: GumbelGAN, **changes) -> State:
    torch.manual_seed(0)
    shape = Network(d_embedding=8, d_hidden=16)
    world = World(Anything(N_VOCAB), 4, shape, n_batches=3, device=torch.device("cpu"))
    return method.init(dataclasses.replace(world, **changes))


def stepped(method: GumbelGAN, state: State, first: int, last: int, batch: Batch = BATCH) -> list[dict[str, Tensor]]:
    logs = []
    for step in range(first, last):
        torch.manual_seed(step)
        logs.append(method.step(state, batch, torch.Generator().manual_seed(step)))
    return logs


def weights(network: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()]).clone()


def test_the_standard_losses_are_those_of_two_labels():
    both, labels = torch.cat([REAL, FAKE]), torch.tensor([1.0] * 3 + [0.0] * 3)
    expected = F.binary_cross_entropy(both.sigmoid(), labels)
    torch.testing.assert_close(critic_loss("standard", REAL, FAKE), expected)
    torch.testing.assert_close(generator_loss("standard", REAL, FAKE), -FAKE.sigmoid().log().mean())


def test_the_relativistic_losses_are_those_of_pairs():
    pairs = list(zip(REAL.tolist(), FAKE.tolist(), strict=True))
    of_critic = sum(-math.log(1 / (1 + math.exp(fake - real))) for real, fake in pairs) / 3
    of_generator = sum(-math.log(1 / (1 + math.exp(real - fake))) for real, fake in pairs) / 3
    assert critic_loss("relativistic", REAL, FAKE).item() == pytest.approx(of_critic)
    assert generator_loss("relativistic", REAL, FAKE).item() == pytest.approx(of_generator)
    torch.testing.assert_close(critic_loss("relativistic", REAL + 9, FAKE + 9), critic_loss("relativistic", REAL, FAKE))


def test_the_accuracy_counts_sides_of_0_or_pairs_in_order():
    assert accuracy("standard", REAL, FAKE).item() == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert accuracy("relativistic", REAL, FAKE).item() == pytest.approx((3 + 1 + 2) / 9)


def test_interpolates_lie_between_and_padding_of_both_stays_padding():
    fake = F.one_hot(torch.tensor([[4, EOS, PAD], [5, 5, EOS]]), N_VOCAB).float()
    real = torch.tensor([[6, 6, 6, EOS, PAD], [4, EOS, PAD, PAD, PAD]])
    u = torch.tensor([0.3, 0.9])[:, None, None]
    x = interpolated(real, fake, u)
    assert x.shape == (2, 5, N_VOCAB)
    torch.testing.assert_close(x.sum(-1), torch.ones(2, 5))
    assert x[0, 0, 6].item() == pytest.approx(0.3)
    assert x[0, 0, 4].item() == pytest.approx(0.7)
    assert x[0, 2, PAD].item() == pytest.approx(0.7)  # the real one has a word there
    assert (x[0, 4, PAD] == 1) & (x[1, 3:, PAD] == 1).all()
    assert torch.equal(interpolated(real, fake, torch.ones(2, 1, 1)), F.one_hot(real, N_VOCAB).float())


def test_the_gradient_penalty_is_that_of_finite_differences_and_has_a_gradient():
    torch.manual_seed(1)
    critic = dataclasses.replace(SMALL, l2=0.0).build(N_VOCAB).double()
    x = torch.rand(2, 3, N_VOCAB, dtype=torch.float64).softmax(-1)
    slopes = torch.zeros_like(x)
    for place in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(N_VOCAB)).tolist():
        shift = torch.zeros_like(x)
        shift[tuple(place)] = 1e-6
        slopes[tuple(place)] = ((critic(x + shift) - critic(x - shift)).sum() / 2e-6).detach()
    expected = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
    penalty = gradient_penalty(critic, x)
    torch.testing.assert_close(penalty, expected, rtol=1e-5, atol=1e-7)
    penalty.backward()
    assert critic.embedding.weight.grad is not None
    assert (critic.embedding.weight.grad != 0).any()


@pytest.mark.parametrize("kind", ["convolutional", "recurrent"])
@pytest.mark.parametrize("loss", ["standard", "relativistic"])
@pytest.mark.parametrize("hard", [False, True])
def test_every_logged_number_is_finite_and_detached(kind, loss, hard):
    method = build(loss=loss, hard=hard, gradient_penalty=1.0, critic=dataclasses.replace(SMALL, kind=kind, d_hidden=6))
    state = begun(method, held_out=ROWS)
    if kind == "recurrent":
        critic = state.networks["critic"]
        assert isinstance(critic, SequenceCritic)
        assert isinstance(critic.reader, MeanOfStates)
    steps = stepped(method, state, 0, 3)
    for logs in steps:
        assert {"critic_accuracy_held_out", "critic_accuracy_of_tokens", "uniqueness", "gradient_penalty"} <= set(logs)
        for name, value in logs.items():
            assert value.isfinite().all(), name
            assert not value.requires_grad, name
        assert logs["critic_updates"] == 2
    if hard:
        assert steps[0]["sharpness"] == 1
        assert steps[0]["critic_accuracy_held_out"] == steps[0]["critic_accuracy_of_tokens"]


def test_each_network_moves_in_its_own_update_alone(monkeypatch):
    method = build()
    state = begun(method)
    generator, critic = state.networks["generator"], state.networks["critic"]
    before = weights(generator), weights(critic)
    method._train_critic(state, BATCH, 0.5, torch.Generator())
    assert torch.equal(weights(generator), before[0])
    assert not torch.equal(weights(critic), before[1])
    monkeypatch.setattr(GumbelGAN, "_train_critic", lambda *_: {"n_tokens": torch.tensor(0)})
    before = weights(generator), weights(critic)
    method.step(state, BATCH, torch.Generator())
    assert not torch.equal(weights(generator), before[0])
    assert torch.equal(weights(critic), before[1])
    assert all(weight.requires_grad for weight in critic.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("loss", ["standard", "relativistic"])
def test_from_nothing_it_learns_which_words_follow(loss, hard):
    """Real: 4 5 4 and 5 4 5, of 27 strings; no likelihood is ever asked."""
    method = build(
        n_steps=150,
        loss=loss,
        hard=hard,
        n_critic=2,
        temperature=Annealing(1.0, 0.5, "exponential"),
        gradient_penalty=1.0,
        critic_descent=Descent(lr=0.02, betas=(0.5, 0.9)),
        descent=Descent(lr=0.01, betas=(0.5, 0.9)),
    )
    real = torch.tensor([[4, 5, 4, EOS], [5, 4, 5, EOS]])
    state = begun(method, constraint=Length(N_VOCAB, 3, 3))
    batch = Batch(real.repeat(16, 1), torch.arange(32), {})

    def share() -> float:
        scored = log_prob(method.generator(state), real, state.world.constraint, budget=4)
        return scored.sum(1).exp().sum().item()

    assert share() < 0.15
    stepped(method, state, 0, 150, batch)
    assert share() > 0.6


def test_saved_and_loaded_it_goes_on_alike(tmp_path):
    method = build(n_mle=2)
    whole, half = begun(method), begun(method)
    stepped(method, whole, 0, 6)
    stepped(method, half, 0, 3)
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed = begun(method)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    stepped(method, resumed, 3, 6)
    assert torch.equal(weights(whole.networks), weights(resumed.networks))
    assert variety_of(whole).share == variety_of(resumed).share


def test_the_temperature_falls_as_the_inverse_of_relgans():
    method = build(n_steps=10, temperature=Annealing(1.0, 0.01, "exponential"))
    state = begun(method)
    seen_of = [logs["temperature"].item() for logs in stepped(method, state, 0, 10)]
    assert seen_of == pytest.approx([100 ** (-step / 10) for step in range(10)])


def test_a_critic_that_is_good_enough_is_not_trained():
    method = build(critic_enough=0.0)
    state = begun(method, held_out=ROWS)
    before = weights(state.networks["critic"])
    (logs,) = stepped(method, state, 0, 1)
    assert logs["critic_updates"] == 0
    assert "critic_loss" not in logs
    assert torch.equal(weights(state.networks["critic"]), before)


def test_without_held_out_sequences_the_accuracy_is_called_that_of_the_batch():
    (logs,) = stepped(build(), begun(build()), 0, 1)
    assert "critic_accuracy" in logs
    assert "critic_accuracy_held_out" not in logs


def test_the_critic_is_judged_before_it_learns_and_of_sequences_that_are_not_in_the_batch():
    """A critic that learns its batch by heart: right on that, not on others that it cannot tell."""
    method = build(n_critic=1, hard=True, descent=Descent(lr=1e-9))
    held_out = torch.tensor([[5, 6, EOS, PAD], [6, 6, EOS, PAD], [5, EOS, PAD, PAD], [6, 4, 6, EOS]])
    state = begun(method, held_out=held_out)
    batch = Batch(torch.tensor([[4, 4, 4, EOS]]).repeat(8, 1), torch.arange(8), {})
    logs = stepped(method, state, 0, 40, batch)[-10:]
    of_batch, of_others = (
        torch.stack([log[name] for log in logs]).mean() for name in ("critic_accuracy", "critic_accuracy_held_out")
    )
    assert of_batch > 0.9
    assert of_others < 0.6


def test_uniqueness_is_the_share_of_different_rows():
    assert uniqueness(ROWS) == 1
    assert uniqueness(ROWS[[0, 0, 1, 0]]) == 0.5


def test_the_training_stops_when_a_batch_has_collapsed():
    method = build(stop_at_collapse=0.5)
    mle, adversarial = method.phases(3)
    assert (mle.n_steps, adversarial.keep) == (0, "last")
    assert adversarial.stop is not None
    state = begun(method)
    seen(state, ROWS[[0, 0, 0, 0]])
    assert adversarial.stop(state) == "collapse: 0.250 of a batch were different strings"
    assert not stop_below(0.0)(state)
    seen(state, ROWS)
    assert not adversarial.stop(state)


@pytest.mark.parametrize(
    "wrong", [{"n_mle": -1}, {"n_critic": 0}, {"stop_at_collapse": 1.5}, {"gradient_penalty": -1.0}]
)
def test_a_number_outside_its_range_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        GumbelGAN(**wrong)
