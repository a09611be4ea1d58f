"""Samples of a compared run, measured: by a suite, and by what somebody is paid for."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freerun.evaluation import Progress, ks_of, now, suite_named
from freerun.examination import Examination
from freerun.files import sha256, write_json
from freerun.objectives.permission import is_code
from freerun.objectives.settings import ObjectiveSettings
from freerun.objectives.terms import is_file
from freerun.outputs import write_samples
from freerun.paying import reader
from freerun.representations.base import AbstractRepresentation
from freerun.run_folder import RunFolder
from freerun.samples import Wanted, draw
from freerun.scores.parallel import values_of

MEAN = "mean "  # before the name of a score: its row


def paid_scores(objectives: Iterable[ObjectiveSettings]) -> tuple[dict[str, tuple[str, int]], list[str]]:
    """The scores that are measured of everybody's samples: those of single strings that are computed here.

    What depends on other strings is a suite's matter. Code is called in training alone: it may be dear.

    Returns:
        Of each score what it says, and 1 where more is better, -1 where less is, 0 where that depends or is disputed;
        and the code that is not asked.
    """
    terms = [term for settings in objectives for term in settings.terms(known=())]
    code = dict.fromkeys(term.spec for term in terms if is_code(term.spec))
    found: dict[str, tuple[str, int]] = {}
    for term in terms:
        if term.spec in code or term.score.scope == "batch" or term.spec == "novelty":
            continue
        direction = round(term.sign) if term.shape is None else term.shape.direction
        if found.setdefault(term.spec, (f"mean over valid samples: {term.score.about}", direction))[1] != direction:
            found[term.spec] = (found[term.spec][0], 0)
    return found, list(code)


@dataclasses.dataclass(frozen=True)
class Measuring:
    """How the samples of every run are measured.

    Args:
        n: How many are drawn.
        against: The corpus that the suite compares them with.
        paid: Names of scores.
    """

    n: int
    suite: str
    against: str
    paid: tuple[str, ...]
    device: str
    work: Progress | None

    def __call__(self, folder: RunFolder, seed: int) -> dict[str, float]:
        """The measures in the run's folder, as far as they were made alike; what is missing is measured now."""
        sampling = {"temperature": 1.0, "seed": seed}
        how = {"suite": self.suite, "n": self.n, "against": self.against, "sampling": sampling}
        files = {name: sha256(Path(path)) for name in self.paid if is_file(path := name.partition(":")[2])}
        path = folder.path / "measures.json"
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        is_measured = all(known.get(key) == value for key, value in how.items())
        is_paid = {*known.get("paid", {})} == {*self.paid} and known.get("paid_files", {}) == files
        if not (is_measured and is_paid):
            examination = Examination(folder, self.n, seed, self.device)
            samples = [sample for piece in draw(examination.trained, Wanted(self.n, seed)) for sample in piece]
            strings = [sample.raw for sample in samples]
            if not is_measured:
                write_samples([samples], str(folder.path / "samples.csv"))
                ours = suite_named(self.suite)(strings, examination.yardstick, ks_of(self.n), self.work)
                known = {**how, "ours": ours, "created": now()}
            known |= {"paid": self.means(strings, examination.trained.representation), "paid_files": files}
            write_json(path, known)
        values = {MEAN + name: value for name, value in known.get("paid", {}).items()} | known["ours"]
        return {name: math.nan if value is None else float(value) for name, value in values.items()}

    def means(self, strings: Sequence[str], representation: AbstractRepresentation) -> dict[str, float]:
        """Over the valid strings that have a value; NaN where none has one."""
        read = map(reader(representation), strings)
        valid = [canonical for canonical, is_valid in read if is_valid]
        columns = {name: values_of(name, valid) for name in self.paid}
        known = {name: column[np.isfinite(column)] for name, column in columns.items()}
        return {name: float(values.mean()) if len(values) else math.nan for name, values in known.items()}
