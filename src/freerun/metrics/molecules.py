"""Everything that the measures need of each molecule, computed once."""

import dataclasses
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float64, UInt64

from freerun.chemistry import rdkit
from freerun.metrics.tanimoto import BITS, WORDS, pack
from freerun.scores.filters import passes_filters
from freerun.scores.molecules import FAILURES, PROPERTIES, molecule, value

MIN_RINGS = 2  # smaller scaffolds are not counted


@dataclasses.dataclass(frozen=True)
class Molecules:
    """One row a sample, invalid samples included: NaN, empty or False there. `of_valid()` leaves them out.

    Args:
        valid: Whether RDKit accepts the string; the empty string is invalid.
        canonical: Canonical SMILES.
        properties: logP, SA, QED and weight.
        passes: The filters.
        fingerprints: Morgan fingerprints of radius 2, 1,024 bits in 16 words.
        fragments: BRICS fragments, joined by points.
        scaffolds: Bemis-Murcko scaffold, empty if it has fewer than two rings.
    """

    valid: Bool[np.ndarray, " samples"]
    canonical: list[str]
    properties: dict[str, Float64[np.ndarray, " samples"]]
    passes: Bool[np.ndarray, " samples"]
    fingerprints: UInt64[np.ndarray, "samples words"]
    fragments: list[str]
    scaffolds: list[str]

    def __len__(self) -> int:
        return len(self.valid)

    def take(self, rows: np.ndarray) -> Self:
        """The rows of an index, in its order, repeats included."""
        return type(self)(
            valid=self.valid[rows],
            canonical=[self.canonical[row] for row in rows],
            properties={name: values[rows] for name, values in self.properties.items()},
            passes=self.passes[rows],
            fingerprints=self.fingerprints[rows],
            fragments=[self.fragments[row] for row in rows],
            scaffolds=[self.scaffolds[row] for row in rows],
        )

    def of_valid(self) -> Self:
        return self.take(np.flatnonzero(self.valid))

    def fragment_counts(self) -> Counter[str]:
        return Counter(name for row in self.fragments if row for name in row.split("."))

    def scaffold_counts(self) -> Counter[str]:
        return Counter(filter(None, self.scaffolds))

    def to_bytes(self) -> bytes:
        """For the way between processes; no SMILES that RDKit writes holds a line break."""
        buffer = io.BytesIO()
        lines = "\n".join(self.canonical + self.fragments + self.scaffolds).encode()
        np.savez(
            buffer,
            valid=self.valid,
            passes=self.passes,
            fingerprints=self.fingerprints,
            properties=np.stack([self.properties[name] for name in PROPERTIES]),
            lines=np.frombuffer(lines, dtype=np.uint8),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            n = len(arrays["valid"])
            lines = arrays["lines"].tobytes().decode().split("\n") if n else []
            return cls(
                valid=arrays["valid"],
                canonical=lines[:n],
                properties=dict(zip(PROPERTIES, arrays["properties"], strict=True)),
                passes=arrays["passes"],
                fingerprints=arrays["fingerprints"],
                fragments=lines[n : 2 * n],
                scaffolds=lines[2 * n :],
            )


def concat(parts: Sequence[Molecules]) -> Molecules:
    return Molecules(
        valid=np.concatenate([part.valid for part in parts]),
        canonical=[text for part in parts for text in part.canonical],
        properties={name: np.concatenate([part.properties[name] for part in parts]) for name in PROPERTIES},
        passes=np.concatenate([part.passes for part in parts]),
        fingerprints=np.concatenate([part.fingerprints for part in parts]),
        fragments=[text for part in parts for text in part.fragments],
        scaffolds=[text for part in parts for text in part.scaffolds],
    )


def describe(strings: Sequence[str]) -> Molecules:
    """In this process, one after the other."""
    n = len(strings)
    rows = Molecules(
        valid=np.zeros(n, dtype=bool),
        canonical=[""] * n,
        properties={name: np.full(n, np.nan) for name in PROPERTIES},
        passes=np.zeros(n, dtype=bool),
        fingerprints=np.zeros((n, WORDS), dtype=np.uint64),
        fragments=[""] * n,
        scaffolds=[""] * n,
    )
    for row, string in enumerate(strings):
        mol = molecule(string)
        if mol is not None:
            _describe_one(rows, row, string, mol)
    return rows


def _describe_one(rows: Molecules, row: int, string: str, mol: Any) -> None:
    """All further values are of the canonical string read again, as in MOSES: numbering can matter (SA, fragments)."""
    from rdkit.Chem import rdFingerprintGenerator

    canonical = rdkit().MolToSmiles(mol)
    if canonical != string:
        mol = molecule(canonical) or mol
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    rows.valid[row] = True
    rows.canonical[row] = canonical
    rows.fingerprints[row] = pack(generator.GetFingerprintAsNumPy(mol)[None])[0]
    rows.fragments[row] = fragments(mol)
    rows.scaffolds[row] = scaffold(mol)
    rows.passes[row] = passes_filters(mol)
    for name, function in PROPERTIES.items():
        rows.properties[name][row] = value(function, mol)


def fragments(mol: Any) -> str:
    """The pieces of BRICS (Degen et al. 2008, doi:10.1002/cmdc.200800178), each a SMILES, joined by points."""
    from rdkit.Chem import AllChem

    return rdkit().MolToSmiles(AllChem.FragmentOnBRICSBonds(mol))  # type: ignore[attr-defined]


def scaffold(mol: Any) -> str:
    """Ring systems and what links them (Bemis and Murcko 1996); empty where they hold fewer than two rings."""
    from rdkit.Chem.Scaffolds import MurckoScaffold

    try:
        core = MurckoScaffold.GetScaffoldForMol(mol)
    except FAILURES:
        return ""
    return rdkit().MolToSmiles(core) if core.GetRingInfo().NumRings() >= MIN_RINGS else ""
