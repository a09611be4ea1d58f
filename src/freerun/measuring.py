"""Samples of a compared run, measured: by a suite, and by what somebody is paid for."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence

import numpy as np

from freerun.evaluation import Progress, now, suite_named
from freerun.examination import Examination
from freerun.files import write_json
from freerun.objectives.permission import is_code
from freerun.objectives.settings import ObjectiveSettings
from freerun.outputs import write_samples
from freerun.paying import reader
from freerun.representations.base import AbstractRepresentation
from freerun.run_folder import RunFolder
from freerun.samples import Wanted, draw
from freerun.scores import find_score, split_weight
from freerun.scores.parallel import values_of

MEAN = "mean "  # before the name of a score: its row


def paid_scores(objectives: Iterable[ObjectiveSettings]) -> tuple[dict[str, tuple[str, int]], list[str]]:
    """The scores that are measured of everybody's samples: those of single strings that are computed here.

    What depends on the strings beside it is a suite's matter. Code is called in training alone: it may be dear.

    Returns:
        Of each score what it says, and 1 where more is better, -1 where less is; and the code that is not asked.
    """
    specs = dict.fromkeys(split_weight(spec)[0] for settings in objectives for spec in settings.scores)
    code = [spec for spec in specs if is_code(spec)]
    scores = {spec: find_score(spec) for spec in specs if spec not in code}
    return {
        spec: (f"mean over valid samples: {score.about}", 1 if score.direction == "higher" else -1)
        for spec, score in scores.items()
        if score.scope == "string"
    }, code


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
        """The measures in the run's folder, if they were made alike; else samples are drawn and measured."""
        sampling = {"temperature": 1.0, "seed": seed}
        how = {"suite": self.suite, "n": self.n, "against": self.against, "sampling": sampling}
        path = folder.path / "measures.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if any(known.get(key) != value for key, value in how.items()) or {*known.get("paid", ())} != {*self.paid}:
            examination = Examination(folder, self.n, seed, self.device)
            samples = [sample for piece in draw(examination.trained, Wanted(self.n, seed)) for sample in piece]
            write_samples([samples], str(folder.path / "samples.csv"))
            strings = [sample.raw for sample in samples]
            ks = tuple(k for k in (1_000, 10_000) if k <= self.n) or (self.n,)
            ours = suite_named(self.suite)(strings, examination.yardstick, ks, self.work)
            paid = self.means(strings, examination.trained.representation)
            known = {**how, "ours": ours, "paid": paid, "created": now()}
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
