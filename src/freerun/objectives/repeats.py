"""What a string is worth that was written several times."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64

Penalty = Literal["count", "count+fraction", "none"]


def repeat_weights(keys: Sequence[str], kind: Penalty) -> Float64[np.ndarray, " strings"]:
    """The factor of each string's objective.

        w(y) = 1 / n(y)                         count: the paper
        w(y) = distinct / strings * 1 / n(y)    count+fraction: its code
        w(y) = 1                                none

    n(y) is how often y stands in the batch. Source: Guimaraes et al. 2017, arXiv:1705.10843.

    Args:
        keys: Canonical forms: copies in another writing are copies.

    Raises:
        ValueError: If there is no such kind.
    """
    if kind == "none":
        return np.ones(len(keys))
    if kind not in ("count", "count+fraction"):
        raise ValueError(f"a repeat penalty {kind!r} is not known; there are count, count+fraction, none")
    counts = Counter(keys)
    fraction = len(counts) / len(keys) if keys and kind == "count+fraction" else 1.0
    return np.array([fraction / counts[key] for key in keys], dtype=np.float64)
