"""Asked for and obtained: how well the samples of a run keep to the conditions that lead it.

`conditions.json` of a run folder, which the report draws; shares and errors are of the valid samples, null of none:

    {"n": 1000, "seed": 0,                      samples of each kind; those of one number differ in what is asked alone
     "free": {"valid", "unique", "novelty"},    given nothing
     "numbers": [{"name": "logP", "mean", "deviation",          of the training strings
                  "corpus": [...], "free": [...],               values of training strings, of samples given nothing
                  "asked": [{"quantile": 0.05, "value",         of the training strings; the other conditions are free
                             "valid", "unique", "novelty",
                             "mae", "bias",                     mean of |obtained - asked|, of obtained - asked
                             "free_mae", "lookup_mae",          the same error of two that obey in no way, or perfectly
                             "obtained": [...]}]}],
     "joint": {"n_strings": 400,                numbers together, asked for at the values of real held-out strings
               "valid", "unique", "novelty",
               "numbers": [{"name", "deviation", "mae", "bias", "correlation", "free_mae", "lookup_mae",
                            "asked": [...], "obtained": [...]}]},
     "labels": [{"name", "asked": [{"value": "amide", "share", "valid", "unique", "novelty", "accuracy"}]}]}

Two controls: `free_mae` is the error of samples that were asked for nothing; `lookup_mae` that of looking up the n
training strings that are nearest (of `joint`, the nearest one, all numbers standardised), whose novelty is 0. What is
obtained is told by the score of the condition's name; of a condition without one the errors are null.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from freerun.asked import Columns, Written, written
from freerun.columns import columns_of
from freerun.conditions import QUANTILES, Label, Number
from freerun.errors import UsageError
from freerun.known import training_strings
from freerun.metrics.validity import ratio, uniqueness
from freerun.noise import mix
from freerun.prepare import reopen
from freerun.trained import Trained

N_DRAWN = 300  # values of each kind that are kept for drawing
MOST_CLASSES = 10  # of a label, the commonest

Progress = Callable[[str, int, int], None]


def obedience(
    trained: Trained, n: int = 1000, seed: int = 0, progress: Progress | None = None, *, temperature: float = 1.0
) -> dict[str, Any]:
    """What `conditions.json` holds.

    Args:
        n: Samples of each kind: given nothing, for each asked value, and jointly.
        progress: Told how many kinds are done.
        temperature: Of all samples, those that are asked for nothing too.

    Raises:
        UsageError: If the run has no conditions.
    """
    parts = trained.state.world.conditions.parts
    if not parts:
        raise UsageError(f"{trained.folder.path} was trained without conditions: there is nothing to ask it for")
    train, held_out = _values(trained)
    numbers = [part for part in parts if isinstance(part, Number)]
    labels = [part for part in parts if isinstance(part, Label)]
    examiner = Examiner(trained, n, seed, training_strings(trained), temperature)
    done, total = 1, 1 + len(QUANTILES) * len(numbers) + sum(len(_common(label)) for label in labels) + bool(numbers)

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("conditions", done, total)

    free = examiner.written({})
    return {
        "n": n,
        "seed": seed,
        "free": examiner.quality(free),
        "numbers": [_of_number(examiner, number, free, train[number.name], step) for number in numbers],
        "joint": _jointly(examiner, numbers, free, train, held_out, step) if numbers else None,
        "labels": [_of_label(examiner, label, step) for label in labels],
    }


@dataclasses.dataclass(frozen=True)
class Examiner:
    """Draws n samples under what each is asked for, and says how good they are."""

    trained: Trained
    n: int
    seed: int
    is_known: Callable[[list[str]], list[bool]]
    temperature: float = 1.0

    def written(self, asked: Columns) -> Written:
        return written(self.trained, asked, self.n, self.seed, self.temperature)

    def quality(self, found: Written) -> dict[str, float]:
        """Share of valid samples; of different ones among these; of those, that stand in no split that was seen."""
        different = sorted(set(found.strings))
        return {
            "valid": ratio(len(found.strings), found.n),
            "unique": uniqueness(found.strings),
            "novelty": ratio(len(different) - sum(self.is_known(different)), len(different)),
        }


def errors(asked: Float[np.ndarray, " valid"] | float, obtained: Float[np.ndarray, " valid"]) -> dict[str, float]:
    """Mean absolute error and mean error, where something was obtained; NaN where nothing was."""
    differences = obtained - asked
    differences = differences[np.isfinite(differences)]
    if not len(differences):
        return {"mae": math.nan, "bias": math.nan}
    return {"mae": float(np.abs(differences).mean()), "bias": float(differences.mean())}


def accuracy(label: Label, place: int, values: Float[np.ndarray, " valid"]) -> float:
    """Share of the values of a score that are the class number `place`, where there are any."""
    judged = values[np.isfinite(values)]
    return ratio(sum(label.place(value) == place for value in judged.tolist()), len(judged))


def _of_number(
    examiner: Examiner, number: Number, free: Written, train: Float[np.ndarray, " rows"], step: Callable[[], None]
) -> dict[str, Any]:
    """One number asked for at three values, the other conditions free."""
    train, asked, freely = train[np.isfinite(train)], [], free.values(number.name)
    for quantile, value in zip(QUANTILES, number.quantiles, strict=True):
        found = examiner.written({number.name: np.full(examiner.n, value)})
        obtained = found.values(number.name)
        looked_up = np.sort(np.abs(train - value))[: examiner.n]
        asked.append(
            {"quantile": quantile, "value": value}
            | examiner.quality(found)
            | errors(value, obtained)
            | {"free_mae": errors(value, freely)["mae"], "lookup_mae": float(looked_up.mean())}
            | {"obtained": _kept(obtained)}
        )
        step()
    some = np.random.default_rng(mix(examiner.seed, 2)).permutation(len(train))
    facts = {"name": number.name, "mean": number.mean, "deviation": number.deviation}
    return {**facts, "corpus": _kept(train[some]), "free": _kept(freely), "asked": asked}


def _jointly(
    examiner: Examiner,
    numbers: list[Number],
    free: Written,
    train: Columns,
    held_out: Columns,
    step: Callable[[], None],
) -> dict[str, Any] | None:
    """All numbers at once, at the values of held-out strings in a random order, in turn where they are too few."""
    real, known = _complete(numbers, held_out), _complete(numbers, train)
    if not len(real) or not len(known):
        return None
    order = np.random.default_rng(mix(examiner.seed, 3)).permutation(len(real))
    wanted = real[np.resize(order, examiner.n)]  # (n, numbers)
    found = examiner.written({number.name: wanted[:, i] for i, number in enumerate(numbers)})
    scale = np.array([number.deviation for number in numbers])
    looked_up = known[KDTree(known / scale).query(wanted / scale)[1]]
    records = []
    for i, number in enumerate(numbers):
        asked, obtained = wanted[found.rows, i], found.values(number.name)
        records.append(
            {"name": number.name, "deviation": number.deviation}
            | errors(asked, obtained)
            | {"correlation": _correlation(asked, obtained)}
            | {"free_mae": errors(wanted[free.rows, i], free.values(number.name))["mae"]}
            | {"lookup_mae": errors(wanted[:, i], looked_up[:, i])["mae"]}
            | {"asked": _kept(asked), "obtained": _kept(obtained)}
        )
    step()
    return {"n_strings": len(real), **examiner.quality(found), "numbers": records}


def _of_label(examiner: Examiner, label: Label, step: Callable[[], None]) -> dict[str, Any]:
    """Each of the commonest classes asked for, the other conditions free."""
    asked = []
    for place in _common(label):
        found = examiner.written({label.name: np.full(examiner.n, float(place))})
        asked.append(
            {"value": label.classes[place], "share": label.counts[place] / sum(label.counts)}
            | examiner.quality(found)
            | {"accuracy": accuracy(label, place, found.values(label.name))}
        )
        step()
    return {"name": label.name, "asked": asked}


def _common(label: Label) -> list[int]:
    return sorted(range(len(label.classes)), key=lambda place: -label.counts[place])[:MOST_CLASSES]


def _values(trained: Trained) -> tuple[Columns, Columns]:
    """The conditions of the training strings, and of those held out (without any, of the training strings again)."""
    prepared = reopen(trained.folder, lambda _: None)
    if prepared.valid is None:
        return prepared.columns, prepared.columns
    names = prepared.conditions.names
    columns = columns_of(prepared.corpus, "valid", prepared.valid, names, lambda _: None)
    return prepared.columns, prepared.conditions.numbers(columns)


def _complete(numbers: list[Number], columns: Columns) -> Float[np.ndarray, "rows numbers"]:
    """The rows of which every number is known."""
    table = np.stack([columns[number.name] for number in numbers], 1).astype(np.float64)
    return table[np.isfinite(table).all(1)]


def _correlation(asked: Float[np.ndarray, " valid"], obtained: Float[np.ndarray, " valid"]) -> float:
    """Pearson's; NaN where either does not vary."""
    good = np.isfinite(asked) & np.isfinite(obtained)
    a, b = asked[good], obtained[good]
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() > 0 and b.std() > 0 else math.nan


def _kept(values: Float[np.ndarray, " values"]) -> list[float]:
    return [round(value, 6) for value in values[:N_DRAWN].tolist()]
