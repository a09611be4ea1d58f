"""The few RDKit calls that everything shares, with its log silenced where it only repeats what we count."""

import functools
from typing import Any


@functools.cache
def rdkit() -> Any:
    """`rdkit.Chem`, imported on first use (a fifth of a second) with RDKit's log to stderr switched off."""
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined]
    return Chem


LONGEST = 5_000  # characters; a chain of 20,000 atoms overflows RDKit's stack and ends the process


def parse(smiles: str) -> Any | None:
    """The sanitised molecule, or None for what is not one: the empty string too, and any longer than `LONGEST`."""
    return rdkit().MolFromSmiles(smiles) if 0 < len(smiles) <= LONGEST and smiles.isascii() else None


def canonical(smiles: str) -> str | None:
    """Canonical SMILES with stereo, or None for what is not a molecule."""
    molecule = parse(smiles)
    return None if molecule is None else rdkit().MolToSmiles(molecule)
