"""How alike strings are: what they have in common, of all that either has."""

import functools
from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np
from jaxtyping import Float64

from freerun.chemistry import parse

BITS, RADIUS, N_GRAM = 2048, 2, 3


def bits_of(smiles: str) -> Set[int]:
    """The bits of a molecule's Morgan fingerprint (radius 2, 2,048 bits, no counts).

    Raises:
        ValueError: If it is no molecule.
    """
    molecule = parse(smiles)
    if molecule is None:
        raise ValueError(f"{smiles!r} is no molecule")
    return frozenset(_generator().GetFingerprint(molecule).GetOnBits())


def n_grams_of(text: str) -> Set[str]:
    """All runs of three characters, the two ends marked, so that the shortest string has some too."""
    marked = "\x02\x02" + text + "\x03\x03"
    return frozenset(marked[at : at + N_GRAM] for at in range(len(marked) - N_GRAM + 1))


class Likeness:
    """Likeness of any strings to given ones, from 0 to 1: |a and b| / |a or b| of what `features_of` finds in them.

    Of fingerprints that is Tanimoto's similarity. All pairs are counted at once, by a product of sparse matrices.

    Args:
        given: The strings that others are compared with.
        features_of: `bits_of` or `n_grams_of`.
    """

    def __init__(self, given: Sequence[str], features_of: Callable[[str], Set[Any]]):
        found = [features_of(string) for string in given]
        self._features_of = features_of
        self._columns = {
            feature: column for column, feature in enumerate(dict.fromkeys(f for each in found for f in each))
        }
        self._sizes = _sizes(found)
        self._given = self._matrix(found).T.tocsr()

    def __call__(self, strings: Sequence[str]) -> Float64[np.ndarray, "strings given"]:
        found = [self._features_of(string) for string in strings]
        common = (self._matrix(found) @ self._given).toarray()
        either = _sizes(found)[:, None] + self._sizes - common
        return common / np.maximum(either, 1.0)

    def _matrix(self, found: Sequence[Set[Any]]) -> Any:
        """1 where a string (row) has a feature (column) that a given one has; what no given one has is not there."""
        from scipy import sparse

        rows = [[self._columns[feature] for feature in each if feature in self._columns] for each in found]
        ends = np.cumsum([0, *map(len, rows)])
        columns = np.fromiter((column for row in rows for column in row), dtype=np.int64, count=int(ends[-1]))
        return sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(rows), len(self._columns)))


def _sizes(found: Sequence[Set[Any]]) -> Float64[np.ndarray, " strings"]:
    return np.array([len(each) for each in found], dtype=np.float64)


@functools.cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)
