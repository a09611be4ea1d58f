"""Latent codes of strings, and strings of codes: encode, decode, interpolate."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.chemistry import LONGEST
from freerun.columns import score_of
from freerun.conditions import Given, Label
from freerun.corpora.batches import Batch
from freerun.corpora.padding import padded
from freerun.errors import FreerunError, InvalidSequence, UsageError, excerpt
from freerun.methods.base import AbstractLatentMethod
from freerun.methods.variational import conditioned
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.scores.parallel import values_of
from freerun.trained import Trained

N_AT_ONCE = 1024  # strings decoded together
Refuse = Callable[[int, FreerunError], None]
"""Told of a string that has no code: its place, and why."""


@torch.no_grad()
def encode(
    trained: Trained,
    strings: Sequence[str],
    batch_size: int = 512,
    *,
    columns: Mapping[str, np.ndarray] = MappingProxyType({}),
    refused: Refuse | None = None,
) -> tuple[Float[np.ndarray, "strings latent"], Float[np.ndarray, "strings latent"]]:
    """The posterior of each string: its mean, and the logarithm of its variance.

    Args:
        columns: Of a conditional run: conditions that are known of the strings, a value each; float64 with NaN where
            missing, or labels as objects. Of the others the encoder is told those that a score can compute.
        refused: Told of each string that has no code, whose row is NaN then. None: the first such string is an error.

    Raises:
        UsageError: If the method has no latent space, or a string is longer than those of the training.
        InvalidSequence: If a string cannot be read, or holds a token that the run does not know.
    """
    method, device = latent_method(trained), trained.state.world.device
    rows = _read(trained, strings, refused)
    places = np.fromiter(rows, dtype=np.int64, count=len(rows))
    told = {name: values[places] for name, values in columns.items()}
    known = known_columns(trained, [strings[place] for place in rows], told)
    means = np.full((len(strings), method.d_latent), np.nan, np.float32)
    log_vars = means.copy()
    trained.state.networks.eval()
    for start in range(0, len(rows), batch_size):
        at = slice(start, start + batch_size)
        piece = places[at]
        tokens = torch.from_numpy(padded([rows[place] for place in piece.tolist()])).to(device)
        here = {name: values[at] for name, values in known.items()}
        latent = method.encode(trained.state, Batch(tokens, torch.from_numpy(piece), here))
        means[piece], log_vars[piece] = latent.mean.float().cpu().numpy(), latent.log_var.float().cpu().numpy()
    return means, log_vars


def decode(
    trained: Trained,
    z: Float[np.ndarray, "codes latent"],
    *,
    greedy: bool = True,
    n_each: int = 1,
    seed: int = 0,
    given: Given = MappingProxyType({}),
    first: int = 0,
) -> list[list[str]]:
    """`n_each` strings of each code, under the run's constraint and in its normal form.

    Args:
        z: A code that is all NaN, that of a string which could not be read, has no strings.
        greedy: The most probable allowed token at each step: the string is a function of the code alone. Else strings
            are drawn from p(y|z), the j-th of code i with the numbers of sample i * n_each + j of this seed.
        given: Conditions that are asked for, of a conditional run; the others are free. (A method that writes at some
            class always writes all codes at the class of its sample 0, where none is given.)
        first: Number of the first code, where these are a part of many.

    Raises:
        UsageError: If the method has no latent space, the codes are of another width or not finite, or a condition is
            not known.
    """
    width = latent_method(trained).d_latent
    if z.ndim != 2 or z.shape[1] != width:
        raise UsageError(f"codes of shape {z.shape} do not fit: this run has codes of width {width}, one a row")
    missing = np.asarray(np.isnan(z).all(1))
    with np.errstate(over="ignore"):  # a number too large for float32 becomes infinite, and is refused
        z = np.where(missing[:, None], 0, z).astype(np.float32)
    if (odd := np.flatnonzero(~np.isfinite(z).all(1))).size:
        raise UsageError(
            f"row {first + odd[0]} of the codes (the first is row 0) holds a number that is not finite, or NaN beside "
            "numbers; mend it, or make all of it NaN to skip it"
        )
    device, n = trained.state.world.device, 1 if greedy else n_each
    context = trained.config.method.context(
        trained.state, torch.zeros(len(z), dtype=torch.long, device=device), given, 0
    )
    assert context is not None
    context = conditioned(torch.from_numpy(z).to(device), context[:, width:])
    strings = _decoded(trained, context, n, Decoding(greedy=greedy), seed, first * n)
    found = [strings[i * n : (i + 1) * n] * (n_each // n) for i in range(len(z))]
    for place in np.flatnonzero(missing).tolist():
        found[place] = []
    return found


@torch.no_grad()
def interpolate(trained: Trained, a: str, b: str, n: int, given: Given = MappingProxyType({})) -> list[str]:
    """The strings of `n` codes from the mean of a's posterior to that of b's, both included, decoded greedily.

    Along the great circle (`great_circle`): under a standard normal prior nearly all codes lie at a distance of
    sqrt(d_latent) from 0, and a straight line would cut through the empty middle. Of a conditional run what the
    generator is told goes in a straight line from what is known of a to what is known of b.

    Args:
        given: Conditions that are asked for all the way, in place of those of a and b.

    Raises:
        UsageError: If `n` is below 2, a condition is not known, or as `encode` does.
        InvalidSequence: As `encode` does.
    """
    if n < 2:
        raise UsageError(f"an interpolation has both its ends: n = {n} must be at least 2")
    means, _ = encode(trained, [a, b])
    device, tokens = trained.state.world.device, tokens_of(trained, [a, b])
    asked = {
        name: torch.full((2,), value, device=device)
        for name, value in trained.state.world.conditions.read(given).items()
    }
    batch = Batch(tokens.to(device), torch.arange(2), {**known_columns(trained, [a, b]), **asked})
    ends = latent_method(trained).told(trained.state, batch)
    z = torch.from_numpy(great_circle(means[0], means[1], n)).to(device)
    t = torch.linspace(0, 1, n, device=device)[:, None]
    return _decoded(trained, conditioned(z, torch.lerp(ends[:1], ends[1:], t)), 1, Decoding(greedy=True), 0)


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


def known_columns(
    trained: Trained, strings: Sequence[str], columns: Mapping[str, np.ndarray] = MappingProxyType({})
) -> dict[str, Float[Tensor, " strings"]]:
    """The run's conditions of these strings: those of `columns`, and the other numbers that a score computes."""
    conditions, device = trained.state.world.conditions, trained.state.world.device
    found = conditions.numbers(columns)
    for part in conditions.parts:
        score = None if part.name in found or isinstance(part, Label) else score_of(part.name)
        if score is not None:
            found[part.name] = values_of(score.name, strings).astype(np.float32)
    return {name: torch.from_numpy(values).to(device) for name, values in found.items()}


def tokens_of(trained: Trained, strings: Sequence[str]) -> Int[Tensor, "batch time"]:
    """Ids, `<eos>`, then `<pad>`.

    Raises:
        UsageError, InvalidSequence: As `encode` does.
    """
    return torch.from_numpy(padded([ids_of(trained, string) for string in strings]))


def ids_of(trained: Trained, string: str) -> list[int]:
    """
    Raises:
        UsageError: If it is longer than those of the training.
        InvalidSequence: If it cannot be read, or holds a token that the run does not know.
    """
    if trained.representation.is_chemical and len(string) > LONGEST:
        raise InvalidSequence(string, LONGEST, f"longer than {LONGEST:,} characters, too long for a molecule")
    ids = trained.representation.encode(string)
    if len(ids) >= trained.budget:
        raise UsageError(
            f"{excerpt(string)} has {len(ids):,} tokens; this run was trained on at most {trained.budget - 1}, "
            "leave it out"
        )
    return ids


def _read(trained: Trained, strings: Sequence[str], refused: Refuse | None) -> dict[int, list[int]]:
    """The ids of the strings that have some, by their places."""
    found = {}
    for place, string in enumerate(strings):
        try:
            found[place] = ids_of(trained, string)
        except (UsageError, InvalidSequence) as error:
            if refused is None:
                raise
            refused(place, error)
    return found


def _decoded(
    trained: Trained,
    contexts: Float[Tensor, "codes context"],
    n_each: int,
    decoding: Decoding,
    seed: int,
    first: int = 0,
) -> list[str]:
    """Strings in pieces of whole batches, so that rows of one code go through the network together.

    Args:
        first: Number of the first sample.
    """
    run = FreeRun(
        trained.generator,
        trained.constraint,
        trained.budget,
        seed,
        decoding,
        context=lambda index: contexts[(index - first) // n_each],
        batch_size=N_AT_ONCE,
    )
    strings, n = [], len(contexts) * n_each
    for start in range(0, n, N_AT_ONCE):
        rollout = run(min(N_AT_ONCE, n - start), first + start)
        strings += trained.representation.decode_batch(rollout.tokens)
    return strings
