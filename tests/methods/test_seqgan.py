"""SeqGAN on tiny worlds: what it is paid by, its controls, its loop, and the critic that it trains."""

import math

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
from torch import Tensor

from freerun.constraints.length import Length
from freerun.corpora.batches import Batch
from freerun.methods.adversarial_losses import accuracy, critic_loss
from freerun.methods.base import State, unrolled
from freerun.methods.descent import Descent
from freerun.methods.discriminator import (
    AdversarialState,
    begin,
    critic_step,
    is_enough,
    judge,
    logits_of,
)
from freerun.methods.seqgan import SeqGAN
from freerun.models.sequence_critic import CriticShape

STRINGS = language(RULES["anything"])
LOGITS = Table(STRINGS, 4 * payments(STRINGS).values - 2)
REAL, FAKE = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([-3.0, 0.0, 1.0])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def adversarial(method: SeqGAN, **changes) -> AdversarialState:
    state = begun(method, **changes)
    assert isinstance(state, AdversarialState)
    return state


@pytest.mark.parametrize("n_rollouts", [0, 1])
def test_a_step_descends_the_gradient_of_what_the_critic_says(n_rollouts):
    method = SeqGAN(batch_size=100, n_rollouts=n_rollouts, critic=SMALL)
    state = begun(method)
    told(state, LOGITS)
    exact = gradient(state, lambda log_p: -(log_p.exp() * LOGITS.values.sigmoid()).sum(), STRINGS)
    assert errors(step_gradients(method, state, 25), exact).abs().max() < 6


def test_a_constant_reward_has_no_gradient_at_all_under_the_baseline_and_none_in_the_mean_without():
    based = SeqGAN(batch_size=50, n_rollouts=2, reward="constant", critic=SMALL)
    assert (step_gradients(based, begun(based), 2) == 0).all()
    plain = SeqGAN(batch_size=100, n_rollouts=0, reward="constant", baseline="none", critic=SMALL)
    draws = step_gradients(plain, begun(plain), 25)
    assert draws.std(0).max() > 0.01
    assert errors(draws, torch.zeros_like(draws[0])).abs().max() < 6


def test_a_random_reward_has_no_gradient_in_the_mean():
    method = SeqGAN(batch_size=100, n_rollouts=0, reward="random", critic=SMALL)
    draws = step_gradients(method, begun(method), 25)
    assert errors(draws, torch.zeros_like(draws[0])).abs().max() < 6


def test_the_controls_train_no_critic():
    for reward in ("constant", "random"):
        phases = unrolled(SeqGAN(n_mle=2, n_steps=3, reward=reward).phases(1))
        assert [phase.name for phase in phases] == ["mle", "generator", "generator", "generator"]


def test_the_outer_loop_is_the_published_one():
    method = SeqGAN(n_mle=120, n_steps=2, n_pretrain=3, pretrain_rounds=2, n_critic=4, critic_rounds=2)
    told = [(phase.name, phase.n_steps, phase.keep) for phase in unrolled(method.phases(1))]
    critic, turn = ("critic", 3, "last"), [("generator", 1, "last"), *[("critic", 4, "last")] * 2]
    assert told == [("mle", 120, "best"), critic, critic, *turn, *turn]


def test_the_critic_s_losses_are_those_of_two_labels_and_of_a_difference():
    both, labels = torch.cat([REAL, FAKE]), torch.tensor([1.0] * 3 + [0.0] * 3)
    torch.testing.assert_close(
        critic_loss("standard", REAL, FAKE), torch.nn.functional.binary_cross_entropy(both.sigmoid(), labels)
    )
    assert critic_loss("wasserstein", REAL, FAKE).item() == pytest.approx((-3 + 0 + 1) / 3 - (2 - 1 + 0.5) / 3)


def test_a_wasserstein_critic_is_judged_by_pairs_for_its_zero_means_nothing():
    assert accuracy("standard", REAL + 9, FAKE + 9) == pytest.approx(3 / 6)
    assert accuracy("wasserstein", REAL + 9, FAKE + 9) == pytest.approx((3 + 1 + 2) / 9)


def test_fakes_are_taken_from_the_pool_round_and_round_and_drawn_freshly_without_one():
    state = adversarial(SeqGAN(critic=SMALL, n_pretrain=9))
    begin(state, 5, rng())
    assert (len(state.pool), state.n_used) == (5, 0)
    asked: list[Tensor] = []
    state.networks["critic"].register_forward_pre_hook(lambda _, given: asked.append(given[0]))
    batch = Batch(STRINGS[:3], torch.arange(3), {})
    for number in range(3):
        critic_step(state, batch, rng(number))
    drawn = torch.cat(asked[1::2])
    assert torch.equal(drawn, state.pool[torch.arange(9) % 5])
    begin(state, 0, rng())
    assert len(state.pool) == 0
    asked.clear()
    critic_step(state, batch, rng(7))
    critic_step(state, batch, rng(8))
    assert not torch.equal(asked[1], asked[3]) or asked[1].shape != asked[3].shape


def test_held_out_accuracy_is_of_sequences_that_are_held_out_and_fresh_ones():
    """Of a critic that says what a table does: the exact share, within three deviations of a share of 400."""
    state = adversarial(SeqGAN(critic=SMALL), held_out=STRINGS.repeat(10, 1))
    told(state, LOGITS)
    judge(state, rng())
    taken_for_real = LOGITS.values > 0
    probs = log_p(state, STRINGS).exp().detach()
    expected = (taken_for_real.double().mean() + (probs * ~taken_for_real).sum()) / 2
    assert state.accuracy == pytest.approx(expected.item(), abs=3 * 0.25 / 400**0.5)
    assert is_enough(state, state.accuracy)
    assert not is_enough(state, state.accuracy + 1e-6)
    nothing = adversarial(SeqGAN(critic=SMALL))
    judge(nothing, rng())
    assert math.isnan(nothing.accuracy)
    assert not is_enough(nothing, 0.0)


def test_a_state_that_was_saved_holds_the_pool_and_the_place_in_it(tmp_path):
    state = adversarial(SeqGAN(critic=SMALL, n_pretrain=9), held_out=STRINGS)
    begin(state, 5, rng())
    critic_step(state, WIDE, rng())
    torch.save(state.state_dict(), tmp_path / "state.pt")
    other = adversarial(SeqGAN(critic=SMALL, n_pretrain=9), held_out=STRINGS)
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other.pool, state.pool)
    assert (other.n_used, other.n_since, other.accuracy) == (1, 1, state.accuracy)
    torch.testing.assert_close(logits_of(other, STRINGS), logits_of(state, STRINGS), rtol=0, atol=0)


def test_a_critic_learns_to_tell_two_languages_apart():
    state = adversarial(SeqGAN(critic=SMALL, n_pretrain=30, critic_descent=Descent(lr=0.05)))
    batch = Batch(torch.tensor([[6, 6, 6, 2]]).repeat(16, 1), torch.arange(16), {})
    logs = [critic_step(state, batch, rng(number)) for number in range(30)]
    assert logs[-1]["critic_loss"] < 0.3 < logs[0]["critic_loss"]
    without = STRINGS[(STRINGS != 6).all(1)]
    assert logits_of(state, batch.tokens).min() > logits_of(state, without).max()


@pytest.mark.slow
def test_the_loop_brings_a_generator_nearer_to_a_known_language():
    """Total variation from nine strings of two words, by enumeration; no maximum likelihood at all."""
    rule = Length(7, 2, 2)
    strings = language(rule)[:, :3]
    data = torch.tensor([0.3, 0.02, 0.02, 0.02, 0.3, 0.02, 0.02, 0.15, 0.15], dtype=torch.float64)
    shape = CriticShape(d_embedding=8, widths=(1, 2), filters=(16, 16), dropout=0.0, l2=0.001)
    method = SeqGAN(
        n_steps=120,
        batch_size=64,
        n_pretrain=30,
        n_critic=5,
        critic_enough=1.1,
        n_rollouts=4,
        critic=shape,
        descent=Descent(lr=0.03, schedule="linear"),
        critic_descent=Descent(lr=0.01, clip=0.0),
    )
    state = begun(method, rule)

    def distance(of: State) -> float:
        return float((log_p(of, strings).detach().exp() - data).abs().sum() / 2)

    before, step = distance(state), 0
    for phase in unrolled(method.phases(1)):
        if phase.before:
            phase.before(state, rng(step))
        for _ in range(phase.n_steps):
            drawn = torch.multinomial(data, 64, replacement=True, generator=rng(step))
            phase.step(state, Batch(strings[drawn], drawn, {}), rng(step))
            step += 1
    assert before > 0.45
    assert distance(state) < 0.15
