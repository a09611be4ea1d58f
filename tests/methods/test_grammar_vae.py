import dataclasses

import numpy as np
import pytest
import torch

from freerun.constraints.base import EOS, PAD
from freerun.constraints.productions import Productions
from freerun.corpora.batches import Batch
from freerun.methods.base import Network, State, World
from freerun.methods.descent import Descent
from freerun.methods.grammar_vae import GrammarVAE
from freerun.methods.variational import drawn
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun

GRAMMAR = "S -> S '+' T\nS -> T\nT -> 'x'\nT -> '1'\nT -> '(' S ')'\n"  # rules 4 to 8
# x ; x + 1 ; ( 1 ) ; 1
ROWS = torch.tensor(
    [[5, 6, EOS, PAD, PAD, PAD], [4, 5, 6, 7, EOS, PAD], [5, 8, 5, 7, EOS, PAD], [5, 7, EOS, PAD, PAD, PAD]]
)
BATCH = Batch(ROWS, torch.arange(4), {})
SHAPE = {"d_latent": 3, "filters": (4, 4), "widths": (2, 3), "d_dense": 12}
WORLD = World(Productions(GRAMMAR), 8, Network("gru", d_hidden=10, n_layers=2), n_batches=3, device=torch.device("cpu"))


def begun(method: GrammarVAE) -> State:
    torch.manual_seed(0)
    return method.init(WORLD)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def published_loss(f: np.ndarray, masks: np.ndarray, x: np.ndarray, mean: np.ndarray, log_var: np.ndarray) -> float:
    """As the published code has it: the whole array of positions and classes at once, clipped as Keras clips.

    Args:
        f: Logits (batch, positions, classes).
        masks: The rules whose left side is due, of each position; padding after the end.
        x: One-hot (batch, positions, classes).
    """
    p = np.exp(f) * masks
    p = np.clip(p / p.sum(-1, keepdims=True), 1e-7, 1 - 1e-7)
    xent = f.shape[1] * np.mean(-(x * np.log(p) + (1 - x) * np.log(1 - p)))
    kl = -0.5 * np.mean(1 + log_var - mean**2 - np.exp(log_var), axis=-1)
    return float(np.mean(xent + kl))


def test_the_published_objective_is_that_of_the_published_code():
    """Over the five rules and the padding, at the full width of eight positions."""
    method = GrammarVAE(n_steps=10, **SHAPE)
    state = begun(method)
    (total, count) = next(iter(method.evaluate(state, BATCH, rng(1)).values()))
    with torch.no_grad():
        mean, log_var = state.networks["encoder"](ROWS)
        z = mean + 0.01 * (log_var / 2).exp() * torch.randn(mean.shape, generator=rng(1))
        logits, _ = method.generator(state)(torch.zeros(4, 8, dtype=torch.long), z)
    classes = [PAD, *range(4, 9)]
    # Where ours writes <eos> theirs pads already.
    tokens = torch.nn.functional.pad(ROWS.masked_fill(ROWS == EOS, PAD), (0, 2))
    x = torch.nn.functional.one_hot(tokens, 9)[..., classes].double().numpy()
    of_s, of_t = np.array([0, 1, 1, 0, 0, 0]), np.array([0, 0, 0, 1, 1, 1])
    due = {4: of_s, 5: of_s, 6: of_t, 7: of_t, 8: of_t, PAD: np.array([1, 0, 0, 0, 0, 0])}
    masks = np.array([[due[token] for token in row] for row in tokens.tolist()])
    expected = published_loss(logits[..., classes].double().numpy(), masks, x, mean.numpy(), log_var.numpy())
    assert count == 3 + 5 + 5 + 3
    assert total.item() / 4 == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("objective", ["published", "elbo"])
def test_a_step_descends_what_is_evaluated_first(objective):
    method = GrammarVAE(n_steps=10, objective=objective, **SHAPE)
    state = begun(method)
    measures = method.evaluate(state, BATCH, rng(2))
    (total, _) = next(iter(measures.values()))
    assert method.step(state, BATCH, rng(2))["loss"].item() == pytest.approx(total.item() / 4, rel=1e-5)
    assert (total == measures["neg_elbo_per_token"][0]) == (objective == "elbo")


def test_the_bound_is_told_with_the_noise_that_is_added():
    published, elbo = GrammarVAE(**SHAPE), GrammarVAE(objective="elbo", **SHAPE)
    narrow, wide = published.encode(begun(published), BATCH), elbo.encode(begun(elbo), BATCH)
    torch.testing.assert_close(narrow.mean, wide.mean)
    torch.testing.assert_close((narrow.log_var / 2).exp(), 0.01 * (wide.log_var / 2).exp())


def test_every_sample_of_untrained_networks_is_a_finished_derivation():
    method = GrammarVAE(**SHAPE)
    state = begun(method)
    run = FreeRun(method.generator(state), WORLD.constraint, 8, context=lambda i: method.context(state, i, {}, 1))
    tokens = run(300).tokens
    assert (tokens == EOS).any(1).all()
    for row in tokens.unique(dim=0).tolist():
        due = ["S"]
        for token in row[: row.index(EOS)]:
            left, right = {4: "S S T", 5: "S T", 6: "T ", 7: "T ", 8: "T S"}[token].split(" ", 1)
            assert due.pop() == left
            due += reversed(right.split())
        assert not due


def test_the_published_objective_is_nearly_an_autoencoder():
    """Every string comes back from its code, and the codes lie close together: nothing draws them to the prior."""
    shape = {"d_latent": 8, "filters": (8, 8), "widths": (2, 3), "d_dense": 32}
    method = GrammarVAE(n_steps=150, descent=Descent(lr=0.02), **shape)
    torch.manual_seed(0)
    state = method.init(dataclasses.replace(WORLD, network=Network("gru", d_hidden=24)))
    for step in range(150):
        torch.manual_seed(step)
        method.step(state, BATCH, rng(step))
    state.networks.eval()
    with torch.no_grad():
        latent = method.encode(state, BATCH)
    codes = drawn(latent, rng())
    run = FreeRun(method.generator(state), WORLD.constraint, 8, 0, Decoding(greedy=True), lambda index: codes[index])
    assert torch.equal(run(4).tokens, ROWS[:, :5])
    assert (latent.log_var / 2).exp().max() < 0.05
