"""REINVENT: what its steps descend in the mean, and where they leave an agent."""

import pytest
import torch
from tiny_worlds import RULES, WIDE, begun, errors, gradient, language, log_p, objective_of, payments, step_gradients

from freerun.methods.base import State, unrolled
from freerun.methods.descent import Descent
from freerun.methods.prior import PRIOR, keep_prior
from freerun.methods.reinvent import Reinvent

STRINGS = language(RULES["anything"])
TABLE = payments(STRINGS)
SIGMA = 2.0


def world(method: Reinvent) -> State:
    """An agent with a prior that differs from it."""
    state = begun(method, objective=objective_of(TABLE))
    state.networks[PRIOR].double()
    keep_prior(state, torch.Generator())
    with torch.no_grad():
        for weight in state.networks[PRIOR].parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    return state


def tilted(state: State) -> torch.Tensor:
    """log prior + sigma O of each string: the agent that is asked for, but for a constant."""
    return log_p(state, STRINGS, PRIOR).detach() + SIGMA * TABLE.values


def test_a_step_descends_twice_the_divergence_from_the_tilted_prior():
    """E_agent of the gradient of (1) is 2 grad KL(agent || prior exp(sigma O) / Z) = 2 grad (KL(agent || prior) -
    sigma E O), for a constant has no gradient in the mean; by enumeration, and of the steps themselves."""
    method = Reinvent(batch_size=150, sigma=SIGMA)
    state = world(method)
    target = tilted(state)
    own = log_p(state, STRINGS).detach()
    by_loss = gradient(state, lambda log_p: (own.exp() * (target - log_p).square()).sum(), STRINGS)
    by_kl = gradient(state, lambda log_p: 2 * (log_p.exp() * (log_p - target)).sum(), STRINGS)
    torch.testing.assert_close(by_loss, by_kl)
    assert errors(step_gradients(method, state, 25), by_kl).abs().max() < 6


def test_at_the_tilted_prior_the_loss_is_one_constant_and_nothing_moves_in_the_mean():
    """The bracket of (1) is log Z for every string, so its mean gradient is 0; the loss is 0 only where Z = 1."""
    state = world(Reinvent(sigma=SIGMA))
    target = tilted(state)
    log_z = target.logsumexp(0)
    agent = (target - log_z).clone().requires_grad_()  # a table in the place of the network: any distribution
    log_agent = agent.log_softmax(0)
    bracket = target - log_agent
    torch.testing.assert_close(bracket.detach(), log_z.expand(len(STRINGS)))
    (moved,) = torch.autograd.grad((log_agent.detach().exp() * bracket.square()).sum(), agent)
    assert moved.abs().max() < 1e-12
    assert log_z > 0.1


@pytest.mark.slow
def test_an_agent_comes_to_the_tilted_prior():
    """The whole method: by enumeration it comes nearer to its target."""
    method = Reinvent(n_steps=120, batch_size=64, sigma=SIGMA, descent=Descent(lr=0.03, schedule="linear"))
    state = begun(method, objective=objective_of(TABLE))
    state.networks[PRIOR].double()
    (phase,) = unrolled(method.phases(1))
    assert phase.before is not None
    phase.before(state, torch.Generator())
    target = tilted(state).log_softmax(0)

    def divergence() -> float:
        own = log_p(state, STRINGS).detach()
        return float((own.exp() * (own - target)).sum())

    before = divergence()
    for number in range(phase.n_steps):
        phase.step(state, WIDE, torch.Generator().manual_seed(number))
    assert before > 0.1
    assert divergence() < before / 3


def test_an_agent_that_is_its_prior_and_is_paid_nothing_has_no_loss():
    method = Reinvent(batch_size=20, sigma=0.0)
    state = begun(method, objective=objective_of(TABLE))
    state.networks[PRIOR].double()
    keep_prior(state, torch.Generator())
    assert step_gradients(method, state, 1).abs().max() < 1e-12
    logs = method.step(state, WIDE, torch.Generator())
    assert logs["kl_from_prior"].item() == pytest.approx(0, abs=1e-12)


def test_the_prior_is_the_generator_where_the_second_phase_begins_and_stays():
    method = Reinvent(n_steps=3, batch_size=20, descent=Descent(lr=0.1))
    state = begun(method, objective=objective_of(TABLE))
    state.networks[PRIOR].double()
    keep_prior(state, torch.Generator())
    own = log_p(state, STRINGS, PRIOR).detach()
    torch.testing.assert_close(log_p(state, STRINGS).detach(), own)
    for number in range(3):
        method.step(state, WIDE, torch.Generator().manual_seed(number))
    assert torch.equal(log_p(state, STRINGS, PRIOR).detach(), own)
    assert (log_p(state, STRINGS).detach() - own).abs().max() > 0.01
