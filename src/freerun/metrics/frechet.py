"""Frechet ChemNet distance: two Gaussians fitted to ChemNet's activations, and how far apart they are.

    FCD = |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

Source: Preuer et al. 2018, arXiv:1803.09518; the network and its weights come with the `fcd` package.
"""

import dataclasses
import functools
import importlib.resources
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from freerun.corpora.workers import n_cpus

N_ACTIVATIONS = 512
TOKENS = 350  # every string is cut or padded to it; the activations depend on the padding
BATCH = 128
SYMBOL = re.compile(".[ril]|.", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Mean and covariance (divided by n - 1) of the activations of `n` strings."""

    mean: Float64[np.ndarray, " activations"]
    covariance: Float64[np.ndarray, "activations activations"]
    n: int


def gaussian(strings: Iterable[str], progress: Callable[[int, int], None] | None = None) -> Gaussian:
    """Of canonical SMILES. A repeated string passes the network once and counts as often as it occurs."""
    counts = Counter(strings)
    distinct, n = list(counts), sum(counts.values())
    total, products = np.zeros(N_ACTIVATIONS), np.zeros((N_ACTIVATIONS, N_ACTIVATIONS))
    origin = np.zeros(0)  # of the first batch; it keeps the products small, so that nothing cancels
    done = 0
    for rows in _batchwise(distinct):
        origin = origin if len(origin) else rows.mean(axis=0, dtype=np.float64)
        values = rows - origin
        weights = np.array([counts[string] for string in distinct[done : done + len(rows)]], dtype=np.float64)
        total += weights @ values
        products += (values * weights[:, None]).T @ values
        done += len(rows)
        if progress is not None:
            progress(done, len(distinct))
    if n < 2:
        nothing = np.full((N_ACTIVATIONS, N_ACTIVATIONS), np.nan)
        return Gaussian(nothing[0], nothing, n)
    return Gaussian(origin + total / n, (products - np.outer(total, total) / n) / (n - 1), n)


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """The distance above; NaN if either has fewer than two strings.

    With S_1 = A A', tr (S_1 S_2)^(1/2) is the sum of the square roots of the eigenvalues of A' S_2 A: a symmetric
    matrix, of the rank of S_1, so that few strings (singular covariances) bring neither complex roots nor noise.
    """
    if min(one.n, other.n) < 2:
        return float("nan")
    values, vectors = np.linalg.eigh(one.covariance)
    kept = values > values[-1] * len(values) * np.finfo(float).eps
    root = vectors[:, kept] * np.sqrt(values[kept])
    cross = np.linalg.eigvalsh(root.T @ other.covariance @ root)
    shift = one.mean - other.mean
    traces = np.trace(one.covariance) + np.trace(other.covariance)
    return float(shift @ shift + traces - 2 * np.sqrt(np.clip(cross, 0, None)).sum())


def _batchwise(strings: Sequence[str]) -> Iterator[Float32[np.ndarray, "batch activations"]]:
    """Activations of one batch after the other; each core computes a batch by itself, so that none waits for another.

    PyTorch's number of threads is a setting of the process: it is put back at the end.
    """
    batches = [strings[at : at + BATCH] for at in range(0, len(strings), BATCH)]
    n_threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(n_cpus(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(activations, batches)
    finally:
        torch.set_num_threads(n_threads)


def activations(strings: Sequence[str]) -> Float32[np.ndarray, "strings activations"]:
    """ChemNet's last hidden state of each string, all of one batch padded alike."""
    network = _network()
    with torch.inference_mode():
        return network(_one_hot(strings)).numpy()


@functools.cache
def _network() -> Any:
    from fcd.utils import load_imported_model

    path = importlib.resources.files("fcd") / "ChemNet_v0.13_pretrained.pt"
    with path.open("rb") as file:
        return load_imported_model(torch.load(file, weights_only=True)).eval()


def _one_hot(strings: Sequence[str]) -> Float32[Tensor, "strings symbols tokens"]:
    """ChemNet's input: a symbol's unit vector divided by the number of symbols, a final point, then zeros.

    Cut as MOSES cuts (fcd_torch): the string ends at its first point or after 349 symbols, and a letter before
    r, i or l makes one symbol with it. The `fcd` package differs, for salts, long strings and rare elements.
    """
    symbols = _symbols()
    inputs = torch.zeros(len(strings), len(symbols), TOKENS)
    for row, string in enumerate(strings):
        cut = [*SYMBOL.findall(string.partition(".")[0])[: TOKENS - 1], "."]
        inputs[row, [symbols.get(symbol, symbols["X"]) for symbol in cut], range(len(cut))] = 1 / len(symbols)
    return inputs


@functools.cache
def _symbols() -> dict[str, int]:
    """ChemNet's alphabet and each symbol's index; X stands for all others."""
    import fcd.utils

    names: list[str] = fcd.utils.__dict__["__vocab"]
    return {name: index for index, name in enumerate(names)}
