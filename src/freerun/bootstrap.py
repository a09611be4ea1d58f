"""How sure is a mean over a few runs? Bootstrap intervals, exact where so few values can be counted out.

    m* = 1/n sum_i x_{j_i},  j_1 .. j_n drawn from 1 .. n with replacement;  interval: quantiles of m*

The percentile interval of Efron 1979, "Bootstrap methods: another look at the jackknife". Of up to 6 values all n^n
draws are counted, so that nothing is left to chance; of more, `N_DRAWS` of them, always the same.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

N_COUNTED = 6  # values whose draws are all counted: 6^6 = 46,656
N_DRAWS = 20_000
N_CLEAR = 4  # of fewer the interval is their range, and 2 of 2 point the same way by chance every other time


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean and where it lies.

    Args:
        n: Values behind it.
        mean: NaN without a value.
        low, high: Ends of the interval; NaN with fewer than two values.
    """

    n: int
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low)

    @property
    def is_clear(self) -> bool:
        """Whether the interval of enough values leaves out 0: what a difference must do to be worth a word."""
        return self.n >= N_CLEAR and (self.low > 0 or self.high < 0)


def estimate(values: Sequence[float], share: float = 0.95) -> Estimate:
    """The mean of the finite values and its interval; 95 of 100 repetitions should cover the truth, of few values
    fewer do.
    """
    x = np.array([value for value in values if math.isfinite(value)], dtype=np.float64)
    if len(x) < 2:
        return Estimate(len(x), float(x[0])) if len(x) else Estimate(0)
    ends = np.quantile(np.sort(x)[_draws(len(x))].mean(1), [(1 - share) / 2, (1 + share) / 2], method="inverted_cdf")
    return Estimate(len(x), float(x.mean()), float(ends[0]), float(ends[1]))


def paired(values: Sequence[float], first: Sequence[float]) -> Estimate:
    """The mean of values[i] - first[i] over the pairs of which both are finite.

    What the pairs have in common, a seed say, falls out of the differences.

    Raises:
        ValueError: If there are not as many of one as of the other.
    """
    return estimate([a - b for a, b in zip(values, first, strict=True)])


def _draws(n: int) -> Int[np.ndarray, "draws n"]:
    if n <= N_COUNTED:
        return np.stack(np.unravel_index(np.arange(n**n), (n,) * n), 1)
    return np.random.default_rng(n).integers(n, size=(N_DRAWS, n))
