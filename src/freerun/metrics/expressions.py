"""Measures of formulas of one variable: are they formulas, are they new, do they behave like those of the corpus?"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.stats import wasserstein_distance

from freerun.metrics.validity import novelty, ratio, uniqueness
from freerun.scores import find_score

N_COMPARED = 5_000  # formulas of either side whose distributions are compared


def expression_measures(
    samples: Sequence[str], test: Iterable[str], train: Iterable[str], ks: Sequence[int] = (1_000,)
) -> dict[str, float]:
    """White space within a formula makes no difference.

    Returns:
        `valid`: share that are formulas; `unique@k` of the first k valid ones; `Novelty` of the different ones;
        `length` and `fit`: Wasserstein distances between samples and test strings, of the number of characters and of
        the score `expression`, log(1 + mean squared error) to 1/3 + x + sin(x x), in its own unit; `best fit`: the
        least score of a sample.
    """
    lines = [_bare(line) for line in samples]
    fits = find_score("expression")(lines)
    valid = [line for line, fit in zip(lines, fits, strict=True) if not np.isnan(fit)]
    measures = {"valid": ratio(len(valid), len(lines))}
    measures |= {f"unique@{k}": uniqueness(valid[:k]) for k in ks}
    measures["Novelty"] = novelty(valid, map(_bare, train))
    others = [_bare(line) for line, _ in zip(test, range(N_COMPARED), strict=False)]
    theirs, ours = find_score("expression")(others), fits[~np.isnan(fits)][:N_COMPARED]
    theirs = theirs[~np.isnan(theirs)]
    if not len(ours) or not len(theirs):
        return measures | {"length": np.nan, "fit": np.nan, "best fit": np.nan}
    lengths = wasserstein_distance(list(map(len, valid[:N_COMPARED])), list(map(len, others)))
    fit = wasserstein_distance(ours, theirs)
    return measures | {"length": float(lengths), "fit": float(fit), "best fit": float(fits[~np.isnan(fits)].min())}


def _bare(line: str) -> str:
    return "".join(line.split())
