"""Counter-based numbers in NumPy: each is a function of (seed, counters) alone, whatever was asked before."""

import numpy as np
from jaxtyping import Float, Int, UInt64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hashed(seed: int, *counters: int | np.ndarray) -> UInt64[np.ndarray, "..."]:
    """64 well-mixed bits for each combination of the counters (broadcast against one another).

    Each counter is absorbed by one round of SplitMix64.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", fig. 17.
    """
    state = _mixed(np.asarray([seed % 2**64], dtype=np.uint64))
    for counter in counters:
        state = _mixed(state ^ (np.atleast_1d(np.asarray(counter)).astype(np.uint64) * _GOLDEN))
    return state


def _mixed(z: np.ndarray) -> np.ndarray:
    z = z + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniforms(seed: int, *counters: int | np.ndarray) -> Float[np.ndarray, "..."]:
    """Uniform numbers in [0, 1) with 53 bits, one for each combination of the counters."""
    return (hashed(seed, *counters) >> np.uint64(11)) * 2.0**-53


def permutation(seed: int, stream: int, n: int) -> Int[np.ndarray, " n"]:
    """A random order of 0 .. n-1: the argsort of hashed keys, the same on every machine."""
    return np.argsort(hashed(seed, stream, np.arange(n)), kind="stable")
