"""How well a latent model gives back what it was given, and how much of its latent space is language.

The protocols of Kusner, Paige & Hernandez-Lobato 2017, arXiv:1703.01925, section 4.3, which later papers repeat:

    reconstruction = share of decodings equal to the input: each held-out string encoded 10 times (z ~ q(z|y)), each z
                     decoded 100 times (y' ~ p(y|z))
    prior validity = share of valid decodings: 1,000 points z ~ N(0, I), each decoded 100 times

Theirs encodes 5,000 molecules: five million decodings. Models are not known here: codes and a function that decodes
them are handed in.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float

from freerun.noise import mix, normal

Decode = Callable[[Float[np.ndarray, "codes latent"], int, int], list[list[str]]]  # codes, strings of each, seed
N_CODES = 1000  # decoded together


@dataclasses.dataclass(frozen=True)
class Share:
    """A share of decodings, in [0, 1].

    Args:
        standard_error: Over the strings, or points: decodings of one of them are not independent.
        n: Strings, or points.
    """

    value: float
    standard_error: float
    n: int


def reconstruction(
    strings: Sequence[str],
    means: Float[np.ndarray, "strings latent"],
    log_vars: Float[np.ndarray, "strings latent"],
    decode: Decode,
    *,
    n_encodings: int = 10,
    n_decodings: int = 100,
    seed: int = 0,
    form: Callable[[str], str | None] | None = None,
) -> Share:
    """The share of decodings that are equal to the string whose code they come from.

    Args:
        strings: Held out, in the normal form that decoding gives.
        means, log_vars: Of their posteriors.
        decode: Draws strings of codes.
        form: Equality is that of `form(string)`, and None equals nothing: canonical SMILES, for molecules. Else the
            strings themselves are compared.

    Raises:
        ValueError: If there are not as many strings as posteriors, or fewer than two.
    """
    if not len(strings) == len(means) == len(log_vars):
        raise ValueError(f"{len(strings)} strings and {len(means)} posteriors; give one for each string")
    n, width = means.shape
    noise = normal(mix(seed, 0), torch.arange(n * n_encodings), width).numpy().reshape(n, n_encodings, width)
    codes = (means[:, None] + np.exp(log_vars / 2)[:, None] * noise).reshape(n * n_encodings, width)
    judge = functools.cache(form or (lambda string: string))
    wanted = [judge(string) for string in strings]
    shares = np.zeros(n * n_encodings)
    for i, decoded in enumerate(_decoded(codes, decode, n_decodings, seed)):
        target = wanted[i // n_encodings]
        shares[i] = sum(target is not None and judge(string) == target for string in decoded) / n_decodings
    return _share(shares.reshape(n, n_encodings).mean(1))


def prior_validity(
    d_latent: int,
    decode: Decode,
    is_valid: Callable[[str], bool],
    *,
    n_points: int = 1000,
    n_decodings: int = 100,
    seed: int = 0,
) -> Share:
    """The share of valid strings among decodings of points of the prior.

    Args:
        d_latent: Width of the codes.
        decode: Draws strings of codes.
        is_valid: The representation's own judgement; asked once for each different string.

    Raises:
        ValueError: If there are fewer than two points.
    """
    codes = normal(mix(seed, 1), torch.arange(n_points), d_latent).numpy()
    judge = functools.cache(is_valid)  # most of many decodings are the same few strings
    valid = [sum(map(judge, decoded)) / n_decodings for decoded in _decoded(codes, decode, n_decodings, seed)]
    return _share(np.array(valid))


def _decoded(
    codes: Float[np.ndarray, "codes latent"], decode: Decode, n_decodings: int, seed: int
) -> Iterator[list[str]]:
    for start in range(0, len(codes), N_CODES):
        yield from decode(codes[start : start + N_CODES], n_decodings, mix(seed, 2, start))


def _share(shares: Float[np.ndarray, " groups"]) -> Share:
    if len(shares) < 2:
        raise ValueError(f"{len(shares)} strings or points tell no standard error; give at least 2")
    return Share(float(shares.mean()), float(shares.std(ddof=1) / len(shares) ** 0.5), len(shares))
