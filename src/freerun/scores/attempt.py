"""One call of a function that nobody vouches for: its values, or why there are none."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

Failure = tuple[str, str]
"""Kind, and the reason in words."""

LONGEST_REASON = 300  # characters


def attempt(
    function: Callable[[Sequence[str]], Any], strings: Sequence[str]
) -> tuple[Float64[np.ndarray, " strings"], Failure | None]:
    """The values, or NaN everywhere and the failure: it raised, or did not answer with one number for each string."""
    nothing = np.full(len(strings), np.nan)
    try:
        values = np.asarray(function(strings), dtype=np.float64)
    except Exception as error:
        return nothing, ("raised", f"{type(error).__name__}: {error}"[:LONGEST_REASON])
    if values.shape != nothing.shape:
        return nothing, ("wrong answer", f"values of shape {values.shape} for {len(strings)} strings")
    return values, None
