"""An objective: a weighted sum of scores, each distinct string paid for once, all of it on the disk."""

import csv
import dataclasses
import functools
import io
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float64

from freerun.errors import FreerunError, UsageError
from freerun.scores import find_score, split_weight
from freerun.scores.base import Score
from freerun.scores.guard import Guarded

SECONDS_A_PIECE = (
    1.0  # strings are asked in pieces of about this long: what a killed search has paid for but not written
)

Read = Callable[[str], tuple[str, bool]]  # a string -> what it is known by (canonical), and whether it is valid


@dataclasses.dataclass(frozen=True)
class Term:
    """One score of an objective.

    Args:
        spec: As it was asked for.
        weight: Above 0; the score's own direction says which way is better.
    """

    spec: str
    score: Score
    weight: float = 1.0

    @property
    def sign(self) -> float:
        return 1.0 if self.score.direction == "higher" else -1.0


def find_terms(specs: Sequence[str]) -> tuple[Term, ...]:
    """`NAME` or `NAME:WEIGHT`, as `split_weight` reads it.

    Raises:
        UsageError: If a score is not known, stands there twice, depends on the strings beside it, or has a weight that
            is not above 0.
    """
    terms = []
    for spec in specs:
        name, weight = split_weight(spec)
        if not 0 < weight < math.inf:
            raise UsageError(f"the weight of {spec} must be above 0; which way is better belongs to the score itself")
        score = find_score(name)
        if score.scope == "batch":
            raise UsageError(f"{name} depends on the strings beside it, so it is no objective of one string")
        terms.append(Term(name, score, weight))
    names = [term.spec for term in terms]
    if len(set(names)) < len(names):
        raise UsageError(f"each score once: {', '.join(names)}; give it one weight")
    return tuple(terms)


class Objective:
    """sum_k weight_k sign_k score_k(string): the `total`, of which more is better whatever the scores' directions.

    A string without a value of some score counts with that score's worst. Strings are known by their canonical form;
    one that was asked before, in this process or in the one that left the file, costs nothing.

    In a `with` block, so that the processes of guarded scores end.

    Args:
        path: `scores.csv`: a line for each distinct string, in the order of asking; None: nothing is kept.
        read: Canonical form and validity of a string.

    Raises:
        UsageError: If the file holds other scores.
        FreerunError: If it cannot be read.
    """

    def __init__(self, terms: Sequence[Term], path: Path | None, read: Read):
        if not terms:
            raise UsageError("an objective needs a score; `freerun scores` lists them")
        self.terms, self.path = tuple(terms), path
        self.read: Read = functools.cache(read)  # asked of the same strings in every round
        self.values: dict[str, tuple[float, ...]] = {}  # canonical -> one value a term, NaN where there is none
        self.n_paid = 0
        self.failures = Counter[str]()  # strings without a value, by what went wrong
        self.examples: dict[str, str] = {}
        self._guards = [Guarded(term.score) for term in self.terms]
        self.columns = ["step", "string", "canonical", "valid", *(term.spec for term in self.terms), "total", "seconds"]
        if path is not None and path.exists():
            self._load(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for guard in self._guards:
            guard.close()

    def key(self, string: str) -> str:
        return self.read(string)[0]

    def is_valid(self, string: str) -> bool:
        return self.read(string)[1]

    def total(self, values: Sequence[float]) -> float:
        pairs = zip(self.terms, values, strict=True)
        return sum(t.weight * t.sign * (t.score.worst if math.isnan(value) else value) for t, value in pairs)

    def __call__(self, strings: Sequence[str]) -> Float64[np.ndarray, " strings"]:
        """Totals, never NaN."""
        keys = [self.key(string) for string in strings]
        fresh = {key: string for key, string in zip(keys, strings, strict=True) if key not in self.values}
        for piece, seconds in self._asked(list(fresh)):
            self._keep([fresh[key] for key in piece], piece, seconds)
        return np.array([self.total(self.values[key]) for key in keys], dtype=np.float64)

    def _asked(self, keys: list[str]) -> Iterator[tuple[list[str], float]]:
        """Pieces of strings whose values are now in `values`, and the seconds that one of them took."""
        size, first = 1, 0
        while first < len(keys):
            piece = keys[first : first + size]
            began = time.perf_counter()
            outcomes = [guard(piece) for guard in self._guards]
            spent = time.perf_counter() - began
            columns = [outcome.values.tolist() for outcome in outcomes]
            self.values |= dict(zip(piece, zip(*columns, strict=True), strict=True))
            for outcome in outcomes:
                self.failures += outcome.failures
                self.examples = outcome.examples | self.examples
            self.n_paid += len(piece)
            yield piece, spent / len(piece)
            first, size = first + size, 2 * size if spent < SECONDS_A_PIECE / 2 else max(1, size // 2)

    def _keep(self, strings: Sequence[str], keys: Sequence[str], seconds: float) -> None:
        if self.path is None:
            return
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        if not self.path.exists():
            lines.writerow(self.columns)
        for row, (string, key) in enumerate(zip(strings, keys, strict=True), len(self.values) - len(keys)):
            values = self.values[key]
            shown = ["" if math.isnan(value) else repr(value) for value in values]
            lines.writerow(
                [row, string, key, self.is_valid(string), *shown, repr(self.total(values)), f"{seconds:.6f}"]
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
        except OSError as error:
            raise FreerunError(f"cannot write {self.path}: {error.strerror or error}; the rest is kept") from error

    def _load(self, path: Path) -> None:
        """What was paid for before; a line that was cut short when the process died is cut off."""
        try:
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if len(whole) < len(content):
                os.truncate(path, len(whole))
            lines = list(csv.DictReader(io.StringIO(whole.decode("utf-8"), newline="")))
            header = whole.decode("utf-8").partition("\n")[0]
            if header != ",".join(_quoted(self.columns)):
                raise UsageError(f"{path} holds other scores ({header}); choose another folder, or move it away")
            for line in lines:
                cells = [line[term.spec] for term in self.terms]
                self.values[line["canonical"]] = tuple(float(cell) if cell else math.nan for cell in cells)
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise FreerunError(f"{path} cannot be read ({error}); move it away to score anew") from error


def _quoted(cells: Sequence[str]) -> list[str]:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return [text.getvalue()]
