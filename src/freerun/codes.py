"""Latent codes of strings, and strings of codes: encode, decode, interpolate."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.corpora.padding import padded
from freerun.errors import UsageError
from freerun.methods.base import AbstractLatentMethod
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.trained import Trained

N_AT_ONCE = 1024  # strings decoded together


@torch.no_grad()
def encode(
    trained: Trained, strings: Sequence[str], batch_size: int = 512
) -> tuple[Float[np.ndarray, "strings latent"], Float[np.ndarray, "strings latent"]]:
    """The posterior of each string: its mean, and the logarithm of its variance.

    Raises:
        UsageError: If the method has no latent space, or a string is longer than those of the training.
        InvalidSequence: If a string cannot be read, or holds a token that the run does not know.
    """
    method, device = latent_method(trained), trained.state.world.device
    trained.state.networks.eval()
    means, log_vars = [np.zeros((0, method.d_latent), np.float32)], [np.zeros((0, method.d_latent), np.float32)]
    for start in range(0, len(strings), batch_size):
        tokens = tokens_of(trained, strings[start : start + batch_size])
        rows = torch.arange(start, start + len(tokens))
        latent = method.encode(trained.state, Batch(tokens.to(device), rows, {}))
        means.append(latent.mean.float().cpu().numpy())
        log_vars.append(latent.log_var.float().cpu().numpy())
    return np.concatenate(means), np.concatenate(log_vars)


def decode(
    trained: Trained,
    z: Float[np.ndarray, "codes latent"],
    *,
    greedy: bool = True,
    n_each: int = 1,
    seed: int = 0,
) -> list[list[str]]:
    """`n_each` strings of each code, under the run's constraint and in its normal form.

    Args:
        greedy: The most probable allowed token at each step: the string is a function of the code alone. Else strings
            are drawn from p(y|z), the j-th of code i with the numbers of sample i * n_each + j of this seed.

    Raises:
        UsageError: If the method has no latent space, or the codes are of another width.
    """
    width = latent_method(trained).d_latent
    if z.ndim != 2 or z.shape[1] != width:
        raise UsageError(f"codes of shape {z.shape} do not fit: this run has codes of width {width}, one a row")
    if greedy:
        return [[string] * n_each for string in _decoded(trained, z, 1, Decoding(greedy=True), seed)]
    strings = _decoded(trained, z, n_each, Decoding(), seed)
    return [strings[i * n_each : (i + 1) * n_each] for i in range(len(z))]


def interpolate(trained: Trained, a: str, b: str, n: int) -> list[str]:
    """The strings of `n` codes from the mean of a's posterior to that of b's, both included, decoded greedily.

    Along the great circle (`great_circle`): under a standard normal prior nearly all codes lie at a distance of
    sqrt(d_latent) from 0, and a straight line would cut through the empty middle.

    Raises:
        UsageError: If `n` is below 2, or as `encode` does.
        InvalidSequence: As `encode` does.
    """
    if n < 2:
        raise UsageError(f"an interpolation has both its ends: n = {n} must be at least 2")
    means, _ = encode(trained, [a, b])
    return [strings[0] for strings in decode(trained, great_circle(means[0], means[1], n))]


def great_circle(
    a: Float[np.ndarray, " latent"], b: Float[np.ndarray, " latent"], n: int
) -> Float[np.ndarray, "codes latent"]:
    """n points from a to b: z(t) = [sin((1 - t) w) a + sin(t w) b] / sin w, with w the angle between a and b.

    The straight line where the two are (anti)parallel, or one of them is 0.
    """
    t = np.linspace(0, 1, n)[:, None]
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    w = np.arccos(np.clip(a @ b / lengths, -1, 1)) if lengths > 0 else 0.0
    if np.sin(w) < 1e-4:
        return ((1 - t) * a + t * b).astype(a.dtype)
    return ((np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)).astype(a.dtype)


def latent_method(trained: Trained) -> AbstractLatentMethod:
    """The run's method, which has codes.

    Raises:
        UsageError: If it has none.
    """
    method = trained.config.method
    if not isinstance(method, AbstractLatentMethod):
        raise UsageError(
            f"{trained.folder.path} was trained by {type(method).__name__}, which has no latent codes; "
            "train a latent method, for example `freerun train grammar_vrae`"
        )
    return method


def tokens_of(trained: Trained, strings: Sequence[str]) -> Int[Tensor, "batch time"]:
    """Ids, `<eos>`, then `<pad>`."""
    rows = [trained.representation.encode(string) for string in strings]
    longest = max(range(len(rows)), key=lambda i: len(rows[i]))
    if len(rows[longest]) >= trained.budget:
        raise UsageError(
            f"{strings[longest]!r} has {len(rows[longest])} tokens; this run was trained on at most "
            f"{trained.budget - 1}, leave it out"
        )
    return torch.from_numpy(padded(rows))


def _decoded(
    trained: Trained, z: Float[np.ndarray, "codes latent"], n_each: int, decoding: Decoding, seed: int
) -> list[str]:
    """Strings in pieces of whole batches, so that rows of one code go through the network together."""
    codes = torch.from_numpy(np.ascontiguousarray(z, dtype=np.float32)).to(trained.state.world.device)
    run = FreeRun(
        trained.generator,
        trained.constraint,
        trained.budget,
        seed,
        decoding,
        context=lambda index: codes[index // n_each],
        batch_size=N_AT_ONCE,
    )
    strings, n = [], len(z) * n_each
    for first in range(0, n, N_AT_ONCE):
        rollout = run(min(N_AT_ONCE, n - first), first)
        strings += trained.representation.decode_batch(rollout.tokens)
    return strings
