"""The medicinal chemistry filters of MOSES: rules on rings, charges and elements, and 502 forbidden patterns.

The patterns (MCF and PAINS) are data of MOSES, in data/, with their licence beside them.
"""

import csv
import functools
import importlib.resources
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt64

from freerun.chemistry import parse, rdkit

ELEMENTS = frozenset({"C", "N", "S", "O", "F", "Cl", "Br", "H"})
LARGEST_RING = 7
N_ALERTS = 502


def passes_filters(mol: Any) -> bool:
    """No ring of 8 or more atoms, no charge, common elements only, no forbidden pattern; and its SMILES parses again.

    Source: Polykovskiy et al. 2020, doi:10.3389/fphar.2020.565644. The patterns are matched with hydrogens added.
    """
    if any(len(ring) > LARGEST_RING for ring in mol.GetRingInfo().AtomRings()):
        return False
    if any(atom.GetFormalCharge() != 0 or atom.GetSymbol() not in ELEMENTS for atom in mol.GetAtoms()):
        return False
    if has_forbidden_pattern(rdkit().AddHs(mol)):
        return False
    return parse(rdkit().MolToSmiles(mol, isomericSmiles=False)) is not None


def alerts(mol: Any) -> int:
    """How many of the forbidden patterns occur, from 0 to 502."""
    return sum(_verdicts(rdkit().AddHs(mol)))


def has_forbidden_pattern(with_hydrogens: Any) -> bool:
    return any(_verdicts(with_hydrogens))


def _verdicts(with_hydrogens: Any) -> Iterator[bool]:
    """Only patterns whose fingerprint lies within the molecule's can match (27 of 502, mean over MOSES): try those."""
    patterns, screens = _patterns()
    absent = ~_pattern_bits(with_hydrogens)
    candidates = np.flatnonzero(~(screens & absent).any(axis=1))
    return (with_hydrogens.HasSubstructMatch(patterns[index]) for index in candidates)


def smarts() -> list[str]:
    """The forbidden patterns."""
    folder = importlib.resources.files("freerun.scores") / "data"
    mcf = csv.DictReader((folder / "mcf.csv").read_text(encoding="utf-8").splitlines())
    pains = csv.reader((folder / "wehi_pains.csv").read_text(encoding="utf-8").splitlines())
    return [row["smarts"] for row in mcf] + [row[0].strip() for row in pains if row]


@functools.cache
def _patterns() -> tuple[list[Any], UInt64[np.ndarray, "patterns words"]]:
    patterns = [rdkit().MolFromSmarts(text) for text in smarts()]
    return patterns, np.stack([_pattern_bits(pattern) for pattern in patterns])


def _pattern_bits(mol: Any) -> UInt64[np.ndarray, " words"]:
    """RDKit's fingerprint for screening: a pattern that occurs in a molecule has no bit that the molecule lacks."""
    from rdkit import DataStructs

    # RDKit writes the bits as a string of characters 0 and 1; the binary form is 20 times as fast
    return np.frombuffer(DataStructs.BitVectToBinaryText(rdkit().PatternFingerprint(mol)), dtype=np.uint64)
