"""What a run can do once it is trained: `freerun.Run`."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float

from freerun import codes
from freerun.conditions import Given
from freerun.evaluation import Progress
from freerun.examination import Examination
from freerun.report.page import write_report
from freerun.run_folder import RunFolder
from freerun.samples import Sample, Wanted, draw
from freerun.sampling.decoding import Decoding
from freerun.search.optimization import optimize
from freerun.search.plan import Outcome, Plan
from freerun.trained import Trained

Notify = Callable[[str], None]


def silent(_: object) -> None:
    return None


class Run:
    """One run: train it further, draw from it, examine it, report on it.

    Args:
        path: Its folder; a name under `runs/`; or `last`.
    """

    def __init__(self, path: str | Path):
        self.folder = RunFolder.found(path)

    @property
    def path(self) -> Path:
        return self.folder.path

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        greedy: bool = False,
        beam: int = 0,
        prefix: str = "",
        max_length: int = 0,
        unique: bool = False,
        valid_only: bool = False,
        given: Given = MappingProxyType({}),
        device: str = "auto",
        notify: Notify = silent,
    ) -> list[Sample]:
        """n samples; the first 1,000 of 10,000 are the 1,000 of the same seed.

        Args:
            given: Of a conditional run: what is asked for, {"logP": 2.5}; its other conditions are free.
            notify: Told where that lies outside what was trained on, and where there are fewer than n.
        """
        decoding = Decoding(temperature, top_k, top_p, greedy)
        wanted = Wanted(
            n, seed, decoding, prefix, max_length, beam=beam, unique=unique, valid_only=valid_only, given=given
        )
        trained = Trained.load(self.folder, device=device)
        return [sample for piece in draw(trained, wanted, notify) for sample in piece]

    def encode(
        self,
        strings: Sequence[str],
        *,
        columns: Mapping[str, Sequence[Any] | np.ndarray] = MappingProxyType({}),
        strict: bool = True,
        device: str = "auto",
    ) -> Float[np.ndarray, "strings latent"]:
        """The latent code of each string of a latent run: the mean of its posterior.

        Args:
            columns: Of a conditional run: what is known of the strings, {"logP": [2.5, ..]}, NaN or "" where missing.
                Of the other conditions the encoder is told those that a score can compute.
            strict: A string that has no code is an error; else its row is NaN.

        Raises:
            UsageError: If the run has no codes, or a string is too long.
            InvalidSequence: If a string cannot be read.
        """
        refused = None if strict else lambda place, error: None
        told = {name: values if isinstance(values, np.ndarray) else _column(values) for name, values in columns.items()}
        return codes.encode(Trained.load(self.folder, device=device), strings, columns=told, refused=refused)[0]

    def decode(
        self,
        z: np.ndarray,
        *,
        greedy: bool = True,
        n_each: int = 1,
        seed: int = 0,
        given: Given = MappingProxyType({}),
        device: str = "auto",
    ) -> list[list[str]]:
        """`n_each` strings of each code, as they are written; none of a code that is NaN."""
        trained = Trained.load(self.folder, device=device)
        return codes.decode(trained, z, greedy=greedy, n_each=n_each, seed=seed, given=given)

    def interpolate(
        self, a: str, b: str, n: int = 9, *, given: Given = MappingProxyType({}), device: str = "auto"
    ) -> list[str]:
        """n strings from a's code to b's, on the great circle between them."""
        return codes.interpolate(Trained.load(self.folder, device=device), a, b, n, given)

    def evaluate(
        self,
        n: int = 10_000,
        *,
        suite: str = "",
        against: str = "",
        seed: int = 0,
        device: str = "auto",
        notify: Notify = silent,
        progress: Progress | None = None,
    ) -> dict[str, float]:
        """Draws n samples, measures them, and writes what the report shows into the folder."""
        examination = Examination(self.folder, n, seed, device, suite, against, notify, progress)
        return examination.run()["ours"]

    def optimize(
        self,
        *scores: str,
        by: str = "latent",
        budget: int = 500,
        protocol: str = "trust-region",
        seed: int = 0,
        n_seeds: int = 1,
        start: Sequence[str] = (),
        n_start: int = 1000,
        max_length: int = 0,
        device: str = "auto",
        notify: Notify = silent,
    ) -> Outcome:
        """Looks for the strings of the best scores (`NAME` or `NAME:WEIGHT`); what was asked before costs nothing."""
        plan = Plan(scores, by, budget, protocol, seed, n_seeds, tuple(start), n_start, max_length)
        return optimize(self.folder, plan, device=device, notify=notify)

    def report(self, out: str | Path | None = None) -> Path:
        """One HTML page: `report.html` in the folder unless `out` says otherwise."""
        return write_report([self.path], Path(out) if out else self.path / "report.html")


def _column(values: Sequence[Any]) -> np.ndarray:
    """Numbers as float64, anything else as labels."""
    column = np.array([math.nan if value is None else value for value in values])
    return column.astype(np.float64) if column.dtype.kind in "fiub" else np.array(list(values), dtype=object)
