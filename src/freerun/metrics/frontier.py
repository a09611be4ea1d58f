"""Quality against coverage under SeqGAN's oracle: NLL_oracle over NLL_test, one generator at several temperatures.

Cooling lowers NLL_oracle and raises NLL_test: a single figure says nothing, the curve does. Two generators are compared
where their curves have the same NLL_test, or each at the temperature that it would choose by itself, on the validation
draw: `chosen`. NLL_test is that of the distribution which the samples come from, so at their temperature.

Source: Caccia et al. 2018, arXiv:1811.02549.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import EOS, SPECIALS, AbstractConstraint
from freerun.corpora.corpus import open_corpus
from freerun.corpora.oracle import Oracle
from freerun.errors import UsageError
from freerun.metrics import oracle as truth
from freerun.metrics.validity import ratio
from freerun.models.generator import AbstractGenerator
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import token_log_prob

Point = dict[str, float]

TEMPERATURES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25)

_ROWS_SCORED, _ROWS_DRAWN = 8, 64  # at once: their logits, 5,000 a token, stay in the processor's cache


@torch.no_grad()
def frontier(
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    budget: int,
    *,
    temperatures: Sequence[float] = TEMPERATURES,
    n: int = 10_000,
    seed: int = 0,
    valid: Int[np.ndarray, "valid time"] | None = None,
    test: Int[np.ndarray, "test time"] | None = None,
    oracle: Oracle | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Point]:
    """One point a temperature, coldest first; all NLLs and divergences in nats per token, `<eos>` not counted.

    Args:
        generator: Without a context; word k is token 4 + k.
        n: Samples at each temperature; all temperatures share their random numbers, so the curve is smooth.
        valid, test: Sequences drawn from the oracle; None: the published draws, 10,000 each.
        oracle: None: the published one.
        progress: Told how many of the temperatures are done.

    Returns:
        `temperature`, `nll_valid`, `nll_test`, `nll_oracle`; `nll_own`: of the samples under the generator itself, its
        entropy; `forward_kl` and `reverse_kl` of `metrics.oracle`; `uniqueness`; `n`. Where a name ends in
        `_standard_error` it is that of the name before.

    Raises:
        UsageError: If the generator writes other tokens, or sequences of another length.
    """
    oracle = oracle or truth.published_oracle()
    valid = drawn("valid") if valid is None else valid
    test = drawn("test") if test is None else test
    if generator.n_vocab != len(SPECIALS) + len(oracle.E):
        raise UsageError(
            f"the generator knows {generator.n_vocab - len(SPECIALS)} words, the oracle {len(oracle.E)}; train it with "
            f'[representation] name = "text", unit = "word", numbers = {len(oracle.E)}'
        )
    temperatures = sorted(temperatures)
    nll_valid = sequence_nll(generator, constraint, budget, valid, temperatures)
    nll_test = sequence_nll(generator, constraint, budget, test, temperatures)
    nll_truth = truth.nll(oracle, test).mean(1)
    points = []
    for row, temperature in enumerate(temperatures):
        decoding = Decoding(temperature=temperature)
        samples = FreeRun(generator, constraint, budget, seed, decoding, batch_size=_ROWS_DRAWN)(n)
        sequences = words_of(samples.tokens, test.shape[1])
        nll_own = -samples.log_prob.double().sum(1).cpu().numpy() / test.shape[1]
        nll_oracle = truth.nll(oracle, sequences).mean(1)
        points.append(
            {"temperature": float(temperature), "nll_valid": truth.mean(nll_valid[row]).value}
            | _with_error("nll_test", truth.mean(nll_test[row]))
            | _with_error("nll_oracle", truth.mean(nll_oracle))
            | {"nll_own": truth.mean(nll_own).value}
            | _with_error("forward_kl", truth.forward_kl(nll_test[row], nll_truth))
            | _with_error("reverse_kl", truth.reverse_kl(nll_oracle, nll_own))
            | {"uniqueness": ratio(len(np.unique(sequences, axis=0)), len(sequences)), "n": float(n)}
        )
        if progress is not None:
            progress("temperatures", row + 1, len(temperatures))
    return points


def chosen(points: Sequence[Point]) -> Point:
    """The point of the temperature that the validation draw prefers; its other figures are of the test draw."""
    return min(points, key=lambda point: point["nll_valid"])


def at_nll_test(points: Sequence[Point], value: float) -> float:
    """NLL_oracle where the curve has this NLL_test; NaN where it does not reach it."""
    return where(points, "nll_test", value).get("nll_oracle", math.nan)


def where(points: Sequence[Point], name: str, value: float) -> Point:
    """All figures where one of them has this value, linear between neighbouring temperatures; {} if it never has.

    A curve that is cooled and heated far enough passes an NLL_test twice: of these the place of the lower NLL_oracle.
    With `nll_valid` the temperature is chosen without a look at the test draw.
    """
    points = sorted(points, key=lambda point: point["temperature"])
    found = []
    for a, b in itertools.pairwise(points):
        if not min(a[name], b[name]) <= value <= max(a[name], b[name]):
            continue
        share = (value - a[name]) / (b[name] - a[name]) if a[name] != b[name] else 0.0
        found.append({key: a[key] + share * (b[key] - a[key]) for key in a})
    return min(found, key=lambda point: point["nll_oracle"], default={})


@torch.no_grad()
def sequence_nll(
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    budget: int,
    sequences: Int[np.ndarray, "n time"],
    temperatures: Sequence[float],
) -> Float[np.ndarray, "temperatures n"]:
    """-log G(y) / T of word sequences at each temperature, from one set of logits."""
    generator.eval()
    tokens = tokens_of(sequences).to(next(generator.parameters()).device)
    parts = []
    for piece in tokens.split(_ROWS_SCORED):
        logits, _ = generator(piece)
        allowed = constraint.replay(piece, budget)
        scores = [token_log_prob(logits, piece, allowed, temperature) for temperature in temperatures]
        parts.append(torch.stack([score.double().sum(1) for score in scores]))
    return -torch.cat(parts, 1).cpu().numpy() / sequences.shape[1]


def drawn(split: str) -> Int[np.ndarray, "n time"]:
    """A split of the corpus `seqgan-oracle` as word numbers."""
    return truth.parsed(text for _, text in open_corpus(truth.CORPUS).strings(split))


def tokens_of(sequences: Int[np.ndarray, "n time"]) -> Int[Tensor, "n longer"]:
    """Ids and `<eos>` of word numbers."""
    words = torch.from_numpy(sequences.astype(np.int64))
    return torch.cat([words + len(SPECIALS), torch.full((len(words), 1), EOS)], 1)


def words_of(tokens: Int[Tensor, "n longer"], length: int) -> Int[np.ndarray, "n time"]:
    """Word numbers of rows of ids.

    Raises:
        UsageError: If a row is not `length` words and `<eos>`.
    """
    words = tokens[:, :length] - len(SPECIALS)
    if tokens.shape[1] != length + 1 or (words < 0).any() or (tokens[:, length] != EOS).any():
        raise UsageError(
            f"the generator writes sequences of other lengths than {length}; train it under "
            f'[constraint] name = "length", shortest = {length}, longest = {length}'
        )
    return words.cpu().numpy()


def _with_error(name: str, found: truth.Mean) -> Point:
    return {name: found.value, f"{name}_standard_error": found.standard_error}
