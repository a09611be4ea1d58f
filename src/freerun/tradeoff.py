"""Validity against diversity, a run at several temperatures: `tradeoff.json` of its folder, which the report draws."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from freerun.chemistry import canonical, parse
from freerun.errors import InvalidSequence
from freerun.known import training_strings
from freerun.metrics.tanimoto import BITS, mean_powers, pack, tiles
from freerun.metrics.validity import ratio, uniqueness
from freerun.samples import Wanted, draw
from freerun.sampling.decoding import Decoding
from freerun.trained import Trained

TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)


def tradeoff(
    trained: Trained,
    temperatures: Sequence[float] = TEMPERATURES,
    n: int = 1000,
    seed: int = 0,
    molecules: bool | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """One record a temperature: `temperature`, `n`, and the shares `valid`, `unique`, `novelty`, `intdiv`.

        valid    of the n samples
        unique   different ones among the valid: |set(valid)| / |valid|
        novelty  of the different valid ones, those that stand neither in the training nor in the validation split
        intdiv   1 - mean_ij T(i, j) over the valid molecules, repeats and i = j included (MOSES); NaN for other strings

    Args:
        n: Samples at each temperature.
        molecules: Whether strings are judged as SMILES; None: whether the representation says so.
        progress: Told how many of the temperatures are done.
    """
    is_known = training_strings(trained)
    chemical = trained.representation.is_chemical if molecules is None else molecules
    records = []
    for number, temperature in enumerate(temperatures):
        wanted = Wanted(n, seed, Decoding(temperature=temperature))
        samples = [sample for piece in draw(trained, wanted) for sample in piece]
        if chemical:
            valid = [smiles for sample in samples if (smiles := canonical(sample.raw)) is not None]
        else:
            valid = [sample.string for sample in samples if sample.valid]
        different = sorted(set(valid))
        known = _known(trained, is_known, different)
        records.append(
            {
                "temperature": temperature,
                "n": len(samples),
                "valid": ratio(len(valid), len(samples)),
                "unique": uniqueness(valid),
                "novelty": ratio(len(different) - sum(known), len(different)),
                "intdiv": diversity(valid) if chemical else math.nan,
            }
        )
        if progress is not None:
            progress("temperatures", number + 1, len(temperatures))
    return records


def diversity(smiles: Sequence[str]) -> float:
    """1 - mean Tanimoto similarity of the Morgan fingerprints (radius 2, 1,024 bits) of valid SMILES; NaN of none."""
    from rdkit.Chem import rdFingerprintGenerator

    if not smiles:
        return math.nan
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    fingerprints = pack(np.stack([generator.GetFingerprintAsNumPy(parse(text)) for text in smiles]))
    means, _ = mean_powers(fingerprints, tiles(fingerprints))
    return 1 - float(means.mean())


def _known(trained: Trained, is_known: Callable[[list[str]], list[bool]], strings: list[str]) -> list[bool]:
    """Training strings are kept as the representation writes them, in Kekule form, say: so is what is looked up."""

    def written(string: str) -> str:
        try:
            return trained.representation.normalise(string)
        except InvalidSequence:  # no string of this form: it cannot stand in the training set
            return string

    return [a or b for a, b in zip(is_known(strings), is_known(list(map(written, strings))), strict=True)]
