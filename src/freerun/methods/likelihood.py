"""Maximum likelihood as part of a method that does more: its loss, its step, and what is evaluated of any generator.

    NLL = - sum_t log p_theta(y_t | y_1 .. y_{t-1})                                                       (1)

Padding is the only token allowed after <eos>, so it adds 0 to (1); the count of tokens leaves it out.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.base import Logs, Phase, State, descend
from freerun.sampling.likelihood import n_tokens, token_log_prob

GENERATOR = "generator"  # the name of the network
MLE = "mle"  # the name of its optimiser in the phase of maximum likelihood


def nll(
    state: State, batch: Batch, condition: Float[Tensor, "batch condition"] | None = None
) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
    """(1) of all rows in nats, and the number of their tokens with one `<eos>` each."""
    logits, _ = state.networks[GENERATOR](batch.tokens, condition)
    total = -token_log_prob(logits, batch.tokens, state.world.allowed(batch)).sum()
    return total, n_tokens(batch.tokens).sum()


def mle_phase(n_steps: int) -> Phase:
    """Teacher forcing, before anything else; with the optimiser `MLE` of the state."""
    return Phase("mle", n_steps, mle_step)


def mle_step(state: State, batch: Batch, rng: torch.Generator) -> Logs:
    state.networks.train()
    total, count = nll(state, batch)
    loss = total / count
    return {"nll_per_token": loss.detach(), **descend(loss, state.optimisers[MLE])}


@torch.no_grad()
def evaluated(state: State, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
    """The likelihood of held-out sequences, by which methods without another measure choose their best weights."""
    state.networks.eval()
    return {"nll_per_token": nll(state, batch)}
