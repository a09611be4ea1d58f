"""Properties of one molecule, and the same as scores of strings."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from freerun.chemistry import parse
from freerun.scores.synthesis import sa

# Canonical numbering takes a second at 10,000 atoms and grows as their square: longer strings are not tried.
MAX_CHARACTERS = 5_000

# What RDKit and the formulas on top of it raise on odd molecules.
FAILURES = (ArithmeticError, ValueError, RuntimeError)


def molecule(smiles: str) -> Any | None:
    """The parsed molecule, or None: not SMILES, no atoms, no valid Unicode, or above `MAX_CHARACTERS`."""
    if len(smiles) > MAX_CHARACTERS:
        return None
    try:
        mol = parse(smiles)
    except UnicodeEncodeError:
        return None
    return mol if mol is not None and mol.GetNumAtoms() else None


def logp(mol: Any) -> float:
    """Octanol-water partition coefficient by atom contributions: Wildman and Crippen 1999, doi:10.1021/ci990307l."""
    from rdkit.Chem import Crippen

    return Crippen.MolLogP(mol)  # type: ignore[attr-defined]


def plogp(mol: Any) -> float:
    """Penalised logP: each term less its mean over ZINC250k, in units of its standard deviation there.

        (logP - 2.45710) / 1.43432 + (3.05258 - SA) / 0.83352 + (0.04857 - max(0, largest ring - 6)) / 0.28602

    The means are those of the negated penalties: -3.05258 and -0.04857. Source: Kusner et al. 2017, arXiv:1703.01925,
    with the constants of its successors' code. The largest ring is that of RDKit's smallest set of smallest rings;
    that code took a cycle basis, in which a fused system may hold larger ones, as the numbering of the atoms decides.
    """
    largest = max(map(len, mol.GetRingInfo().AtomRings()), default=0)
    return (logp(mol) - 2.45710) / 1.43432 + (3.05258 - sa(mol)) / 0.83352 + (0.04857 - max(0, largest - 6)) / 0.28602


def qed(mol: Any) -> float:
    """Quantitative estimate of drug-likeness, mean weights: Bickerton et al. 2012, doi:10.1038/nchem.1243."""
    from rdkit.Chem import QED

    return QED.qed(mol)


def weight(mol: Any) -> float:
    """Mean molecular weight in daltons, hydrogens included."""
    from rdkit.Chem import Descriptors

    return Descriptors.MolWt(mol)  # type: ignore[attr-defined]


# By the names of the MOSES benchmark.
PROPERTIES: dict[str, Callable[[Any], float]] = {"logP": logp, "SA": sa, "QED": qed, "weight": weight}


@functools.cache
def descriptors() -> dict[str, Callable[[Any], float]]:
    """RDKit's descriptors by its names for them: `TPSA`, `NumHDonors` and some 200 others."""
    from rdkit.Chem import Descriptors

    return dict(Descriptors.descList)


def descriptor(name: str) -> Callable[[Any], float]:
    """One of them; RDKit is not imported before it is used."""
    return lambda mol: descriptors()[name](mol)


def value(function: Callable[[Any], float], mol: Any) -> float:
    """`function(mol)`, or NaN where it fails on this molecule."""
    try:
        return float(function(mol))
    except FAILURES:
        return float("nan")


def of_strings(function: Callable[[Any], float]) -> Callable[[Sequence[str]], Float64[np.ndarray, " strings"]]:
    """A property as a function of strings; NaN for what is no molecule."""

    def score(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        values = np.full(len(strings), np.nan)
        for row, string in enumerate(strings):
            mol = molecule(string)
            if mol is not None:
                values[row] = value(function, mol)
        return values

    return score


def validity(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
    """1 for what parses as a molecule, else 0."""
    return np.array([molecule(string) is not None for string in strings], dtype=np.float64)


def lengths(strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
    """Characters of each string as it is written."""
    return np.array([len(string) for string in strings], dtype=np.float64)
