"""Scores of a string among others: how rare it is in its batch, how unlike the rest, whether a file holds it."""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Container, Sequence

import numpy as np
from jaxtyping import Float64

from freerun.chemistry import canonical
from freerun.corpora.samples import read_lines
from freerun.errors import UsageError
from freerun.scores.base import Score
from freerun.scores.molecules import molecule

BITS = 2048


@functools.lru_cache(100_000)
def form(string: str) -> str:
    """What a string is known by: the canonical SMILES of a molecule, else the string itself.

    RDKit reads the first word of a line as a molecule: a sentence that begins with `I` is none.
    """
    if any(map(str.isspace, string)):
        return string
    return canonical(string) or string


def uniqueness(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
    """1 / how often the string stands in the batch, in any writing."""
    forms = list(map(form, strings))
    counts = Counter(forms)
    return np.array([1 / counts[each] for each in forms], dtype=np.float64)


def diversity(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
    """1 - mean Tanimoto similarity to the other molecules of the batch; 1 for the only one, NaN for no molecule.

    Of Morgan fingerprints (radius 2, 2,048 bits, no counts). Copies are others: of similarity 1.
    """
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    molecules = list(map(molecule, strings))
    places = [place for place, mol in enumerate(molecules) if mol is not None]
    prints = [generator.GetFingerprint(molecules[place]) for place in places]
    values = np.full(len(strings), np.nan)
    for place, one in zip(places, prints, strict=True):
        values[place] = _unlike(sum(DataStructs.BulkTanimotoSimilarity(one, prints)) - 1.0, len(prints) - 1)
    return values


def text_diversity(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
    """1 - mean overlap with the other strings of the batch; 1 for the only one.

        overlap(a, b) = |pairs of a & pairs of b| / |pairs of a | pairs of b|

    Pairs are neighbouring words, as a set; before the first word and after the last one stands a mark, so that two
    strings of the same single word overlap.
    """
    pairs = [_pairs(string.split()) for string in strings]
    totals = [sum(len(one & other) / len(one | other) for other in pairs) - 1.0 for one in pairs]
    return np.array([_unlike(total, len(pairs) - 1) for total in totals], dtype=np.float64)


def _unlike(total: float, n_others: int) -> float:
    return 1.0 - total / n_others if n_others else 1.0


def _pairs(words: Sequence[str]) -> frozenset[tuple[str | None, str | None]]:
    marked = [None, *words, None]
    return frozenset(itertools.pairwise(marked))


def novelty(path: str) -> Score:
    """1 if the string does not stand in a file, in any writing, else 0.

    Raises:
        UsageError: If there is no such file, or it is empty.
    """
    known = frozenset(map(form, read_lines(path)))
    if not known:
        raise UsageError(f"{path} is empty; novelty needs the strings that are not new")
    return novelty_beside(known, f"novelty:{path}", path)


def novelty_beside(known: Container[str], name: str, source: str, key: Callable[[str], str] = form) -> Score:
    """1 if the string is not known, else 0.

    Args:
        known: Keys of strings.
        source: Where they stand, for the user.
        key: What a string is known by.
    """

    def function(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        return np.array([key(string) not in known for string in strings], dtype=np.float64)

    return Score(
        name=name,
        about=f"1 if the string, in any writing, is not among {source}, else 0",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=function,
    )
