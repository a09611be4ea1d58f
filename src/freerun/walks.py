"""Walks in a latent space: what a run writes around the code of a string, and between the codes of two.

`walks.json` of a run folder, which the report draws:

    {"d_latent": 25, "seed": 0,
     "grids": [{"start": "x+1",              the string whose code, the mean of q(z|x), is the centre
                "reach": 1.9,                distance from the centre to the middle of an edge
                "strings": [["...", 7 times], 7 times]}],
     "lines": [{"start": "x+1", "end": "x*x", "strings": ["...", 9 times]}]}

Decoding is greedy: a string is a function of its code alone.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from freerun.codes import decode, encode, interpolate
from freerun.noise import mix
from freerun.trained import Trained

N_SIDE = 7  # points on a side of a grid: odd, so that the centre is one of them
N_LINE = 9  # points on a line, its ends included
N_GRIDS, N_LINES = 2, 4


def walks(trained: Trained, strings: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """A grid around each of the first two strings, in two random directions, and a line from each string to the next.

    A grid reaches half as far as the next string is away (the median distance between the strings' codes), or, of one
    string alone, half of sqrt(d_latent), the distance of a typical code from 0.

    Raises:
        UsageError: If the method has no latent space.
        InvalidSequence: If a string cannot be read.
        ValueError: If there is no string.
    """
    if not strings:
        raise ValueError("a walk begins at a string; give at least one")
    means, _ = encode(trained, strings)
    reach = _reach(means)
    grids = []
    for number, (start, mean) in enumerate(zip(strings[:N_GRIDS], means, strict=False)):
        found = decode(trained, plane(mean, reach, mix(seed, number)))
        written = [texts[0] for texts in found]
        rows = [written[row * N_SIDE : (row + 1) * N_SIDE] for row in range(N_SIDE)]
        grids.append({"start": start, "reach": reach, "strings": rows})
    lines = [
        {"start": start, "end": end, "strings": interpolate(trained, start, end, N_LINE)}
        for start, end in list(pairwise(strings))[:N_LINES]
    ]
    return {"d_latent": means.shape[1], "seed": seed, "grids": grids, "lines": lines}


def plane(
    centre: Float[np.ndarray, " latent"], reach: float, seed: int, n_side: int = N_SIDE
) -> Float[np.ndarray, "codes latent"]:
    """A square of n_side x n_side codes, row by row, in two random directions at a right angle to each other.

    In one latent dimension there is only one direction: all rows are the same.
    """
    directions = np.random.default_rng(seed).standard_normal((len(centre), min(2, len(centre))))
    across, *down = np.linalg.qr(directions)[0].T
    steps = np.linspace(-reach, reach, n_side)
    square = steps[None, :, None] * across + steps[:, None, None] * (down[0] if down else np.zeros_like(across))
    return (centre + square.reshape(n_side * n_side, len(centre))).astype(np.float32)


def _reach(means: Float[np.ndarray, "strings latent"]) -> float:
    first, second = np.triu_indices(len(means), 1)
    distances = np.linalg.norm(means[first] - means[second], axis=1)
    distances = distances[distances > 0]
    return float(np.median(distances) if len(distances) else np.sqrt(means.shape[1])) / 2
