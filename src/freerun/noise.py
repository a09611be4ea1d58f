"""Counter-based uniform numbers: each is a function of (seed, key, step, lane) and of nothing else.

The key belongs to the row (the sample's index, the hash of a prefix ...), the step is its position, the lane a token
where a step needs one number a token. So what row i draws does not depend on the batch that it happens to sit in.

The generator is SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators") used as a hash:
each counter is added to the state, multiplied by the golden gamma, and mixed by the variant-13 finaliser. All of it is
int64 tensor arithmetic that wraps, the same on every device.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
MIX_1, MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MASK_64 = (1 << 64) - 1


def _signed(value: int) -> int:
    """The int64 that has the 64 bits of `value`."""
    value &= MASK_64
    return value - (1 << 64) if value >> 63 else value


def _mix_int(x: int) -> int:
    x = ((x ^ (x >> 30)) * MIX_1) & MASK_64
    x = ((x ^ (x >> 27)) * MIX_2) & MASK_64
    return x ^ (x >> 31)


def mix(*counters: int) -> int:
    """A 64-bit hash of whole numbers, as a non-negative int below 2^63: derived seeds (seed, phase, step)."""
    state = 0
    for counter in counters:
        state = _mix_int((state + (counter & MASK_64) + 1) * GOLDEN_GAMMA & MASK_64)
    return state >> 1


def _shift(x: Tensor, n: int) -> Tensor:
    """Logical shift right: the sign bit does not follow."""
    return (x >> n) & ((1 << (64 - n)) - 1)


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _signed(MIX_1)
    x = (x ^ _shift(x, 27)) * _signed(MIX_2)
    return x ^ _shift(x, 31)


def hashed(state: Int[Tensor, "..."], counter: Int[Tensor, "..."] | int) -> Int[Tensor, "..."]:
    """The next state of the hash after one more counter; broadcasts."""
    return _mix((state + counter + 1) * _signed(GOLDEN_GAMMA))


def row_keys(seed: int, keys: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """The hash of (seed, key): computed once a row, then `uniform_at` needs only the step and the lane."""
    state = _mix_int(((seed & MASK_64) + 1) * GOLDEN_GAMMA & MASK_64)
    return hashed(torch.full_like(keys, _signed(state)), keys)


def uniform_at(
    row_key: Int[Tensor, "..."], step: Int[Tensor, "..."] | int, lane: Int[Tensor, "..."] | int = 0
) -> Float[Tensor, "..."]:
    """Uniform numbers in the open interval (0, 1), float64 with 52 random bits (float32 with 23 where there is no
    float64).
    """
    bits = hashed(hashed(row_key, step), lane)
    if row_key.device.type == "mps":
        return (_shift(bits, 41).float() + 0.5) * 2.0**-23
    return (_shift(bits, 12).double() + 0.5) * 2.0**-52


def uniform(
    seed: int, key: Int[Tensor, "..."], step: Int[Tensor, "..."] | int, lane: Int[Tensor, "..."] | int = 0
) -> Float[Tensor, "..."]:
    """Uniform numbers in the open interval (0, 1) from four counters that broadcast."""
    return uniform_at(row_keys(seed, key), step, lane)


def normal(seed: int, keys: Int[Tensor, " batch"], width: int) -> Float[Tensor, "batch width"]:
    """Standard normal numbers, `width` of them a row: row i is a function of (seed, key of i) and of nothing else."""
    lanes = torch.arange(width, device=keys.device)
    return torch.special.ndtri(uniform(seed, keys[:, None], 0, lanes)).float()


def gumbel(u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Standard Gumbel noise of uniform numbers in (0, 1): -log(-log u)."""
    return -torch.log(-torch.log(u))
