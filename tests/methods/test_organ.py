"""ORGAN's reward by hand, and what its steps descend."""

import dataclasses

import numpy as np
import pytest
import torch
from counted import term
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
    objective_of,
    payments,
    step_gradients,
    told,
)

from freerun.constraints.base import EOS
from freerun.methods.base import unrolled
from freerun.methods.descent import Descent
from freerun.methods.likelihood import GENERATOR
from freerun.methods.organ import ORGAN
from freerun.methods.prior import PRIOR
from freerun.objectives.objective import Objective
from freerun.objectives.shapes import Identity
from freerun.objectives.totals import Arithmetic, Turns

A, B, C = 4, 5, 6
STRINGS = language(RULES["anything"])
LOGITS = Table(STRINGS, 4 * payments(STRINGS, 9).values - 2)
ROWS = torch.tensor([[A, B, EOS], [B, A, EOS], [A, A, EOS], [C, B, EOS]])  # ab, ba, aa, cb


def by_letters() -> Objective:
    """A fifth of a letter; known by its letters in order, so that ab and ba are the same; c is not valid."""

    def score(strings) -> np.ndarray:
        return np.array([len(string) / 5 for string in strings])

    def read(string: str) -> tuple[str, bool]:
        return "".join(sorted(string)), "c" not in string

    return Objective([term("length", score, shape=Identity())], None, read, Arithmetic())


@pytest.mark.parametrize(
    ("penalty", "weights"),
    [
        ("none", [1, 1, 1, 1]),
        ("count", [1 / 2, 1 / 2, 1, 1]),
        ("count+fraction", [3 / 4 / 2, 3 / 4 / 2, 3 / 4, 3 / 4]),
    ],
)
@pytest.mark.parametrize("adversarial", [0.0, 0.5, 1.0])
def test_the_reward_is_that_of_the_paper(penalty, weights, adversarial):
    """lambda D + (1 - lambda) O w; O of two letters is .4, of one that is not valid 0, in a batch of these four."""
    method = ORGAN(adversarial=adversarial, repeat_penalty=penalty, critic=SMALL)
    state = begun(method, objective=by_letters())
    told(state, LOGITS)
    objective = torch.tensor([0.4, 0.4, 0.4, 0.0]) * torch.tensor(weights)
    expected = adversarial * LOGITS(ROWS).sigmoid().float() + (1 - adversarial) * objective
    torch.testing.assert_close(method.reward(state, ROWS, 4), expected.float())


def test_repeats_count_among_the_strings_of_their_own_group():
    method = ORGAN(adversarial=0.0, repeat_penalty="count")
    state = begun(method, objective=by_letters())
    torch.testing.assert_close(method.reward(state, ROWS, 2), torch.tensor([0.2, 0.2, 0.4, 0.0]))
    torch.testing.assert_close(method.reward(state, ROWS, 1), torch.tensor([0.4, 0.4, 0.4, 0.0]))


@pytest.mark.parametrize(("adversarial", "kl"), [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.5, 0.3)])
@pytest.mark.parametrize("n_rollouts", [0, 1])
def test_a_step_descends_the_gradient_of_the_reward_and_of_the_way_from_the_prior(adversarial, kl, n_rollouts):
    table = payments(STRINGS)
    method = ORGAN(
        batch_size=100,
        adversarial=adversarial,
        kl=kl,
        repeat_penalty="none",
        n_prefixes=1,
        n_rollouts=n_rollouts,
        critic=SMALL,
    )
    state = begun(method, objective=objective_of(table))
    told(state, LOGITS)
    worth = adversarial * LOGITS.values.sigmoid() + (1 - adversarial) * table.values
    if kl:
        state.networks[PRIOR].double()
        with torch.no_grad():
            for weight in state.networks[PRIOR].parameters():
                weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        worth = worth + kl * log_p(state, STRINGS, PRIOR).detach()
    exact = gradient(state, lambda log_p: (log_p.exp() * (kl * log_p - worth)).sum(), STRINGS)
    assert errors(step_gradients(method, state, 25), exact).abs().max() < 6


def test_the_prior_is_the_generator_before_its_first_update():
    method = ORGAN(n_mle=2, n_steps=2, kl=0.1, batch_size=20, critic=SMALL, n_pretrain=1, descent=Descent(lr=0.1))
    state = begun(method, objective=objective_of(payments(STRINGS)))
    state.networks[PRIOR].double()
    seen = []
    for phase in unrolled(method.phases(1)):
        if phase.name == "generator":
            seen.append(log_p(state, STRINGS).detach())
            assert phase.before is not None
            phase.before(state, torch.Generator())
            torch.testing.assert_close(log_p(state, STRINGS, PRIOR).detach(), seen[0])
            logs = phase.step(state, WIDE, torch.Generator())
            assert (logs["kl_from_prior"].abs() < 1e-12) == (len(seen) == 1)
        else:
            phase.step(state, WIDE, torch.Generator())
    assert len(seen) == 2
    assert (seen[1] - seen[0]).abs().max() > 0.01
    assert PRIOR not in begun(ORGAN(critic=SMALL)).networks


def test_without_a_critic_there_is_none_to_train_and_without_an_objective_none_is_asked():
    assert {phase.name for phase in unrolled(ORGAN(adversarial=0.0, n_steps=2).phases(1))} == {"generator"}
    assert not ORGAN(adversarial=1.0).needs_objective
    assert ORGAN(adversarial=0.9).needs_objective
    method = ORGAN(adversarial=1.0, critic=SMALL, n_rollouts=1)
    logs = method.step(begun(method), WIDE, torch.Generator())
    assert "objective" not in logs


def test_lambda_is_a_share_and_beta_not_negative():
    with pytest.raises(ValueError, match=r"kl = -1\.0 must be at least 0"):
        ORGAN(kl=-1.0)
    with pytest.raises(ValueError, match=r"adversarial = 1\.1, the lambda of the reward, must be in \[0, 1\]"):
        ORGAN(adversarial=1.1)


def test_a_wasserstein_critic_is_brought_to_one_scale():
    """What it says may be any number: only how it stands among the others counts, also where they are all one."""
    method = ORGAN(adversarial=1.0, wasserstein=True, critic=SMALL)
    state = begun(method)
    told(state, LOGITS)
    first = method.reward(state, ROWS, 4)
    told(state, Table(STRINGS, 1000 * LOGITS.values + 7))
    torch.testing.assert_close(method.reward(state, ROWS, 4), first, rtol=1e-4, atol=1e-5)
    assert method.reward(state, ROWS[:1], 1).item() == 0.5


def test_all_that_a_wasserstein_critic_reads_is_bounded():
    """Its slope is at most the product of the norms of what is normalised: a greater embedding changes nothing."""
    with pytest.raises(ValueError, match="spectral normalisation bounds a convolutional critic"):
        ORGAN(wasserstein=True, critic=dataclasses.replace(SMALL, kind="recurrent")).init(begun(ORGAN()).world)
    critic = dataclasses.replace(SMALL, spectral=True, dropout=0.0).build(8).double()
    for _ in range(20):  # the largest singular value is found by iteration, one round a step
        critic.train()(ROWS)
    before = critic.eval()(ROWS)
    with torch.no_grad():
        dict(critic.named_parameters())["embedding.parametrizations.weight.original"].mul_(100.0)
    torch.testing.assert_close(critic(ROWS), before)


def test_scores_take_turns_by_the_updates_of_the_generator():
    def constant(value: float):
        return lambda strings: np.full(len(strings), value)

    terms = [term(f"k{k}", constant(value), shape=Identity()) for k, value in enumerate((0.25, 0.75))]
    method = ORGAN(
        adversarial=0.0, repeat_penalty="none", turns_every=2, n_rollouts=0, n_steps=6, descent=Descent(lr=1e-9)
    )
    state = begun(method, objective=Objective(terms, None, lambda string: (string, True), Turns()))
    paid = [method.step(state, WIDE, torch.Generator().manual_seed(k))["objective"].item() for k in range(6)]
    assert state.optimisers[GENERATOR].step == 6
    assert paid == [0.25, 0.25, 0.75, 0.75, 0.25, 0.25]
