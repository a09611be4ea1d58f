"""Natural-product likeness, by the fragment table that RDKit carries."""

import functools
import math
from typing import Any

from freerun.scores.contributed import contributed, plain_pickle

STRAIGHT = 4.0
"""Beyond it, either way, the score grows as the logarithm only."""


def np_likeness(mol: Any) -> float:
    """From -5 (a synthetic molecule) to 5 (a natural product).

        s = sum over the different fragments of their contributions / number of atoms
        score = s for |s| <= 4, else sign(s) (4 + log10(|s| - 3))

    Fragments are Morgan environments of radius 0 to 2. Source: Ertl, Roggo and Schuffenhauer 2008,
    doi:10.1021/ci700286x; RDKit's contributed `NP_Score`.
    """
    contributions = _contributions()
    fragments = _generator().GetSparseCountFingerprint(mol).GetNonzeroElements()
    total = sum(contributions.get(fragment, 0.0) for fragment in fragments) / mol.GetNumAtoms()
    if abs(total) <= STRAIGHT:
        return total
    return math.copysign(STRAIGHT + math.log10(abs(total) - STRAIGHT + 1), total)


@functools.cache
def _contributions() -> dict[int, float]:
    return plain_pickle(contributed("NP_Score", "publicnp.model.gz"))


@functools.cache
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2)
