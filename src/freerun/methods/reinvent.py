"""REINVENT: an agent that is pulled to the prior's likelihood, raised by what an objective pays.

Olivecrona, Blaschke, Engkvist & Chen 2017, arXiv:1704.07555.

    L = mean over Y ~ agent of (log P_prior(Y) + sigma O(Y) - log P_agent(Y))^2                            (1)

The prior is the generator as maximum likelihood left it. No gradient goes through the draws, so in the mean

    grad L = 2 grad [KL(P_agent || P_prior) - sigma E_agent O]                                             (2)

which is 0 at P_agent = P_prior exp(sigma O) / Z. There the bracket of (1) is log Z for every string: a constant that
moves nothing in the mean, and adds to the variance of a step.

Deviation: a string that the batch holds twice counts twice; no memory of good strings is replayed.
"""

import dataclasses

import torch
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.collapse import VARIETY, Variety, seen, stop_below
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import GENERATOR, MLE, evaluated, mle_phase
from freerun.methods.paid import totals, validity
from freerun.methods.policy_gradient import log_probs, sampled
from freerun.methods.prior import PRIOR, keep_prior, log_prior


@dataclasses.dataclass(frozen=True)
class Reinvent(AbstractMethod):
    """An agent between its prior and an objective.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Updates by (1).
        batch_size: Strings of each.
        sigma: Nats that a string which is paid 1 gains over the prior.
        stop_at_collapse: Share of different strings in a batch below which the training ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.

    Raises:
        ValueError: If a number is negative.
    """

    takes_objective = True

    n_mle: int = 0
    n_steps: int = 500
    batch_size: int = 64
    sigma: float = 60.0
    stop_at_collapse: float = 0.0
    mle_descent: Descent = Descent()  # noqa: RUF009
    descent: Descent = Descent(lr=5e-4)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(0, self, "n_mle", "n_steps", "sigma", "stop_at_collapse")

    def init(self, world: World) -> State:
        networks = torch.nn.ModuleDict({GENERATOR: world.build_generator(), PRIOR: world.build_generator()})
        networks[VARIETY] = Variety().to(world.device)
        optimisers = {GENERATOR: Optimiser(networks[GENERATOR], self.descent, self.n_steps)}
        if self.n_mle:
            optimisers[MLE] = Optimiser(networks[GENERATOR], self.mle_descent, self.n_mle)
        return State(world, networks, optimisers)

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        stop = stop_below(self.stop_at_collapse)
        agent = Phase("reinvent", self.n_steps, self.step, before=keep_prior, stop=stop, keep="last")
        return mle_phase(self.n_mle), agent

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        tokens = sampled(state, self.batch_size, rng)
        paid = totals(state, tokens, len(tokens))
        log_p = log_prior(state, tokens).sum(1)
        log_agent = log_probs(state, tokens).sum(1)
        loss = (log_p + self.sigma * paid - log_agent).square().mean()  # (1)
        return {
            "objective": paid.mean(),
            "kl_from_prior": (log_agent.detach() - log_p).mean(),
            "validity": validity(state, tokens),
            **seen(state, tokens),
            "n_tokens": (tokens != 0).sum(),
            **descend(loss, state.optimisers[GENERATOR]),
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)
