"""The prior: the generator as it was before a reward trained it, to which a method holds it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.methods.base import State
from freerun.methods.likelihood import GENERATOR
from freerun.methods.policy_gradient import log_probs
from freerun.models.generator import AbstractGenerator

PRIOR = "prior"  # the name of the network


def keep_prior(state: State, rng: torch.Generator) -> None:
    """The prior is the generator as it is now."""
    state.networks[PRIOR].load_state_dict(state.networks[GENERATOR].state_dict())


@torch.no_grad()
def log_prior(state: State, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """Of each token under the prior; 0 on padding."""
    prior = state.networks[PRIOR]
    assert isinstance(prior, AbstractGenerator)
    return log_probs(state, tokens, under=prior)
