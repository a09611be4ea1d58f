"""Properties of one molecule, and the same as scores of strings."""

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
