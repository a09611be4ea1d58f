"""The measures of the MOSES benchmark, in the order of its table.

Source: Polykovskiy et al. 2020, doi:10.3389/fphar.2020.565644, and its code, whose figures these reproduce. All but
`valid` are over the valid samples, canonical, repeats kept. docs/measures.md has the equations.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from freerun.metrics.frechet import frechet_distance, gaussian
from freerun.metrics.molecules import Molecules
from freerun.metrics.parallel import Progress, molecules, part_of
from freerun.metrics.reference import Reference
from freerun.metrics.tanimoto import mean_powers, nearest, tiles
from freerun.metrics.validity import novelty, ratio, uniqueness
from freerun.scores.molecules import PROPERTIES


def moses_measures(
    samples: Iterable[str] | Molecules,
    test: Reference,
    test_scaffolds: Reference | None = None,
    train: Iterable[str] | None = None,
    *,
    ks: Sequence[int] = (1_000, 10_000),
    progress: Progress | None = None,
) -> dict[str, float]:
    """All measures of the samples; NaN where one is undefined (no valid sample), with a warning.

    Args:
        samples: Strings as they were written, the empty ones too; or what `molecules` made of them.
        test: Statistics of held-out molecules: measures named .../Test.
        test_scaffolds: Of held-out molecules whose scaffolds are not in training: .../TestSF; left out if None.
        train: The training strings as they stand, in one pass; without them there is no Novelty.
        ks: For unique@k.
    """
    rows = samples if isinstance(samples, Molecules) else molecules(samples, progress=progress)
    valid = rows.of_valid()
    if not len(valid):
        warnings.warn(f"none of the {len(rows)} samples is a valid molecule: most measures are NaN", stacklevel=2)
    measures = {"valid": ratio(len(valid), len(rows))}
    for k in ks:
        measures[f"unique@{k}"] = unique_at(valid.canonical, k)
    ours = gaussian(valid.canonical, part_of(progress, "ChemNet"))
    for name, reference in (("Test", test), ("TestSF", test_scaffolds)):
        if reference is not None:
            similar = nearest(valid.fingerprints, tiles(reference.fingerprints), part_of(progress, f"SNN/{name}"))
            measures[f"FCD/{name}"] = frechet_distance(ours, reference.gaussian)
            measures[f"SNN/{name}"] = _mean(similar)
            measures[f"Frag/{name}"] = cosine(valid.fragment_counts(), reference.fragments)
            measures[f"Scaf/{name}"] = cosine(valid.scaffold_counts(), reference.scaffolds)
    measures["IntDiv"], measures["IntDiv2"] = internal_diversity(valid, progress)
    measures["Filters"] = _mean(valid.passes)
    for name in PROPERTIES:
        measures[name] = property_distance(valid.properties[name], test.properties[name])
    if train is not None:
        measures["Novelty"] = novelty(valid.canonical, train)
    return measures


def unique_at(canonical: Sequence[str], k: int) -> float:
    """|set(first k)| / |first k|."""
    if len(canonical) < k:
        warnings.warn(f"unique@{k} is of {len(canonical)} valid samples, there are no more", stacklevel=3)
    return uniqueness(canonical[:k])


def internal_diversity(valid: Molecules, progress: Progress | None = None) -> tuple[float, float]:
    """1 - mean_i (mean_j T_ij^p)^(1/p) for p = 1 and 2, each molecule with itself included.

    The root is taken of each molecule's mean, as the benchmark's code does; its paper takes it once, at the end.
    """
    if not len(valid):
        return math.nan, math.nan
    first, second = mean_powers(valid.fingerprints, tiles(valid.fingerprints), part_of(progress, "IntDiv"))
    return 1 - _mean(first), 1 - _mean(np.sqrt(second))


def cosine(ours: Counter[str], others: Counter[str]) -> float:
    """Of two vectors of counts; NaN if one is empty."""
    product = sum(count * others[name] for name, count in ours.items())
    return ratio(product, math.sqrt(_squares(ours)) * math.sqrt(_squares(others)))


def _squares(counts: Counter[str]) -> int:
    return sum(count * count for count in counts.values())


def property_distance(ours: np.ndarray, others: np.ndarray) -> float:
    """Wasserstein distance of two samples; molecules on which RDKit cannot compute the property are left out."""
    from scipy.stats import wasserstein_distance

    finite = ours[np.isfinite(ours)]
    if len(finite) < len(ours):
        warnings.warn(f"a property is undefined for {len(ours) - len(finite)} molecules; left out", stacklevel=3)
    others = others[np.isfinite(others)]
    return float(wasserstein_distance(others, finite)) if len(finite) and len(others) else math.nan


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan
