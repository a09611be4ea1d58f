"""Estimates of the policy gradient against the exact one: every string of a tiny language is enumerated."""

import functools

import pytest
import torch
from tiny_worlds import (
    BUDGET,
    RULES,
    WIDE,
    begun,
    codes,
    errors,
    flat,
    gradient,
    language,
    log_p,
    objective_of,
    payments,
    step_gradients,
)
from torch import Tensor

from freerun.constraints.base import EOS, PAD
from freerun.corpora.batches import Batch
from freerun.methods.base import State
from freerun.methods.policy_gradient import (
    Baseline,
    action_values,
    advantages,
    generator_of,
    lengths_to_complete,
    log_probs,
    new_seed,
    policy_loss,
    prefix_lengths,
    sampled,
)
from freerun.methods.reinforce import Reinforce
from freerun.sampling.rollouts import completions

GROUPS, IN_GROUP = 250, 6  # batches, and strings of each
EPISODE, ALL = (), (1, 2, 3)
ESTIMATES = {"the whole episode": EPISODE, "all prefixes": ALL, "prefixes of 2": (2,), "of 1 and 3": (1, 3)}


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@functools.cache
def world(name: str) -> tuple[State, Tensor]:
    """A generator that has learned nothing, and all strings that it can write."""
    return begun(Reinforce(), RULES[name]), language(RULES[name])


def paid(name: str):
    table = payments(world(name)[1])
    return table, lambda rows, _: table(rows)


@functools.cache
def scores(name: str) -> tuple[Tensor, Tensor]:
    """(prefixes), (prefixes, weights): the number of each prefix, and the gradient of log p of its last token."""
    state, strings = world(name)
    written = (strings != PAD).flatten()
    own, of = codes(strings).flatten()[written].unique(return_inverse=True)
    at = torch.zeros(len(own), dtype=torch.int64).scatter_(0, of, torch.arange(len(of)))
    log_prob = log_probs(state, strings).flatten()[written]
    weights = list(generator_of(state).parameters())
    return own, torch.stack([flat(torch.autograd.grad(log_prob[i], weights, retain_graph=True)) for i in at])


def gradients(name: str, tokens: Tensor, advantage: Tensor) -> Tensor:
    """(strings, weights): sum_t A_t grad log G(y_t | ..) of each, looked up."""
    own, table = scores(name)
    place = torch.searchsorted(own, codes(tokens)[:, : tokens.shape[1]].contiguous())
    return (advantage[..., None] * table[place] * (tokens != PAD)[..., None]).sum(1)


@functools.cache
def valued(name: str, lengths: tuple[int, ...], n_rollouts: int) -> tuple[Tensor, Tensor]:
    """Strings, and what each prefix of them is found to be worth."""
    state, _ = world(name)
    tokens = sampled(state, GROUPS * IN_GROUP, rng(0))
    return tokens, action_values(state, tokens, paid(name)[1], lengths, n_rollouts, rng(1))[0]


def estimates(name: str, lengths: tuple[int, ...], baseline: Baseline, n_rollouts: int = 2) -> Tensor:
    """(groups, weights): as many independent estimates as there are groups."""
    tokens, values = valued(name, lengths, n_rollouts)
    groups = zip(values.split(IN_GROUP), (tokens != PAD).split(IN_GROUP), strict=True)
    advantage = torch.cat([advantages(own, written, baseline) for own, written in groups])
    return gradients(name, tokens, advantage).unflatten(0, (GROUPS, IN_GROUP)).mean(1)


def exact(name: str) -> Tensor:
    state, strings = world(name)
    return gradient(state, lambda log_p: (log_p.exp() * paid(name)[0].values).sum(), strings)


def test_likelihoods_in_pieces_of_like_length_are_those_of_the_whole_batch():
    state, strings = world("anything")
    tokens = strings[torch.randperm(len(strings), generator=rng())]
    whole, pieces = (log_probs(state, tokens, n_pieces=n) for n in (1, 4))
    torch.testing.assert_close(pieces, whole)
    weights = list(generator_of(state).parameters())
    once, parted = (flat(torch.autograd.grad(part.sum(), weights)) for part in (whole, pieces))
    torch.testing.assert_close(parted, once)
    torch.testing.assert_close(log_probs(state, tokens[:2]), whole[:2])


@pytest.mark.parametrize("name", RULES)
def test_the_expectation_of_the_whole_episode_is_the_gradient_exactly(name):
    state, strings = world(name)
    probs = log_p(state, strings).exp().detach()
    assert probs.sum().item() == pytest.approx(1)
    whole = paid(name)[0].values[:, None].expand(strings.shape)
    torch.testing.assert_close((probs[:, None] * gradients(name, strings, whole)).sum(0), exact(name))


@pytest.mark.parametrize("baseline", ["none", "batch"])
@pytest.mark.parametrize("kind", ESTIMATES)
@pytest.mark.parametrize("name", RULES)
def test_the_mean_of_many_estimates_is_the_exact_gradient(name, kind, baseline):
    draws = estimates(name, ESTIMATES[kind], baseline)
    assert errors(draws, exact(name)).abs().max() < 4.5
    assert errors(draws, torch.zeros_like(exact(name))).abs().max() > 5  # enough draws to tell it from another gradient


def test_prefix_lengths_that_are_drawn_anew_for_each_batch_change_nothing_in_the_mean():
    state, _ = world("anything")
    reward, pieces = paid("anything")[1], []
    for seed in range(40):
        lengths = prefix_lengths(BUDGET, 1, rng(seed))
        tokens = sampled(state, 200, rng(100 + seed))
        values, _, _ = action_values(state, tokens, reward, lengths, 1, rng(200 + seed))
        pieces.append(gradients("anything", tokens, advantages(values, tokens != PAD, "batch")).mean(0))
    assert errors(torch.stack(pieces), exact("anything")).abs().max() < 5.5  # Student's t of 39 degrees, 199 weights


@pytest.mark.parametrize("kind", ["the whole episode", "all prefixes"])
def test_a_baseline_lowers_the_variance(kind):
    plain, based = (estimates("anything", ESTIMATES[kind], b).var(0).sum() for b in ("none", "batch"))
    assert based < plain / 1.5


def test_rollouts_lower_the_variance_and_more_of_them_lower_it_further():
    def variance(*how) -> float:
        return float(estimates("two or three words", *how).var(0).sum())

    episode, few, one, many = (
        variance(EPISODE, "batch"),
        variance((2,), "batch", 4),
        variance(ALL, "batch", 1),
        variance(ALL, "batch", 4),
    )
    assert many < one
    assert many < few < episode


def test_each_prefix_of_each_sequence_is_paid_what_its_own_completions_are():
    """A plain loop over sequences, tokens and completions, with a reward that no two strings share."""
    state, _ = world("anything")
    tokens, lengths, n = sampled(state, 40, rng()), [1, 3], 3
    found, _, _ = action_values(state, tokens, paid("anything")[1], lengths, n, rng(7))
    rule = state.world.constraint
    done = completions(generator_of(state), rule, tokens, lengths, n, budget=BUDGET, seed=new_seed(rng(7)))
    table = paid("anything")[0]
    for row, sequence in enumerate(tokens):
        length = int((sequence != PAD).sum())
        for t in range(length):
            longer = [place for place, given in enumerate(lengths) if given >= t + 1]
            if longer:
                rewards = [table(done[row : row + 1, longer[0], k]) for k in range(n)]
                expected = torch.cat(rewards).mean()
            else:
                expected = table(sequence[None])[0]
            assert found[row, t].item() == pytest.approx(expected.item())


def test_a_reward_that_names_its_row_is_paid_to_that_row():
    state, _ = world("two or three words")
    tokens = sampled(state, 50, rng())
    values, _, _ = action_values(state, tokens, lambda rows, _: rows[:, 0].double(), ALL, 4, rng())
    assert torch.equal(values, tokens[:, :1].expand(values.shape).double())


def test_strings_that_are_paid_together_are_completions_of_one_length_and_one_rollout():
    state, _ = world("two or three words")
    tokens, asked = sampled(state, 9, rng()), []

    def reward(rows: Tensor, n: int) -> Tensor:
        asked.append((rows, n))
        return torch.zeros(len(rows))

    action_values(state, tokens, reward, (1, 2), 3, rng())
    (whole, n), (rows, beside) = asked
    assert torch.equal(whole, tokens)
    assert n == beside == 9
    groups = rows.unflatten(0, (2, 3, 9))
    for length, group in zip((1, 2), groups, strict=True):
        for rollout in group:
            assert torch.equal(rollout[:, :length], tokens[:, :length])
        assert not torch.equal(group[0], group[1])


def test_the_last_token_is_worth_what_the_whole_sequence_is():
    """Where a sequence has ended it is not completed, whatever prefixes are."""
    for name in RULES:
        state, _ = world(name)
        tokens = sampled(state, 60, rng(1))
        last = (tokens != PAD).sum(1, keepdim=True) - 1
        for lengths in ESTIMATES.values():
            values, _, _ = action_values(state, tokens, paid(name)[1], lengths, 2, rng())
            torch.testing.assert_close(values.gather(1, last)[:, 0], paid(name)[0](tokens))


def test_only_tokens_that_are_written_count():
    state, _ = world("two or three words")
    tokens = torch.tensor([[4, 5, EOS, PAD], [4, 4, 4, EOS]])
    count = {
        lengths: action_values(state, tokens, paid("anything")[1], lengths, 5, rng()).n_written
        for lengths in ((), (3,))
    }
    assert count[()] == 7
    assert count[(3,)] == 7 + 5  # the first has ended; the second's <eos>, five times


def test_padding_adds_nothing():
    state, _ = world("anything")
    tokens = torch.tensor([[4, 5, EOS, PAD], [6, EOS, PAD, PAD], [4, 4, EOS, PAD]])
    weights, losses = list(generator_of(state).parameters()), []
    for rows in (tokens[:, :3], tokens):
        values, _, _ = action_values(state, rows, paid("anything")[1], (), 0, rng())
        advantage = advantages(values, rows != PAD, "batch")
        assert (advantage[rows == PAD] == 0).all()
        loss = policy_loss(log_probs(state, rows), advantage)
        losses.append((loss, flat(torch.autograd.grad(loss, weights))))
    torch.testing.assert_close(losses[0], losses[1])


def test_the_loss_has_the_gradient_of_the_table():
    state, _ = world("a grammar whose strings end early")
    name = "a grammar whose strings end early"
    tokens = sampled(state, 30, rng())
    advantage = torch.rand(tokens.shape, generator=rng(), dtype=torch.float64)
    loss = policy_loss(log_probs(state, tokens), advantage)
    found = flat(torch.autograd.grad(loss, list(generator_of(state).parameters())))
    torch.testing.assert_close(found, -gradients(name, tokens, advantage).mean(0))


def test_the_baseline_is_the_mean_over_the_others_that_have_a_token_there():
    """Worked by hand; at the last place of the longest string it is the mean over the others' last values."""
    values = torch.tensor([[1.0, 2.0, 9.0], [3.0, 6.0, 9.0], [5.0, 4.0, 7.0]])
    tokens = torch.tensor([[4, EOS, PAD], [4, EOS, PAD], [4, 4, EOS]])
    expected = torch.tensor([[1 - 4, 2 - 5, 0], [3 - 3, 6 - 3, 0], [5 - 2, 4 - 4, 7 - 4.0]])
    assert torch.equal(advantages(values, tokens != PAD, "batch"), expected)
    assert torch.equal(advantages(values, tokens != PAD, "none"), values * (tokens != PAD))
    assert torch.equal(advantages(values[:1], tokens[:1] != PAD, "batch"), torch.tensor([[1.0, 2.0, 0.0]]))


def test_prefix_lengths_are_one_from_each_part():
    assert prefix_lengths(5, 0, rng()) == prefix_lengths(5, 4, rng()) == prefix_lengths(5, 9, rng()) == [1, 2, 3, 4]
    assert prefix_lengths(1, 0, rng()) == prefix_lengths(1, 3, rng()) == []
    drawn = [prefix_lengths(41, 4, rng(seed)) for seed in range(200)]
    for part in range(4):
        assert {lengths[part] for lengths in drawn} == set(range(1 + 10 * part, 11 + 10 * part))


def test_all_prefixes_are_those_of_the_drawn_strings_and_a_few_are_of_the_corpus():
    narrow, drawn = Batch(torch.tensor([[4, EOS]]), torch.arange(1), {}), torch.full((3, 6), 4)
    assert lengths_to_complete(narrow, drawn, 0, 2, rng()) == [1, 2, 3, 4, 5]
    assert lengths_to_complete(narrow, drawn, 3, 2, rng()) == [1]
    assert lengths_to_complete(narrow, drawn, 0, 0, rng()) == []


@pytest.mark.parametrize("n_rollouts", [0, 1])
def test_a_step_of_reinforce_descends_the_gradient_in_the_mean(n_rollouts):
    table = payments(language(RULES["anything"]))
    method = Reinforce(batch_size=100, n_rollouts=n_rollouts, n_prefixes=1)
    state = begun(method, objective=objective_of(table))
    exact = gradient(state, lambda log_p: -(log_p.exp() * table.values).sum(), table.strings)
    assert errors(step_gradients(method, state, 25), exact).abs().max() < 6


def test_strings_that_are_not_valid_are_paid_nothing_and_stay_in_the_loss():
    table = payments(language(RULES["anything"]))
    method = Reinforce(batch_size=100)
    state = begun(method, objective=objective_of(table, invalid="a"))
    worth = torch.where(table.strings[:, 0] == 4, 0.0, table.values)
    exact = gradient(state, lambda log_p: -(log_p.exp() * worth).sum(), table.strings)
    assert errors(step_gradients(method, state, 25), exact).abs().max() < 6
    logs = method.step(state, WIDE, rng(5))
    tokens = sampled(state, 100, rng(5))
    assert logs["validity"].item() == pytest.approx((tokens[:, 0] != 4).double().mean().item())
