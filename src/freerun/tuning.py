"""A trained run taught further on weighted strings: what a search does to the model that it searches with.

The one loop over training steps beside that of `run.py`: it writes nothing, keeps nothing, and is over in seconds.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from freerun.codes import latent_method, tokens_of
from freerun.corpora.batches import Batch
from freerun.methods.base import unrolled
from freerun.noise import mix
from freerun.trained import Trained


def tuned(
    trained: Trained, strings: Sequence[str], weights: Float64[np.ndarray, " strings"], n_steps: int, seed: int
) -> Trained:
    """A copy of a latent run after `n_steps` more steps on strings drawn with these weights.

    The same arguments give the same weights. The run itself stays as it is.

    Raises:
        UsageError: If the method has no latent space, or a string is longer than those of the training.
        InvalidSequence: If a string cannot be read.
    """
    method = latent_method(trained).for_tuning(n_steps)
    tokens = tokens_of(trained, strings)
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(mix(seed))  # of dropout
        state = method.init(trained.state.world)
        state.networks.load_state_dict(trained.state.networks.state_dict())
        (phase,) = unrolled(method.phases(1))
        for step in range(n_steps):
            rows = torch.from_numpy(rng.choice(len(strings), method.batch_size, p=weights / weights.sum()))
            width = int((tokens[rows] != 0).sum(1).max())
            batch = Batch(tokens[rows, :width].to(state.world.device), rows, {})
            phase.step(state, batch, torch.Generator(state.world.device).manual_seed(mix(seed, step)))
    return dataclasses.replace(trained, state=state)
