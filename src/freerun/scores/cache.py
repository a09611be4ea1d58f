"""A score that remembers: a string, or another writing of the same molecule, is paid for once."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from freerun.chemistry import canonical, parse
from freerun.scores.base import Function, Score


class Cached:
    """The values of a score, each computed once. Of a score of scope `batch` nothing is remembered.

    A molecule is known by its canonical SMILES, and that is the string that is computed: its value does not depend on
    which writing came first. From that of another writing it may differ in the last digits (sums in another order).

    Args:
        score: What is asked.
        function: Computes the values in its place (a guard around it, say).
        known: Values from before, by canonical string; NaN: it has none.
    """

    def __init__(self, score: Score, *, function: Function | None = None, known: Mapping[str, float] | None = None):
        self.score = score
        self.n_asked = 0
        self.n_computed = 0
        self._function = function or score
        self._values = dict(known or {})
        self._keys: dict[str, str] = {}

    @property
    def values(self) -> Mapping[str, float]:
        """All that is known, by canonical string."""
        return self._values

    def __call__(self, strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        """The values; NaN marks a string that has none."""
        self.n_asked += len(strings)
        if self.score.scope == "batch":
            self.n_computed += len(strings)
            return self._function(strings)
        keys = [self.key(string) for string in strings]
        new = list(dict.fromkeys(key for key in keys if key not in self._values))
        if new:
            self.n_computed += len(new)
            self._values.update(zip(new, self._function(new).tolist(), strict=True))
        return np.array([self._values[key] for key in keys], dtype=np.float64)

    def key(self, string: str) -> str:
        """What a string is known by: the canonical SMILES of a molecule, else the string itself."""
        if self.score.domain != "molecule":
            return string
        if string not in self._keys:
            self._keys[string] = _canonical(string)
        return self._keys[string]


def _canonical(smiles: str) -> str:
    """Canonical SMILES; the string itself where there is none, or RDKit cannot read what it has written."""
    written = canonical(smiles)
    return smiles if written is None or parse(written) is None else written
