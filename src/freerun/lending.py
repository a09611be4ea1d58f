"""Weights of a run as those with which another one begins."""

from collections.abc import Mapping

from torch import Tensor

from freerun.errors import UsageError
from freerun.methods.base import State
from freerun.methods.likelihood import GENERATOR
from freerun.run_folder import RunFolder, load_weights
from freerun.trained import put_weights


def lend(lender: RunFolder, state: State) -> list[str]:
    """Gives the networks of `state` the weights of those that the lender has under the same names.

    For a vocabulary with tokens appended: the new rows keep their fresh initial values.

    Returns:
        The networks that stay fresh although the lender has one of that name: another critic, say.

    Raises:
        UsageError: If the lender has no weights yet, or its generator differs in more than its number of rows.
    """
    if not lender.best.exists():
        raise UsageError(f"{lender.path} has no weights to lend yet; `freerun resume {lender.path}` goes on with it")
    weights, own = load_weights(lender.best), state.networks.state_dict()
    unfit = [name for name in state.networks if name != GENERATOR and not _fits(name, weights, own)]
    taken = {key: value for key, value in weights.items() if key in own and key.partition(".")[0] not in unfit}
    put_weights(state, {key: _grown(key, value, own[key]) for key, value in taken.items()}, lender.best, partly=True)
    known = {key.partition(".")[0] for key in weights}
    return [name for name in unfit if name in known]


def _fits(network: str, weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> bool:
    keys = [key for key in own if key.partition(".")[0] == network]
    return all(key in weights and _can_grow(weights[key], own[key]) for key in keys)


def _can_grow(old: Tensor, fresh: Tensor) -> bool:
    return old.shape == fresh.shape or (
        old.dim() == fresh.dim() and old.shape[1:] == fresh.shape[1:] and len(old) < len(fresh)
    )


def _grown(name: str, old: Tensor, fresh: Tensor) -> Tensor:
    if not _can_grow(old, fresh):
        raise UsageError(
            f"{name} is {tuple(old.shape)} in the run to start from and {tuple(fresh.shape)} here; "
            "leave [model] as it was there"
        )
    if old.shape == fresh.shape:
        return old
    value = fresh.clone()
    value[: len(old)] = old
    return value
