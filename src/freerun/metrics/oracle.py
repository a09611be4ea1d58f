"""How good are sequences under SeqGAN's oracle, the one truth of natural size whose likelihood is known?

    NLL_oracle = -1/T mean_y log p(y),  y ~ G       what the generator writes, judged by the truth
    NLL_test   = -1/T mean_y log G(y),  y ~ p       what the truth writes, judged by the generator

in nats per token, T = 20 tokens. Either alone can be lowered at the other's cost: a generator that always writes one
good sequence has the lowest NLL_oracle of all. Less the entropies they are the two divergences per token:

    KL(p, G) / T = NLL_test - H(p) / T              KL(G, p) / T = NLL_oracle - H(G) / T

Source: Yu et al. 2017, arXiv:1609.05473; both sides: Caccia et al. 2018, arXiv:1811.02549.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from freerun.constraints.base import BOS, SPECIALS
from freerun.corpora.containers import File
from freerun.corpora.fetch import known, local_file
from freerun.corpora.oracle import LENGTH, Oracle, load_oracle
from freerun.errors import UsageError
from freerun.metrics.validity import ratio
from freerun.models.generator import Generator

CORPUS = "seqgan-oracle"
ENTROPY = 5.7535  # nats per token at length 20; published: 5.750

_PIECE = 64  # states at a time: 64 x 5,000 float64 are 2.5 MB, which stay in the processor's cache


class Mean(NamedTuple):
    """A mean over sequences and its standard error, nats per token."""

    value: float
    standard_error: float


def mean(values: Float[np.ndarray, " n"]) -> Mean:
    """Of one number a sequence; NaN of none, and no standard error of one."""
    n = len(values)
    value = float(values.mean()) if n else np.nan
    return Mean(value, float(values.std(ddof=1) / n**0.5) if n > 1 else np.nan)


def published_oracle() -> Oracle:
    """The weights that SeqGAN's authors published, fetched on first need."""
    (file,) = known(CORPUS).files
    return load_oracle(File(local_file(file), file.name))


def parsed(lines: Iterable[str], n_words: int = 5_000, length: int = LENGTH) -> Int[np.ndarray, "n time"]:
    """Sequences of word numbers separated by white space, one a line.

    Raises:
        UsageError: If a line is something else; it is named by its number.
    """
    return np.array([_words(line, at, n_words, length) for at, line in enumerate(lines, 1)], np.int64).reshape(
        -1, length
    )


def _words(line: str, at: int, n_words: int, length: int) -> list[int]:
    words = line.split()
    if len(words) != length:
        raise UsageError(
            f"line {at} holds {len(words)} words, a sequence of {CORPUS} has {length}; "
            f'a run keeps to that under [constraint] name = "length", shortest = {length}, longest = {length}'
        )
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) < 10 and int(word) < n_words):
            raise UsageError(f"line {at}: {word!r} is no word of {CORPUS}; words are the numbers 0 to {n_words - 1}")
    return list(map(int, words))


def nll(oracle: Oracle, sequences: Int[np.ndarray, "n time"]) -> Float[np.ndarray, "n time"]:
    """-log p of each word given those before it, in nats: `Oracle.nll` at five times its speed.

    All states come first; the 5,000 logits of a state are made and summed while they are in the cache.
    """
    states = _states(oracle, sequences).reshape(-1, oracle.Wo.shape[0])  # (n * time, d)
    weight = np.concatenate([oracle.Wo, oracle.bo[None]])
    assert np.abs(weight).sum(0).max() < 300  # it bounds every logit, so exp needs no maximum taken off
    states = np.concatenate([states, np.ones((len(states), 1))], 1)
    words, found = sequences.reshape(-1), np.empty(len(states))
    logits = np.empty((_PIECE, weight.shape[1]))
    for start in range(0, len(states), _PIECE):
        rows = slice(start, start + _PIECE)
        piece = np.matmul(states[rows], weight, out=logits[: len(states[rows])])
        chosen = piece[np.arange(len(piece)), words[rows]]
        found[rows] = np.log(np.exp(piece, out=piece).sum(1)) - chosen
    return found.reshape(sequences.shape)


def _states(oracle: Oracle, sequences: Int[np.ndarray, "n time"]) -> Float[np.ndarray, "n time d"]:
    """The states from which each word comes; the first has read word 0."""
    n, length = sequences.shape
    h = c = np.zeros((n, len(oracle.W)))
    word, states = np.zeros(n, dtype=np.int64), np.empty((n, length, len(oracle.W)))
    for t in range(length):
        h, c = oracle.step(word, h, c)
        states[:, t], word = h, sequences[:, t]
    return states


def oracle_measures(
    sequences: Int[np.ndarray, "n time"],
    *,
    train: Iterable[Sequence[int]] | None = None,
    oracle: Oracle | None = None,
) -> dict[str, float]:
    """NLL_oracle of sequences from anywhere, and whether they are different and new.

    Args:
        train: The sequences of the training set; without them there is no `in_train`.
        oracle: None: the published one.

    Returns:
        `nll_oracle` in nats per token and its standard error over sequences; `n`; `uniqueness`: different ones / n;
        `in_train`: share of the n that stand in the training set.
    """
    found = mean(nll(oracle or published_oracle(), sequences).mean(1))
    rows = [tuple(row) for row in sequences.tolist()]
    measures = {
        "nll_oracle": found.value,
        "nll_oracle_standard_error": found.standard_error,
        "n": float(len(rows)),
        "uniqueness": ratio(len(set(rows)), len(rows)),
    }
    if train is not None:
        trained_on = set(map(tuple, train))
        measures["in_train"] = ratio(sum(row in trained_on for row in rows), len(rows))
    return measures


def forward_kl(nll_test: Float[np.ndarray, " n"], nll_oracle: Float[np.ndarray, " n"]) -> Mean:
    """KL(p, G) / T: what the generator misses of the truth. Both NLLs of the same held-out sequences.

    NLL_test less the oracle's own NLL of this very draw: the entropy in expectation, and as the two rise and fall
    together, a far smaller error than with the entropy itself.
    """
    return mean(nll_test - nll_oracle)


def reverse_kl(nll_oracle: Float[np.ndarray, " n"], nll_own: Float[np.ndarray, " n"]) -> Mean:
    """KL(G, p) / T: what the generator writes that the truth would not. Both NLLs of the generator's own samples.

    Args:
        nll_own: Under the distribution that the samples were drawn from, its temperature included.
    """
    return mean(nll_oracle - nll_own)


def as_generator(oracle: Oracle) -> Generator:
    """The oracle as a generator over `<pad> <bos> <eos> <unk>` and its words, float64: the frontier's best row.

    `<bos>` has the embedding of word 0. Under `Length(20, 20)` it writes what `Oracle.draw` writes in distribution.
    """
    n_vocab, d = len(SPECIALS) + len(oracle.E), len(oracle.W)
    generator = Generator(n_vocab, d_embedding=oracle.E.shape[1], d_hidden=d).double()
    order = np.concatenate([np.arange(d) + d * gate for gate in (0, 1, 3, 2)])  # i, f, o, g -> i, f, g, o
    special = np.zeros((len(SPECIALS), d))
    special[BOS] = oracle.E[0]
    values = {
        "embedding.weight": np.concatenate([special, oracle.E]),
        "recurrent.layers.weight_ih_l0": oracle.W[:, order].T,
        "recurrent.layers.weight_hh_l0": oracle.U[:, order].T,
        "recurrent.layers.bias_ih_l0": oracle.b[order],
        "recurrent.layers.bias_hh_l0": np.zeros(4 * d),
        "output.weight": np.concatenate([np.zeros((len(SPECIALS), d)), oracle.Wo.T]),
        "output.bias": np.concatenate([np.zeros(len(SPECIALS)), oracle.bo]),
    }
    generator.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in values.items()})
    return generator.eval()
