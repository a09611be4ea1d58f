"""What generated molecules are compared with: the statistics of a set of molecules, computed once and kept."""

import dataclasses
import hashlib
import json
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float64, UInt64

from freerun.chemistry import rdkit
from freerun.errors import FreerunError
from freerun.files import cache_folder, written_aside
from freerun.metrics.frechet import Gaussian, gaussian
from freerun.metrics.molecules import concat
from freerun.metrics.parallel import Progress, molecules, part_of
from freerun.scores.molecules import PROPERTIES

VERSION = 1  # of the file and of all that is computed into it: a change here makes every cached file a stranger
LINES_AT_ONCE = 50_000


@dataclasses.dataclass(frozen=True)
class Reference:
    """Statistics of the valid molecules of a set.

    Args:
        fingerprints: One row a molecule.
        properties: logP, SA, QED and weight of each molecule.
        fragments: BRICS fragments and how often they occur.
        scaffolds: Bemis-Murcko scaffolds of two rings or more and how often they occur.
        gaussian: Of ChemNet's activations.
    """

    fingerprints: UInt64[np.ndarray, "molecules words"]
    properties: dict[str, Float64[np.ndarray, " molecules"]]
    fragments: Counter[str]
    scaffolds: Counter[str]
    gaussian: Gaussian

    def __len__(self) -> int:
        return len(self.fingerprints)

    def save(self, path: Path) -> None:
        """One npz of plain arrays."""
        with written_aside(path) as file:
            np.savez(
                file,
                fingerprints=self.fingerprints,
                properties=np.stack([self.properties[name] for name in PROPERTIES]),
                fragment_names=_text(self.fragments),
                fragment_counts=np.array(list(self.fragments.values()), dtype=np.int64),
                scaffold_names=_text(self.scaffolds),
                scaffold_counts=np.array(list(self.scaffolds.values()), dtype=np.int64),
                mean=self.gaussian.mean,
                covariance=self.gaussian.covariance,
                n=np.int64(self.gaussian.n),
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return cls(
                fingerprints=arrays["fingerprints"],
                properties=dict(zip(PROPERTIES, arrays["properties"], strict=True)),
                fragments=_counter(arrays["fragment_names"], arrays["fragment_counts"]),
                scaffolds=_counter(arrays["scaffold_names"], arrays["scaffold_counts"]),
                gaussian=Gaussian(arrays["mean"], arrays["covariance"], int(arrays["n"])),
            )


def _text(names: Iterable[str]) -> np.ndarray:
    return np.frombuffer("\n".join(names).encode(), dtype=np.uint8)


def _counter(names: np.ndarray, counts: np.ndarray) -> Counter[str]:
    return Counter(dict(zip(names.tobytes().decode().split("\n"), counts.tolist(), strict=False)))


def reference(strings: Iterable[str], *, key: str | None = None, progress: Progress | None = None) -> Reference:
    """The statistics of a set of SMILES, from the cache if they were computed before.

    Args:
        strings: One pass over them; not touched if `key` is known to the cache.
        key: A digest of the strings, where there is one already; left out, the strings are read and hashed first.

    Raises:
        FreerunError: If none of the strings is a molecule.
    """
    if key is None:
        strings = list(strings)
        key = hashlib.sha256("\n".join(strings).encode(errors="surrogatepass")).hexdigest()
    path = cached_at("strings", key, rdkit().rdBase.rdkitVersion)
    found = load_cached(path)
    if found is None:
        found = statistics(strings, progress)
        found.save(path)
    return found


def cached_at(*key: str) -> Path:
    """The file of the cache that belongs to this key under this version of the code."""
    digest = hashlib.sha256(json.dumps([VERSION, *key]).encode()).hexdigest()
    return cache_folder() / "references" / f"{digest[:32]}.npz"


def load_cached(path: Path) -> Reference | None:
    """None if it is not there, or cannot be read and has to be computed again."""
    try:
        return Reference.load(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def statistics(strings: Iterable[str], progress: Progress | None = None) -> Reference:
    """Without the cache. Lines that are no molecules are left out, with a warning."""
    parts, n_lines = [], 0
    fragments: Counter[str] = Counter()
    scaffolds: Counter[str] = Counter()
    for lines in _portions(iter(strings)):
        n_lines += len(lines)
        part = molecules(lines, progress=progress).of_valid()
        fragments.update(part.fragment_counts())
        scaffolds.update(part.scaffold_counts())
        parts.append(dataclasses.replace(part, fragments=[""] * len(part), scaffolds=[""] * len(part)))
    n_molecules = sum(map(len, parts))
    if not n_molecules:
        raise FreerunError(
            f"none of the {n_lines} reference lines is a molecule; compare with a file of SMILES, one a line"
        )
    if n_molecules < n_lines:
        warnings.warn(f"{n_lines - n_molecules} of {n_lines} reference lines are no molecules; left out", stacklevel=2)
    rows = concat(parts)
    return Reference(
        fingerprints=rows.fingerprints,
        properties=rows.properties,
        fragments=fragments,
        scaffolds=scaffolds,
        gaussian=gaussian(rows.canonical, part_of(progress, "ChemNet")),
    )


def _portions(strings: Iterator[str]) -> Iterator[list[str]]:
    while portion := list(islice(strings, LINES_AT_ONCE)):
        yield portion
