import pytest
import torch

from freerun.constraints.base import EOS, PAD, UNK
from freerun.constraints.length import Length
from freerun.corpora.batches import Batch
from freerun.methods.base import Latent, Network, State, World
from freerun.methods.descent import Descent
from freerun.methods.variational import active_units, beta_at, drawn, dropped, kl_per_axis
from freerun.methods.vrae import VRAE
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun

ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
BATCH = Batch(ROWS, torch.arange(4), {})
WORLD = World(Length(7, 2, 3), 4, Network(d_embedding=8, d_hidden=16), n_batches=3, device=torch.device("cpu"))


def begun(method: VRAE) -> State:
    torch.manual_seed(0)
    return method.init(WORLD)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_latent(n: int = 5, d: int = 3) -> Latent:
    torch.manual_seed(0)
    return Latent(torch.randn(n, d), torch.randn(n, d))


def test_the_divergence_is_that_of_the_library():
    latent = random_latent()
    posterior = torch.distributions.Normal(latent.mean, (latent.log_var / 2).exp())
    by_library = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_per_axis(latent), by_library)


def test_draws_have_the_mean_and_the_variance_of_the_posterior():
    latent, n = random_latent(1), 40_000
    z = drawn(Latent(latent.mean.expand(n, -1), latent.log_var.expand(n, -1)), rng())
    variance = latent.log_var[0].exp()
    assert ((z.mean(0) - latent.mean[0]).abs() < 4.5 * (variance / n).sqrt()).all()
    assert ((z.var(0) / variance - 1).abs() < 4.5 * (2 / n) ** 0.5).all()


def test_an_axis_is_active_where_the_means_vary_by_more_than_a_hundredth():
    mean = torch.tensor([[0.0, 5.0, 0.0], [0.25, 5.0, 0.15]])  # variances .0156, 0, .0056
    assert active_units(Latent(mean, torch.zeros(2, 3))) == 1


def test_the_weight_of_the_divergence_rises_once_or_in_cycles():
    linear = [beta_at(step, 100, 1, 0.5) for step in (0, 25, 50, 99)]
    assert linear == pytest.approx([0, 0.5, 1, 1])
    cyclical = [beta_at(step, 400, 4, 0.5) for step in (0, 25, 50, 99, 100, 125, 399)]
    assert cyclical == pytest.approx([0, 0.5, 1, 1, 0, 0.5, 1])
    assert [beta_at(step, 100, 1, 0.0) for step in (0, 99)] == [1, 1]


def test_the_annealing_goes_on_where_a_saved_state_stood():
    method = VRAE(n_steps=10, d_latent=2, beta=0.5, rising=1.0)
    state, betas = begun(method), []
    for step in range(5):
        betas.append(float(method.step(state, BATCH, rng(step))["beta"]))
    resumed = begun(method)
    resumed.load_state_dict(state.state_dict())
    betas.append(float(method.step(resumed, BATCH, rng())["beta"]))
    assert betas == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25])


def test_the_loss_of_a_step_is_the_bound_that_is_evaluated():
    """Without annealing, free bits and dropout, at the same draw of z, in nats a sequence."""
    method = VRAE(n_steps=10, d_latent=2, rising=0.0)
    state = begun(method)
    measures = method.evaluate(state, BATCH, rng(3))
    (total, count) = measures["neg_elbo_per_token"]
    assert next(iter(measures.values()))[0] == total
    logs = method.step(state, BATCH, rng(3))
    assert count == 13
    assert logs["loss"].item() == pytest.approx(total.item() / 4, rel=1e-6)
    nll, kl = logs["reconstruction_nll_per_token"], logs["kl_per_sequence"]
    assert (nll * 13 / 4 + kl).item() == pytest.approx(logs["loss"].item(), rel=1e-5)


@pytest.mark.parametrize(("of", "price"), [("axis", 3 * 2.0), ("total", 2.0)])
def test_below_the_free_bits_the_divergence_costs_a_constant(of, price):
    method = VRAE(n_steps=10, d_latent=3, rising=0.0, free_bits=2.0, free_bits_of=of)
    state = begun(method)
    logs = method.step(state, BATCH, rng())
    nll = logs["reconstruction_nll_per_token"] * 13 / 4
    assert logs["kl_per_sequence"] < price
    assert (logs["loss"] - nll).item() == pytest.approx(price, rel=1e-5)


@pytest.mark.parametrize("settings", [{"beta": 0.3}, {"free_bits": 2.0}, {"free_bits": 2.0, "free_bits_of": "total"}])
def test_the_best_weights_are_those_of_the_objective_not_of_the_bound(settings):
    method = VRAE(n_steps=10, d_latent=3, rising=0.0, **settings)
    state = begun(method)
    measures = method.evaluate(state, BATCH, rng(3))
    (total, _) = next(iter(measures.values()))
    assert total != measures["neg_elbo_per_token"][0]
    assert method.step(state, BATCH, rng(3))["loss"].item() == pytest.approx(total.item() / 4, rel=1e-6)


def test_above_the_free_bits_the_divergence_costs_itself():
    latent = Latent(torch.tensor([[3.0, 0.0], [2.0, 0.1]]), torch.zeros(2, 2))
    kl = kl_per_axis(latent)  # [[4.5, 0], [2, .005]]
    of_axis, of_total = VRAE(free_bits=1.0), VRAE(free_bits=3.0, free_bits_of="total")
    assert of_axis._free(kl).item() == pytest.approx(3.25 + 1)
    assert of_total._free(kl).item() == pytest.approx((4.5 + 3) / 2)


def test_dropped_words_are_unknown_to_the_generator_alone():
    """The masks, and the words to be predicted, stay the true ones: the loss is finite where <unk> is forbidden."""
    method = VRAE(n_steps=10, d_latent=2, word_dropout=1.0)
    state = begun(method)
    assert dropped(ROWS, 1.0, rng()).eq(UNK).all()
    logs = method.step(state, BATCH, rng())
    fresh = begun(method)
    latent = method.encode(fresh, BATCH)
    logits, _ = method.generator(fresh)(torch.full_like(ROWS, UNK), drawn(latent, rng()))
    log_p = logits.masked_fill(~WORLD.allowed(BATCH), -torch.inf).log_softmax(-1).gather(2, ROWS[..., None])
    assert logs["reconstruction_nll_per_token"].item() == pytest.approx(-log_p.sum().item() / 13, rel=1e-5)
    share = dropped(torch.full((100, 100), 4), 0.3, rng()).eq(UNK).float().mean()
    assert abs(share - 0.3) < 4.5 * (0.21 / 10_000) ** 0.5


def test_codes_of_a_posterior_that_is_kept_alive_decode_to_their_strings():
    method = VRAE(n_steps=150, d_latent=4, free_bits=4.0, free_bits_of="total", descent=Descent(lr=0.02))
    state = begun(method)
    for step in range(150):
        torch.manual_seed(step)
        method.step(state, BATCH, rng(step))
    assert method.evaluate(state, BATCH, rng())["active_units"][0] / 4 >= 2
    with torch.no_grad():
        codes = method.encode(state, BATCH).mean
    run = FreeRun(method.generator(state), WORLD.constraint, 4, 0, Decoding(greedy=True), lambda index: codes[index])
    assert torch.equal(run(4).tokens, ROWS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rising": 1.5}, "rising = 1.5 must be in"),
        ({"word_dropout": -0.1}, "word_dropout = -0.1 must be in"),
        ({"n_cycles": 0}, "for no annealing set rising = 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        VRAE(**settings)


def test_in_the_aggressive_part_the_encoder_alone_learns_but_for_every_third_step():
    method = VRAE(n_steps=12, d_latent=2, aggressive=0.5, n_encoder=2)
    state = begun(method)
    changed = []
    for step in range(12):
        before = {name: weight.clone() for name, weight in state.networks.named_parameters()}
        method.step(state, BATCH, rng(step))
        moved = {
            name.split(".")[0] for name, w in state.networks.named_parameters() if not torch.equal(w, before[name])
        }
        changed.append("generator" in moved)
        assert "encoder" in moved
    assert changed == [False, False, True, False, False, True] + [True] * 6


def test_normalised_means_hold_the_divergence_up():
    method = VRAE(n_steps=60, d_latent=4, mean_scale=0.9, rising=0.0, descent=Descent(lr=0.02))
    state = begun(method)
    kl = [float(method.step(state, BATCH, rng(step))["kl_per_sequence"]) for step in range(60)]
    assert min(kl) > 4 * 0.9**2 / 2 * 0.99  # the variance of each axis is that of a batch, less epsilon of its norm


def test_the_information_of_a_batch_is_at_most_the_logarithm_of_its_size():
    method = VRAE(n_steps=150, d_latent=4, free_bits=4.0, free_bits_of="total", descent=Descent(lr=0.02))
    state = begun(method)
    logs = [method.step(state, BATCH, rng(step)) for step in range(150)]
    assert 0.9 * torch.tensor(4.0).log() < logs[-1]["mutual_information"] < torch.tensor(4.0).log() + 1e-6
