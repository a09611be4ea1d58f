"""Scaffolds and diversity of a few thousand strings that may be anything: none that is long is read."""

import functools
import math
from collections.abc import Sequence
from typing import Any

from freerun.chemistry import parse

LONGEST = 400  # characters; rings of a thousand atoms would take seconds each


def scaffolds(strings: Sequence[str]) -> list[str]:
    """Murcko's scaffold of each molecule; empty for what is none, is too long, or has fewer than two rings."""
    from freerun.metrics.molecules import scaffold

    found = [_molecule(string) for string in strings]
    return ["" if molecule is None else scaffold(molecule) for molecule in found]


def diversity(strings: Sequence[str]) -> float:
    """1 - mean_ij T_ij, each molecule with itself included, as the internal diversity of MOSES; NaN of none."""
    from rdkit.DataStructs import BulkTanimotoSimilarity

    prints = [found for string in strings if (found := _fingerprint(string)) is not None]
    total = sum(sum(BulkTanimotoSimilarity(each, prints)) for each in prints)
    return 1 - total / len(prints) ** 2 if prints else math.nan


def _molecule(string: str) -> Any | None:
    return parse(string) if len(string) <= LONGEST else None


@functools.lru_cache(8_192)
def _fingerprint(string: str) -> Any | None:
    molecule = _molecule(string)
    return None if molecule is None else _morgan().GetFingerprint(molecule)


@functools.cache
def _morgan() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
