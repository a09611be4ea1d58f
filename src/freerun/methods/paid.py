"""Strings and what an objective pays for them: what methods share that are taught by one."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.methods.base import State
from freerun.objectives.objective import Objective
from freerun.objectives.repeats import Penalty, repeat_weights


def objective_of(state: State) -> Objective:
    """
    Raises:
        ValueError: If the run has none.
    """
    if state.world.objective is None:
        raise ValueError("this method is taught by an objective: give --objective NAME, or the table [objective]")
    return state.world.objective


def totals(
    state: State, tokens: Int[Tensor, "rows time"], batch: int, *, repeats: Penalty = "none"
) -> Float[Tensor, " rows"]:
    """What the objective pays for each string, times the penalty w of its repeats in its group of `batch` strings."""
    objective, strings = objective_of(state), state.world.read(tokens)
    paid = torch.from_numpy(objective(strings, batch)).float()
    if repeats != "none":
        keys = [objective.key(string) for string in strings]
        weights = [repeat_weights(keys[first : first + batch], repeats) for first in range(0, len(keys), batch)]
        paid *= torch.cat([torch.from_numpy(part) for part in weights]).float()
    return paid.to(tokens.device)


def validity(state: State, tokens: Int[Tensor, "rows time"]) -> Float[Tensor, ""]:
    """Share of the strings that are valid: the others are paid nothing."""
    objective = objective_of(state)
    return torch.tensor([float(objective.is_valid(string)) for string in state.world.read(tokens)]).mean()
