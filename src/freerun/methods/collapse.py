"""Collapse: a generator that is paid for its strings comes to write the same few, and its training had better end.

    uniqueness = different strings of a batch / strings of the batch                                      (1)

(1) of a good generator is that of as many strings of the corpus: 1 where the language is large, less where it is
small. Towards 1 / batch the generator repeats itself. A method keeps a `Variety` among its networks under the name
`VARIETY`, tells `seen` of what was drawn, and gives `stop_below(floor)` to its phases as `stop`.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.methods.base import Logs, State

VARIETY = "variety"  # the name among the networks


class Variety(nn.Module):
    """(1) of the last batch, which is saved with the state; 1 before the first."""

    share: Float[Tensor, ""]

    def __init__(self):
        super().__init__()
        self.register_buffer("share", torch.ones(()))


def uniqueness(tokens: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
    """(1) of padded strings."""
    return torch.tensor(len(tokens.unique(dim=0)) / len(tokens))


def seen(state: State, tokens: Int[Tensor, "batch time"]) -> Logs:
    """What a step logs of the strings that the generator drew; their share is kept for `stop_below`."""
    share = uniqueness(tokens)
    variety_of(state).share.copy_(share)
    return {"uniqueness": share}


def stop_below(floor: float) -> Callable[[State], str]:
    """The `stop` of a phase: what to say where (1) has fallen below `floor`; 0: never."""

    def stop(state: State) -> str:
        share = float(variety_of(state).share)
        return f"collapse: {share:.3f} of a batch were different strings" if share < floor else ""

    return stop


def variety_of(state: State) -> Variety:
    variety = state.networks[VARIETY]
    assert isinstance(variety, Variety)
    return variety
