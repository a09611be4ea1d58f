import copy
import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from freerun.conditions import Conditions, Label
from freerun.constraints.base import EOS, PAD, SPECIALS
from freerun.constraints.length import Anything, Length
from freerun.corpora.batches import Batch
from freerun.errors import UsageError
from freerun.gumbel import Annealing
from freerun.methods import class_terms, rehearsal, semi_supervised
from freerun.methods.base import Network, State, World
from freerun.methods.class_terms import Read, posterior, read, terms, terms_of_classes
from freerun.methods.descent import Descent
from freerun.methods.rehearsal import Memory, RehearsingState
from freerun.methods.semi_supervised import SemiSupervisedVAE
from freerun.methods.variational import kl_per_axis
from freerun.sampling.likelihood import log_prob

NAN = math.nan
CLASSES = ("x", "y", "z")
ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
UNLABELLED = Batch(ROWS, torch.arange(4), {})
MIXED = Batch(ROWS, torch.arange(4), {"class": torch.tensor([0.0, NAN, 2.0, NAN])})
LABELLED = Batch(ROWS, torch.arange(4), {"class": torch.tensor([0.0, 1.0, 2.0, 2.0])})
LABELS = Conditions((Label("class", CLASSES, (5, 2, 1)),))
WORLD = World(Length(7, 2, 3), 4, Network(d_embedding=8, d_hidden=16), 3, torch.device("cpu"), conditions=LABELS)
PRIOR = torch.tensor([6 / 11, 3 / 11, 2 / 11])
WAYS = ["marginal", "gumbel", "straight_through"]


def m2(**settings) -> SemiSupervisedVAE:
    return SemiSupervisedVAE(
        label="class", **{"n_steps": 100, "d_latent": 2, "rising": 0.0, "rehearsed": 0, **settings}
    )


def begun(method: SemiSupervisedVAE, world: World = WORLD, louder: float = 4.0) -> State:
    """With weights large enough for classes to differ."""
    torch.manual_seed(0)
    state = method.init(world)
    with torch.no_grad():
        for weight in state.networks.parameters():
            weight *= louder
    return state


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_hand(state: State, z_of, y: int) -> torch.Tensor:
    """-log p(x|y, z) of each row, by the function that scores samples."""
    one_hot = F.one_hot(torch.full((4,), y), 3).float()
    latent = posterior(state.networks, state.networks["reader"](ROWS), one_hot)
    context = torch.cat([z_of(latent), one_hot], 1)
    nll = -log_prob(m2().generator(state), ROWS, WORLD.constraint, context, budget=4).sum(1)
    return nll + kl_per_axis(latent).sum(1)


@torch.no_grad()
def bound_by_hand(state: State, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(6) of each row and class, and (7) of each row, at the noise of `rng(seed)`, one class after the other."""
    state.networks.eval()
    eps = torch.randn(4, 2, generator=rng(seed))
    costs = [by_hand(state, lambda latent: latent.mean + (latent.log_var / 2).exp() * eps, y) for y in range(3)]
    labelled = torch.stack(costs, 1) - PRIOR.log()
    q = state.networks["classifier"](state.networks["reader"](ROWS)).softmax(1)
    entropy = torch.distributions.Categorical(q).entropy()
    return labelled, (q * labelled).sum(1) - entropy


@pytest.mark.parametrize("way", WAYS)
def test_the_bound_is_the_sum_over_the_classes_one_by_one(way):
    method = m2(inference=way)
    state = begun(method)
    measures = method.evaluate(state, UNLABELLED, rng(3))
    _, bound = bound_by_hand(state, 3)
    assert measures["neg_elbo_per_token"][0].item() == pytest.approx(bound.sum().item(), rel=1e-5)
    assert measures["objective_per_token"][0].item() == pytest.approx(bound.sum().item(), rel=1e-5)
    assert measures["neg_elbo_per_token"][1] == 13
    assert "accuracy" not in measures


def test_the_bound_of_held_out_strings_does_not_see_their_labels():
    method = m2()
    state = begun(method)
    seen, unseen = method.evaluate(state, LABELLED, rng(3)), method.evaluate(state, UNLABELLED, rng(3))
    for name in unseen.keys() - {"objective_per_token", "active_units"}:
        assert seen[name][0].item() == pytest.approx(unseen[name][0].item(), rel=1e-5), name


def test_a_step_descends_what_is_evaluated_and_the_price_of_wrong_labels():
    """N = 3 batches of 8; 8 labels: a label counts alpha 24 / 8."""
    method = m2(inference="marginal", alpha=0.5, batch_size=8)
    state = begun(method)
    labelled, bound = bound_by_hand(state, 3)
    log_q = method.classify(state, MIXED).log()
    price = 0.5 * 3 * -(log_q[0, 0] + log_q[2, 2])
    expected = labelled[0, 0] + labelled[2, 2] + bound[1] + bound[3] + price
    first = next(iter(method.evaluate(state, MIXED, rng(3)).values()))[0]
    assert first.item() == pytest.approx(expected.item(), rel=1e-5)
    logs = method.step(state, MIXED, rng(3))
    assert logs["loss"].item() == pytest.approx(expected.item() / 4, rel=1e-5)
    assert logs["classifier_loss"].item() == pytest.approx(price.item() / 4, rel=1e-5)


def test_where_all_labels_are_known_nothing_is_inferred():
    losses = []
    for way in WAYS:
        method = m2(inference=way, batch_size=8)
        losses.append(method.step(begun(method), LABELLED, rng(3))["loss"].item())
    state = begun(m2())
    labelled, _ = bound_by_hand(state, 3)
    cross_entropy = F.nll_loss(m2().classify(state, LABELLED).log(), torch.tensor([0, 1, 2, 2]))
    expected = labelled[torch.arange(4), torch.tensor([0, 1, 2, 2])].mean() + 0.1 * 3 * cross_entropy
    assert losses == pytest.approx([expected.item()] * 3, rel=1e-5)


def test_the_bound_is_below_the_likelihood():
    """z has one axis, so that both are integrals on a grid and sums over the classes: no draw is made."""
    method = m2(d_latent=1)
    state = begun(method, louder=2.0)
    state.networks.eval()
    grid = torch.linspace(-8, 8, 801)
    width, standard = grid[1] - grid[0], torch.distributions.Normal(0, 1)
    likelihood, bound = torch.zeros(4), torch.zeros(4)
    q = method.classify(state, UNLABELLED)
    with torch.no_grad():
        for y in range(3):
            one_hot = F.one_hot(torch.full((4,), y), 3).float()
            context = torch.cat([grid[:, None], one_hot[:1].expand(len(grid), -1)], 1)
            rows, codes = ROWS.repeat_interleave(len(grid), 0), context.repeat(4, 1)
            scores = log_prob(method.generator(state), rows, WORLD.constraint, codes, budget=4).sum(1)
            scores = scores.unflatten(0, (4, len(grid)))
            latent = posterior(state.networks, state.networks["reader"](ROWS), one_hot)
            density = torch.distributions.Normal(latent.mean, (latent.log_var / 2).exp()).log_prob(grid).exp()
            likelihood += PRIOR[y] * (scores.exp() * standard.log_prob(grid).exp()).sum(1) * width
            cost = -(density * scores).sum(1) * width + kl_per_axis(latent).sum(1) - PRIOR[y].log()
            bound += q[:, y] * (cost + q[:, y].log())
    assert (-bound <= likelihood.log() + 1e-5).all()
    draws = [method.evaluate(state, UNLABELLED, rng(i))["neg_elbo_per_token"][0] for i in range(100)]
    assert abs(torch.stack(draws).mean() - bound.sum()) < 4.5 * torch.stack(draws).std() / 10 + 1e-4


def test_the_likelihoods_of_all_strings_under_drawn_contexts_sum_to_one():
    method = m2()
    state, vocab = begun(method), range(len(SPECIALS), 7)
    strings = [[a, b, EOS, PAD] for a in vocab for b in vocab] + [
        [a, b, c, EOS] for a in vocab for b in vocab for c in vocab
    ]
    context = method.context(state, torch.arange(20), {}, 0)
    rows = torch.tensor(strings).repeat(20, 1)
    with torch.no_grad():
        scores = log_prob(
            method.generator(state).eval(), rows, WORLD.constraint, context.repeat_interleave(36, 0), budget=4
        )
    assert scores.sum(1).exp().sum().item() == pytest.approx(20, rel=1e-5)


def seen(state: State, batch: Batch = MIXED) -> Read:
    return read(state.networks, state.world, batch, batch.tokens, torch.randn(4, 2, generator=rng(1)))


def test_a_sum_in_pieces_is_the_sum_and_its_gradient_is_the_gradient():
    state = begun(m2())
    wanted = torch.tensor([[1, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 1]], dtype=torch.bool)
    weights = torch.rand(4, 3, generator=rng(2)) * wanted
    found = []
    for n_at_once in (1, 3, 8, 100):
        nll, kl = terms_of_classes(state.networks, seen(state), wanted, n_at_once)
        found.append((nll, kl, gradients(state, (weights * (nll + 2 * kl)).sum())))
    each = [
        terms(state.networks, seen(state), torch.arange(4), F.one_hot(torch.full((4,), y), 3).float()) for y in range(3)
    ]
    nll, kl = (torch.stack(parts, 1) * wanted for parts in zip(*each, strict=True))
    loop = (nll, kl, gradients(state, (weights * (nll + 2 * kl)).sum()))
    for nll, kl, gradient in found:
        torch.testing.assert_close(nll, loop[0], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(kl, loop[1], rtol=1e-6, atol=1e-6)
        assert (gradient - loop[2]).norm() < 1e-6 * loop[2].norm()


def gradients(state: State, loss: torch.Tensor) -> torch.Tensor:
    found = torch.autograd.grad(loss, list(state.networks.parameters()), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in found])


def test_what_is_computed_twice_drops_the_same_units(monkeypatch):
    shape = Network(d_embedding=8, d_hidden=16, n_layers=2, dropout=0.5, dropout_output=0.5)
    state = begun(m2(), dataclasses.replace(WORLD, network=shape))
    everything = torch.ones(4, 3, dtype=torch.bool)
    found = []
    for keeps in (False, True):
        if keeps:
            monkeypatch.setattr(class_terms, "checkpoint", lambda piece, *args, use_reentrant: piece(*args))
        torch.manual_seed(5)
        nll, _ = terms_of_classes(state.networks, seen(state, UNLABELLED), everything, 5)
        found.append(gradients(state, nll.sum()))
    assert (found[0] - found[1]).norm() < 1e-6 * found[1].norm()


def test_no_more_rows_than_asked_for_are_decoded_together():
    method, sizes = m2(inference="marginal", n_at_once=3), []
    state = begun(method)
    method.generator(state).register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    method.evaluate(state, UNLABELLED, rng())
    assert sizes == [3, 3, 3, 3]
    sizes.clear()
    method.step(state, MIXED, rng())  # two labels, two sums over three; each piece again in the backward pass
    assert sizes[:3] == [3, 3, 2]
    assert sorted(sizes[3:]) == [2, 3, 3]


@pytest.mark.parametrize(("way", "slack"), [("gumbel", 0.15), ("straight_through", 0.25)])
def test_at_a_low_temperature_the_gradient_of_a_relaxed_class_is_nearly_that_of_the_sum(way, slack):
    """The mean over 40 batches of 500 draws; the bias is the slack, beyond 4.5 standard errors of the mean."""
    summed, relaxed = m2(inference="marginal"), m2(inference=way)
    state, many = begun(summed, louder=2.0), Batch(ROWS.repeat(500, 1), torch.arange(2000), {})
    exact = classifier_gradient(summed, state, many, 0, 0.1)
    draws = torch.stack([classifier_gradient(relaxed, state, many, seed, 0.1) for seed in range(40)])
    error = draws.std(0).norm() / 40**0.5
    assert (draws.mean(0) - exact).norm() < slack * exact.norm() + 4.5 * error
    assert error < 0.1 * exact.norm()


def classifier_gradient(method: SemiSupervisedVAE, state: State, batch: Batch, seed: int, tau: float) -> torch.Tensor:
    found = method._read(state, batch, batch.tokens, rng(seed))
    if method.inference == "marginal":
        nll, kl = terms_of_classes(state.networks, found, torch.ones(len(batch.tokens), 3, dtype=torch.bool), 10**6)
        cost = (found.log_q.exp() * (nll + kl)).sum(1)
    else:
        nll, kl = terms(
            state.networks, found, torch.arange(len(batch.tokens)), method._relaxed(found, tau, rng(seed + 1))
        )
        cost = nll + kl
    (gradient,) = torch.autograd.grad(cost.mean(), [state.networks.get_parameter("classifier.2.weight")])
    return gradient.flatten()


def test_the_straight_through_loss_is_the_bound_in_expectation_at_any_temperature():
    method = m2(inference="straight_through", temperature=Annealing(2.0, 2.0))
    many = Batch(ROWS.repeat(500, 1), torch.arange(2000), {})
    losses = torch.stack([method.step(begun(method), many, rng(i))["loss"] for i in range(20)])
    bounds = torch.stack(
        [method.evaluate(begun(method), many, rng(i))["neg_elbo_per_token"][0] / 2000 for i in range(20)]
    )
    error = ((losses.var() + bounds.var()) / 20).sqrt()
    assert abs(losses.mean() - bounds.mean()) < 4.5 * error


def test_a_drawn_class_in_place_of_the_sum_has_the_same_expectation(monkeypatch):
    method, many = m2(), Batch(ROWS.repeat(2000, 1), torch.arange(8000), {})
    state = begun(method)
    exact = method.evaluate(state, many, rng(1))
    monkeypatch.setattr(semi_supervised, "MOST_SUMMED", 2)
    drawn = torch.stack([method.evaluate(state, many, rng(i))["neg_elbo_per_token"][0] for i in range(10)])
    assert abs(drawn.mean() - exact["neg_elbo_per_token"][0]) < 4.5 * drawn.std() * 1.1**0.5 / 10**0.5 + 1e-3
    labels = dataclasses.replace(LABELLED, columns=LABELLED.columns)
    by_label, _ = bound_by_hand(state, 3)
    total = by_label[torch.arange(4), torch.tensor([0, 1, 2, 2])].sum()
    price = (
        method._label_weight(WORLD) * 4 * F.nll_loss(method.classify(state, labels).log(), torch.tensor([0, 1, 2, 2]))
    )
    objective = method.evaluate(state, labels, rng(3))["objective_per_token"][0]
    assert objective.item() == pytest.approx((total + price).item(), rel=1e-5)  # labels are not drawn


def test_labelled_rows_are_met_once_and_read_again():
    """With as many rehearsed as were met, the price is alpha times the mean over all of them."""
    method = m2(inference="marginal", alpha=0.5, rehearsed=9)
    state = begun(method)
    assert method.step(state, UNLABELLED, rng())["classifier_loss"] == 0
    first = dataclasses.replace(MIXED, columns={"class": torch.tensor([0.0, NAN, NAN, NAN])})
    method.step(state, first, rng())
    method.step(state, MIXED, rng())
    wide = dataclasses.replace(MIXED, rows=torch.arange(4) + 4)
    log_q = method.classify(state, MIXED).log()
    price = 0.5 * -(log_q[0, 0] + log_q[2, 2]) / 2
    logs = method.step(state, wide, rng())
    assert logs["classifier_loss"].item() == pytest.approx(price.item(), rel=1e-5)
    assert isinstance(state, RehearsingState)
    assert state.memory.rows.tolist() == [0, 2, 4, 6]
    assert state.memory.classes.tolist() == [0, 2, 0, 2]
    assert torch.equal(state.memory.tokens[:2], ROWS[[0, 2]])


def test_a_state_remembers_its_labelled_rows_when_it_is_loaded():
    method = m2(rehearsed=2)
    whole, resumed = begun(method), begun(method)
    method.step(whole, LABELLED, rng(1))
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for state in (whole, resumed):
        method.step(state, UNLABELLED, rng(2))
    for a, b in zip(whole.networks.parameters(), resumed.networks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_no_more_are_rehearsed_than_asked_for_and_no_more_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(rehearsal, "MOST_KEPT", 3)
    known, classes = torch.ones(4, dtype=torch.bool), torch.tensor([0, 1, 2, 2])
    memory = Memory.empty(6, torch.device("cpu")).with_met(LABELLED, known, classes)
    memory = memory.with_met(dataclasses.replace(LABELLED, rows=torch.arange(4) + 4), known, classes)
    assert memory.rows.tolist() == [0, 1, 2]
    tokens, drawn = memory.drawn(2, rng())
    assert len(tokens) == len(drawn) == 2
    assert len(set(map(tuple, tokens.tolist()))) == 2


def test_accuracy_counts_the_rows_that_have_labels():
    method = m2()
    state = begun(method)
    best = method.classify(state, MIXED).argmax(1)
    labels = best.float()
    labels[1], labels[2] = NAN, (best[2] + 1) % 3
    right, n = method.evaluate(state, dataclasses.replace(MIXED, columns={"class": labels}), rng())["accuracy"]
    assert (right, n) == (2, 3)


def test_a_code_is_read_at_the_label_and_without_one_at_the_most_probable_class():
    method = m2()
    state = begun(method)
    best = method.classify(state, MIXED).argmax(1)
    classes = torch.where(torch.tensor([True, False, True, False]), torch.tensor([0, 0, 2, 0]), best)
    expected = posterior(state.networks, state.networks["reader"](ROWS), F.one_hot(classes, 3).float())
    assert torch.equal(method.told(state, MIXED), F.one_hot(classes, 3).float())
    torch.testing.assert_close(method.encode(state, MIXED).mean, expected.mean)


@pytest.mark.parametrize(("prior", "shares"), [("labels", PRIOR), ("uniform", torch.full((3,), 1 / 3))])
def test_a_class_that_is_not_asked_for_is_drawn_from_its_prior(prior, shares):
    method, n = m2(prior=prior), 20_000
    state = begun(method)
    drawn = method.context(state, torch.arange(n), {}, 5)
    assert torch.equal(method.context(state, torch.tensor([7]), {}, 5), drawn[7:8])
    z, y = drawn.split([2, 3], 1)
    assert torch.equal(y.sum(1), torch.ones(n))
    assert ((y.mean(0) - shares).abs() < 4.5 * (shares * (1 - shares) / n).sqrt()).all()
    assert ((z.T @ (y - shares) / n).abs() < 4.5 * (shares * (1 - shares) / n).sqrt()).all()  # independent
    asked = method.context(state, torch.arange(n), {"class": "y"}, 5)
    assert torch.equal(asked[:, :2], z)
    assert torch.equal(asked[:, 2:], torch.tensor([0.0, 1.0, 0.0]).expand(n, -1))
    with pytest.raises(UsageError, match="did you mean 'class'"):
        method.context(state, torch.arange(2), {"clas": "y"}, 5)


def test_tuning_goes_on_at_the_last_temperature_and_the_full_bound():
    method = m2(rising=1.0, temperature=Annealing(1.0, 0.3, "linear")).for_tuning(7)
    logs = method.step(begun(method), UNLABELLED, rng())
    assert logs["temperature"] == pytest.approx(0.3)
    assert logs["beta"] == 1
    assert method.phases(3)[0].n_steps == 7


@pytest.mark.slow
@pytest.mark.parametrize(("way", "share"), [("marginal", 0.9), ("gumbel", 0.9), ("straight_through", 0.8)])
def test_few_labels_name_the_groups_that_the_strings_form_by_themselves(way, share):
    """Three languages of twelve words: three words in four are of a language's own four. One string in fifty has a
    label. The generator sees no word before the next one, or it would need no class."""
    torch.manual_seed(0)
    n, n_steps = 300, 200
    language = torch.arange(n) % 3
    own = torch.rand(n, 6) < 0.75
    words = torch.where(own, 4 * language[:, None] + torch.randint(0, 4, (n, 6)), torch.randint(0, 12, (n, 6)))
    tokens = torch.cat([words + len(SPECIALS), torch.full((n, 1), EOS)], 1)
    labels = torch.where(torch.arange(n) < 6, language.float(), torch.tensor(NAN))
    conditions = Conditions((Label("class", CLASSES, (2, 2, 2)),))
    shape = Network(cell="gru", d_embedding=8, d_hidden=24)
    world = World(Anything(16), 7, shape, 10, torch.device("cpu"), conditions=conditions)
    method = m2(
        n_steps=n_steps,
        batch_size=30,
        inference=way,
        rising=0.5,
        word_dropout=1.0,
        rehearsed=6,
        descent=Descent(lr=0.01),
    )
    state = begun(method, world, louder=1.0)
    for i in range(n_steps):
        rows = torch.randperm(n)[:30]
        method.step(state, Batch(tokens[rows], rows, {"class": labels[rows]}), rng(i))
    found = method.classify(state, Batch(tokens, torch.arange(n), {})).argmax(1)
    assert (found == language)[6:].float().mean() > share


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": ""}, "--set method.label=class"),
        ({"rising": 1.5}, "rising = 1.5 must be in"),
        ({"word_dropout": -0.1}, "word_dropout = -0.1 must be in"),
        ({"n_cycles": 0}, "n_cycles = 0 must be at least 1"),
        ({"n_at_once": 0}, "n_at_once = 0 must be at least 1"),
        ({"rehearsed": -1}, "rehearsed = -1 must not be negative"),
        ({"alpha": -1.0}, "alpha = -1.0 must not be negative"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SemiSupervisedVAE(**{"label": "class", **settings})


def test_a_world_without_the_label_is_refused():
    with pytest.raises(ValueError, match="takes its label alone"):
        m2().init(dataclasses.replace(WORLD, conditions=Conditions()))
