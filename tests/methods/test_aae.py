import dataclasses
import math
from typing import Literal, TypeVar

import pytest
import torch
from torch import nn

from freerun.conditions import Conditions, Label, Number
from freerun.constraints.base import EOS, PAD, UNK
from freerun.constraints.length import Anything, Length
from freerun.corpora.batches import Batch
from freerun.methods.aae import AdversarialAutoencoder, mixture
from freerun.methods.base import Network, State, World
from freerun.methods.descent import Descent
from freerun.methods.vrae import VRAE
from freerun.models.critic import Critic
from freerun.models.encoder import RecurrentEncoder
from freerun.sampling.likelihood import token_log_prob

ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
BATCH = Batch(ROWS, torch.arange(4), {})
WORLD = World(Length(7, 2, 3), 4, Network(d_embedding=8, d_hidden=16), n_batches=3, device=torch.device("cpu"))
STILL = Descent(lr=0.0)


def begun(method: AdversarialAutoencoder, world: World = WORLD) -> State:
    torch.manual_seed(0)
    return method.init(world)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


M = TypeVar("M", bound=nn.Module)


def network(state: State, name: str, kind: type[M]) -> M:
    found = state.networks[name]
    assert isinstance(found, kind)
    return found


def with_linear_critic(state: State, slope: list[float], bias: float) -> nn.Linear:
    """D(z) = slope z + bias, in the place of the critic's only layer."""
    (layer,) = network(state, "critic", Critic).layers
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([slope]))
        layer.bias.fill_(bias)
    return layer


def with_one_posterior(state: State, mean: list[float]) -> None:
    """Every string is encoded as N(mean, I)."""
    with torch.no_grad():
        code = network(state, "code", nn.Linear)
        code.weight.zero_()
        code.bias.copy_(torch.tensor([*mean, *[0.0] * len(mean)]))


def repeated(n: int) -> Batch:
    return Batch(ROWS.repeat(n, 1), torch.arange(4 * n), {})


def test_a_critic_that_knows_nothing_pays_two_bits():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, critic=())
    state = begun(method)
    with_linear_critic(state, [0.0, 0.0], 0.0)
    logs = method.step(state, BATCH, rng())
    assert logs["critic_loss"].item() == pytest.approx(2 * math.log(2))
    assert logs["critic_loss"] / 2 == pytest.approx(math.log(2))


def test_the_losses_are_those_of_a_critic_worked_by_hand():
    """D(z) = 3 for all z: -log s(3) for draws from the prior, -log(1 - s(3)) for codes, -log s(3) for the encoder."""
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, critic=(), critic_descent=STILL)
    state = begun(method)
    with_linear_critic(state, [0.0, 0.0], 3.0)
    logs = method.step(state, BATCH, rng())
    sigmoid = 1 / (1 + math.exp(-3))
    assert logs["critic_loss"].item() == pytest.approx(-math.log(sigmoid) - math.log(1 - sigmoid), rel=1e-5)
    assert logs["adversarial_loss"].item() == pytest.approx(-math.log(sigmoid), rel=1e-5)
    assert logs["critic_accuracy"] == 0.5


def test_the_gap_is_the_mean_of_both_divergences_where_the_critic_is_the_best():
    """Codes N(m, I), prior N(0, I): log p - log q = m^2 / 2 - m z, and each divergence is m^2 / 2."""
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, critic=(), stochastic=True, normalised=False)
    state, m, n = begun(method), torch.tensor([0.6, -0.8]), 10_000
    with_one_posterior(state, m.tolist())
    with_linear_critic(state, (-m).tolist(), 0.5)  # |m| = 1
    measures = method.evaluate(state, repeated(n // 4), rng())
    gap, count = measures["prior_gap"]
    assert count == n
    assert abs(gap.item() / n - 0.5) < 4.5 * (0.5 / n) ** 0.5  # half the difference of two logits of variance 1
    right, count = measures["critic_accuracy"]
    share = 0.5 * (1 + math.erf(0.5 / 2**0.5))  # P(z > -1/2)
    assert count == 2 * n
    assert abs(right.item() / count - share) < 4.5 * (share * (1 - share) / (2 * n)) ** 0.5


def test_the_objective_is_the_reconstruction_and_the_gap_whatever_the_critics_bias():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, critic=())
    state = begun(method)
    layer = with_linear_critic(state, [1.0, 2.0], 0.0)
    measures = method.evaluate(state, BATCH, rng())
    objective, count = next(iter(measures.values()))
    assert count == measures["reconstruction_nll_per_token"][1] == 13
    total = measures["reconstruction_nll_per_token"][0] + measures["prior_gap"][0]
    assert objective.item() == pytest.approx(total.item())
    with torch.no_grad():
        layer.bias.fill_(5.0)
    assert next(iter(method.evaluate(state, BATCH, rng()).values()))[0].item() == pytest.approx(total.item(), rel=1e-5)


def test_the_encoder_moves_its_codes_to_where_the_critic_says_prior():
    """D(z) = z_1 - 2 z_2, which stays: d/dz softplus(-D) = -s(-D) (1, -2, 0). Codes go that way."""
    descent = Descent(lr=0.01, clip=0.0)
    method = AdversarialAutoencoder(
        n_steps=30, d_latent=3, critic=(), normalised=False, adversarial=1e4, critic_descent=STILL, descent=descent
    )
    state = begun(method)
    with_linear_critic(state, [1.0, -2.0, 0.0], 0.0)

    def verdict() -> torch.Tensor:
        with torch.no_grad():
            return state.networks["critic"](method.encode(state, BATCH).mean, torch.zeros(4, 0))

    before = verdict()
    method.step(state, BATCH, rng())
    slope = -1e4 * torch.sigmoid(-before).mean() * torch.tensor([1.0, -2.0, 0.0])
    torch.testing.assert_close(network(state, "code", nn.Linear).bias.grad, slope, rtol=1e-2, atol=50)
    for step in range(10):
        method.step(state, BATCH, rng(step))
    assert (verdict() > before + 1).all()


def test_each_descent_moves_its_own_networks():
    for descent, critic_descent, moving in ((STILL, Descent(), {"critic"}), (Descent(), STILL, {"code", "generator"})):
        method = AdversarialAutoencoder(n_steps=10, d_latent=2, descent=descent, critic_descent=critic_descent)
        state = begun(method)
        before = {name: weight.clone() for name, weight in state.networks.named_parameters()}
        method.step(state, BATCH, rng())
        moved = {name for name, weight in state.networks.named_parameters() if not torch.equal(weight, before[name])}
        assert {name.split(".")[0] for name in moved} - {"reader"} == moving


def test_the_critic_descends_as_often_as_it_is_told():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, n_critic=3)
    state = begun(method)
    method.step(state, BATCH, rng())
    assert (state.optimisers["critic"].step, state.optimisers["critic"].n_steps) == (3, 30)
    assert (state.optimisers["autoencoder"].step, state.optimisers["autoencoder"].n_steps) == (1, 10)


def test_the_loss_of_a_step_is_its_reconstruction_and_the_weighed_verdict():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, adversarial=7.0)
    logs = method.step(begun(method), BATCH, rng())
    nll = logs["reconstruction_nll_per_token"] * 13 / 4
    assert logs["loss"].item() == pytest.approx((nll + 7 * logs["adversarial_loss"]).item(), rel=1e-5)


def test_the_weight_of_the_critic_rises_and_goes_on_where_a_saved_state_stood():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, adversarial=5.0, rising=1.0)
    state, weights = begun(method), []
    for step in range(5):
        weights.append(float(method.step(state, BATCH, rng(step))["lambda"]))
    resumed = begun(method)
    resumed.load_state_dict(state.state_dict())
    weights.append(float(method.step(resumed, BATCH, rng())["lambda"]))
    assert weights == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])


def test_it_reconstructs_as_a_vrae_does_without_noise():
    method = AdversarialAutoencoder(d_latent=3, bidirectional=True, normalised=False)
    other = VRAE(d_latent=3, bidirectional=True)
    state, theirs = begun(method), other.init(WORLD)
    encoder = network(theirs, "encoder", RecurrentEncoder)
    theirs.networks["generator"].load_state_dict(state.networks["generator"].state_dict())
    encoder.reader.load_state_dict(state.networks["reader"].state_dict())
    encoder.mean.load_state_dict(state.networks["code"].state_dict())
    with torch.no_grad():
        expected = other._nll(theirs, BATCH, other.encode(theirs, BATCH).mean, ROWS).sum()
    total, count = method.evaluate(state, BATCH, rng())["reconstruction_nll_per_token"]
    assert total.item() == pytest.approx(expected.item(), rel=1e-6)
    assert count == 13


def test_dropped_tokens_are_unknown_to_the_encoder_alone():
    """The whole string is to be written, from the code of a string of the same length of which nothing is known."""
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, denoising=1.0, normalised=False)
    state = begun(method)
    nothing_known = torch.where(ROWS > EOS, UNK, ROWS)
    assert torch.equal(method._noisy(ROWS, rng()), nothing_known)
    with torch.no_grad():
        codes = method.encode(state, dataclasses.replace(BATCH, tokens=nothing_known)).mean
        logits, _ = method.generator(state)(ROWS, codes)
        expected = -token_log_prob(logits, ROWS, WORLD.allowed(BATCH)).sum() / 13
        plain = method.evaluate(state, BATCH, rng())["reconstruction_nll_per_token"]
    logs = method.step(state, BATCH, rng())
    assert logs["reconstruction_nll_per_token"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert abs(plain[0] / 13 - expected) > 1e-4
    many = torch.full((100, 100), 4)
    share = AdversarialAutoencoder(denoising=0.3)._noisy(many, rng()).eq(UNK).float().mean()
    assert abs(share - 0.3) < 4.5 * (0.21 / 10_000) ** 0.5


def test_a_code_is_a_function_of_its_string_unless_it_is_drawn():
    for stochastic in (False, True):
        method = AdversarialAutoencoder(d_latent=2, stochastic=stochastic)
        latent = method.encode(begun(method), BATCH)
        assert bool(latent.log_var.isneginf().all()) is not stochastic
        assert latent.mean.shape == latent.log_var.shape == (4, 2)


def test_normalised_draws_keep_their_variance():
    """Means are scaled down by what the noise adds."""
    method = AdversarialAutoencoder(n_steps=10, d_latent=2, stochastic=True, critic_descent=STILL, descent=STILL)
    state = begun(method)
    with torch.no_grad():
        network(state, "code", nn.Linear).bias[2:].fill_(1.0)
        network(state, "code", nn.Linear).weight[2:].zero_()
    logs = method.step(state, repeated(2500), rng())
    assert logs["code_variance"].item() == pytest.approx(1, abs=0.05)
    log_var = method.encode(state, BATCH).log_var
    torch.testing.assert_close(log_var.exp(), torch.full((4, 2), 1 / (1 + math.exp(-1))))


def test_normalised_codes_have_mean_0_and_variance_1_over_a_batch():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2)
    state = begun(method)
    with torch.no_grad():
        network(state, "code", nn.Linear).weight *= 100  # those of an untrained encoder hardly vary
    logs = method.step(state, BATCH, rng())
    assert logs["code_mean"].item() == pytest.approx(0, abs=1e-5)
    assert logs["code_variance"].item() == pytest.approx(1, rel=1e-3)


def test_a_row_alone_is_normalised_by_what_was_seen_before():
    method = AdversarialAutoencoder(n_steps=10, d_latent=2)
    state = begun(method)
    method.step(state, BATCH, rng())
    logs = method.step(state, dataclasses.replace(BATCH, tokens=ROWS[:1], rows=BATCH.rows[:1]), rng())
    assert all(value.isfinite() for value in logs.values())


WORDS = torch.cartesian_prod(*[torch.arange(4, 8)] * 3)
ALL_WORDS = Batch(torch.cat([WORDS, torch.full((64, 1), EOS)], 1), torch.arange(64), {})


def toy_codes(prior: Literal["normal", "mixture"], adversarial: float, normalised: bool) -> torch.Tensor:
    """Codes of 64 words after 300 steps; both priors have mean 0 and covariance I."""
    world = World(Anything(8), 4, Network(cell="gru", d_embedding=8, d_hidden=24), 1, torch.device("cpu"))
    method = AdversarialAutoencoder(
        n_steps=300,
        d_latent=2,
        prior=prior,
        n_components=4,
        normalised=normalised,
        critic=(64, 32),
        n_critic=2,
        adversarial=adversarial,
        descent=Descent(lr=0.005, schedule="cosine", betas=(0.5, 0.999)),
        critic_descent=Descent(lr=0.02, schedule="cosine", betas=(0.5, 0.999)),
    )
    state = begun(method, world)
    for step in range(300):
        method.step(state, ALL_WORDS, rng(step))
    state.networks.eval()
    return method.encode(state, ALL_WORDS).mean.detach()


@pytest.mark.slow
def test_the_critic_brings_codes_to_the_moments_of_the_prior():
    off = {}
    for adversarial in (0.0, 1.0):
        codes = toy_codes("normal", adversarial, normalised=False)
        off[adversarial] = (codes.T @ codes / 64 - torch.eye(2)).abs().max(), codes.mean(0).abs().max()
    assert off[1.0][0] < 0.5
    assert off[1.0][1] < 0.3
    assert off[0.0][0] > 2


@pytest.mark.slow
def test_the_critic_brings_codes_to_the_components_of_a_mixture():
    """Their moments are right from the start: what is learned is the shape."""
    centres = mixture(torch.zeros(4, 2), (torch.arange(4) + 0.5) / 4, 4)
    variance = 1 - centres[0].square().sum() / 2
    spread = {}
    for adversarial in (0.0, 10.0):
        codes = toy_codes("mixture", adversarial, normalised=True)
        spread[adversarial] = torch.cdist(codes, centres).amin(1).square().mean() / (2 * variance)  # of the prior: 1
    assert spread[10.0] == pytest.approx(1, abs=0.35)
    assert spread[0.0] > 2


def test_the_mixture_lies_on_a_circle_six_deviations_apart():
    k = 10
    centres = mixture(torch.zeros(k, 2), (torch.arange(k) + 0.5) / k, k)
    ahead = mixture(torch.tensor([[1.0, 0.0]]), torch.tensor([0.0]), k) - centres[:1]
    deviation = ahead[0, 0]
    radii = centres.norm(dim=1)
    torch.testing.assert_close(radii, radii[:1].expand(k))
    torch.testing.assert_close((centres - centres.roll(1, 0)).norm(dim=1), (6 * deviation).expand(k))
    torch.testing.assert_close(radii[0].square() / 2 + deviation.square(), torch.tensor(1.0))


@pytest.mark.parametrize("k", [3, 10])
def test_the_mixture_has_mean_0_and_covariance_1(k):
    n = 100_000
    z = mixture(torch.randn(n, 4, generator=rng()), torch.rand(n, generator=rng(1)), k)
    assert z.mean(0).abs().max() < 4.5 / n**0.5
    assert (z.T @ z / n - torch.eye(4)).abs().max() < 4.5 * (2 / n) ** 0.5


def test_draws_from_a_mixture_depend_on_the_seed_and_the_number_of_the_sample():
    method = AdversarialAutoencoder(d_latent=3, prior="mixture", n_components=5)
    state, n = begun(method), 20_000
    codes = method.context(state, torch.arange(n), {}, 5)
    assert torch.equal(method.context(state, torch.tensor([7]), {}, 5), codes[7:8])
    assert not torch.equal(method.context(state, torch.tensor([7]), {}, 6), codes[7:8])
    component = (torch.atan2(codes[:, 1], codes[:, 0]) / (2 * torch.pi / 5)).round().long() % 5
    shares = component.bincount(minlength=5) / n
    assert (shares - 0.2).abs().max() < 4.5 * (0.16 / n) ** 0.5 + 0.003  # few lie past the middle of two components
    assert (codes.T @ codes / n - torch.eye(3)).abs().max() < 4.5 * (2 / n) ** 0.5


CONDITIONS = Conditions(
    (Number("size", 2.0, 1.0, 0.0, 5.0, (0.0, 2.0, 5.0)), Label("kind", ("even", "odd"), (2, 2))),
)
KNOWING = dataclasses.replace(WORLD, conditions=CONDITIONS)


def told(size: float, kind: float) -> Batch:
    columns = {"size": torch.full((4,), size), "kind": torch.full((4,), kind)}
    return dataclasses.replace(BATCH, columns=columns)


def test_conditions_reach_encoder_generator_and_critic():
    method = AdversarialAutoencoder(d_latent=3, condition=("size", "kind"))
    state, z = begun(method, KNOWING), torch.zeros(4, 3)
    assert method.columns == ("size", "kind")

    def outputs(batch: Batch) -> list[torch.Tensor]:
        condition = KNOWING.condition(batch)
        logits, _ = method.generator(state)(ROWS, torch.cat([z, condition], 1))
        return [method.encode(state, batch).mean, logits, state.networks["critic"](z, condition)]

    here = outputs(told(2.0, 0.0))
    for other in (told(4.0, 0.0), told(2.0, 1.0), told(math.nan, 0.0)):
        assert all(not torch.allclose(a, b) for a, b in zip(here, outputs(other), strict=True))
    missing = outputs(told(math.nan, math.nan))
    for a, b in zip(missing, outputs(BATCH), strict=True):  # a column that is absent is missing
        assert torch.equal(a, b)
    assert not KNOWING.condition(BATCH).any()


def test_what_is_hidden_is_hidden_from_all_three_networks():
    """With everything hidden a step does not depend on the conditions."""
    method = AdversarialAutoencoder(n_steps=10, d_latent=3, condition=("size", "kind"), condition_dropout=1.0)
    logs = [method.step(begun(method, KNOWING), batch, rng()) for batch in (told(4.0, 1.0), BATCH)]
    assert logs[0] == logs[1]
    seen = dataclasses.replace(method, condition_dropout=0.0)
    logs = [seen.step(begun(seen, KNOWING), batch, rng()) for batch in (told(4.0, 1.0), BATCH)]
    for name in ("reconstruction_nll_per_token", "critic_loss", "adversarial_loss"):
        assert logs[0][name] != logs[1][name]


def test_what_is_asked_of_samples_follows_the_code():
    method = AdversarialAutoencoder(d_latent=3, condition=("size", "kind"))
    state, index = begun(method, KNOWING), torch.arange(5)
    plain, asked = (method.context(state, index, given, 0) for given in ({}, {"size": 4.0, "kind": "odd"}))
    assert torch.equal(plain[:, :3], asked[:, :3])
    assert torch.equal(asked[:, 3:], torch.tensor([[2.0, 1.0, 0.0, 1.0]]).expand(5, -1))
    assert not plain[:, 3:].any()


def test_it_is_tuned_at_a_tenth_of_both_rates():
    method = AdversarialAutoencoder(rising=0.5, critic_descent=Descent(lr=4e-4, schedule="cosine")).for_tuning(7)
    assert (method.n_steps, method.rising) == (7, 0)
    assert (method.descent.lr, method.critic_descent.lr) == pytest.approx((1e-4, 4e-5))
    assert method.critic_descent.schedule == "constant"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rising": 1.5}, "rising = 1.5 must be in"),
        ({"denoising": 1.5}, "denoising = 1.5 must be in"),
        ({"word_dropout": -0.1}, "word_dropout = -0.1 must be in"),
        ({"condition_dropout": 2.0}, "condition_dropout = 2.0 must be in"),
        ({"n_critic": 0}, "for no critic set adversarial = 0"),
        ({"adversarial": -1.0}, "must not be negative"),
        ({"prior": "mixture", "n_components": 2}, "n_components must be at least 3"),
        ({"prior": "mixture", "d_latent": 1}, "d_latent at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AdversarialAutoencoder(**settings)
