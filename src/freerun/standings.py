"""How contenders stand after their runs: means over seeds, differences in pairs, costs; what to know to read them."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from freerun.bootstrap import N_CLEAR, Estimate, estimate, paired
from freerun.run_folder import RunFolder, step_of_weights

# Likelihoods of held-out strings in the log: those of the weights that are kept and measured.
LIKELIHOODS = ("valid_nll_per_token", "valid_neg_elbo_per_token", "valid_neg_elbo_hard_per_token")
COSTS = {"steps": "step", "tokens": "tokens", "calls": "calls", "seconds": "seconds"}  # -> its key in timing.jsonl
UNITS = {"steps": "steps", "tokens": "tokens", "calls": "objective calls", "time": "minutes"}
FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class Ran:
    """One run.

    Args:
        folder: Its name in the folder of the comparison.
        values: Measures by name; NaN where one could not be computed.
        costs: What it used, by the keys of `COSTS`.
        ended: Why it ended: finished, a budget; or `failed`, and of what.
        missed: The phase of its method that it did not come to, and the one in which its budget ended.
    """

    folder: str
    seed: int
    values: dict[str, float]
    costs: dict[str, float]
    ended: str
    missed: tuple[str, str] | None = None

    @property
    def has_failed(self) -> bool:
        return self.ended.startswith(FAILED)


@dataclasses.dataclass(frozen=True)
class Standing:
    """A contender after its runs.

    Args:
        measures: Means over its seeds.
        differences: From the first contender, paired by seed; none of the first itself.
        costs: Means over its seeds.
    """

    label: str
    runs: tuple[Ran, ...]
    measures: dict[str, Estimate]
    differences: dict[str, Estimate]
    costs: dict[str, Estimate]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came out, as far as it has come.

    Args:
        path: Its folder.
        equal: What every run might use as much of as any other: a key of `UNITS`.
        budget: How much that was; of time, in minutes.
        against: The corpus that the samples are measured against.
        paid: Of each measure that is the mean of a score what it says, and 1 where more is better, -1 where less is.
        remarks: What must be known to read it.
    """

    path: Path
    equal: str
    budget: float
    n_seeds: int
    n: int
    suite: str
    against: str
    standings: tuple[Standing, ...]
    paid: dict[str, tuple[str, int]]
    remarks: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The measures that some run has, likelihoods first."""
        names = dict.fromkeys(name for standing in self.standings for name in standing.measures)
        return sorted(names, key=lambda name: name not in LIKELIHOODS)

    @property
    def means(self) -> str:
        """The budget in words."""
        return f"{self.budget:,.10g} {UNITS[self.equal]}"


def standings(
    runs: Mapping[str, Sequence[Ran]], vocabs: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Standing, ...]:
    """Of the runs by the labels of their contenders, the first of them the one that the others are compared with.

    Args:
        vocabs: The tokens of each; where they are not those of the first, a likelihood a token is another quantity, and
            has no difference.
    """
    (first, *_), vocabs = runs.values(), vocabs or {}
    tokens = next(iter(vocabs.values()), ())
    found = []
    for label, own in runs.items():
        names = dict.fromkeys(name for run in own for name in run.values)
        known = {name for run in first for name in run.values}
        other = set(LIKELIHOODS) if vocabs.get(label, tokens) != tokens else set()
        shared = [] if own is first else [name for name in names if name in known - other]
        measures = {name: estimate([run.values.get(name, math.nan) for run in own]) for name in names}
        costs = {cost: estimate([run.costs[cost] for run in own]) for cost in COSTS}
        differences = {name: _difference(name, own, first) for name in shared}
        found.append(Standing(label, tuple(own), measures, differences, costs))
    return tuple(found)


def remarks_on(equal: str, budget: float, n_seeds: int, runs: Mapping[str, Sequence[Ran]]) -> Iterator[str]:
    """How little so few seeds say; which runs failed; which ended before their budget did, or before they began."""
    if n_seeds == 1:
        yield "One seed: no interval can be given, and any difference may be chance."
    elif n_seeds < N_CLEAR:
        yield f"Of {n_seeds} seeds the interval is no more than their range: no difference is called clear."
    cost, most = ("seconds", 60 * budget) if equal == "time" else (equal, budget)
    for label, own in runs.items():
        for run in own:
            if run.has_failed:
                yield f"{run.folder} {run.ended}; it is left out of the means."
        missed = Counter(run.missed for run in own if run.missed)
        for (phase, last), n in missed.items():
            yield (
                f"{label} never came to its phase {phase} in {n} of {len(own)} runs: the budget ended in {last}. "
                "Give all of them more."
            )
        used = [run.costs[cost] for run in own if not run.has_failed]
        less = [value for value in used if value < 0.98 * most]
        if less:
            yield (
                f"{label} ended before its budget did, at {100 * min(less) / most:.0f} % of it in {len(less)} of "
                f"{len(used)} runs: its own course is shorter, or it stopped early."
            )


def likelihoods(folder: RunFolder) -> dict[str, float]:
    """Of held-out strings, at the last validation of the weights that are kept; none where these cannot be read."""
    kept = step_of_weights(folder.best)
    if kept is None:
        return {}
    validated = [record for record in folder.records() if record["step"] <= kept and set(LIKELIHOODS) & set(record)]
    last = validated[-1] if validated else {}
    return {name: math.nan if last[name] is None else float(last[name]) for name in LIKELIHOODS if name in last}


def missed(folder: RunFolder, phases: Sequence[str]) -> tuple[str, str] | None:
    """The first phase that a run did not come to, and the one in which it ended; None if it came to the last.

    A phase that had no step but was followed by another was not needed: a critic that was good enough.
    """
    names, logged = [*dict.fromkeys(phases)], {record["phase"] for record in folder.records()}
    last = max((names.index(name) for name in logged & {*names}), default=len(names) - 1)
    return (names[last + 1], names[last]) if last + 1 < len(names) else None


def costs_of(folder: RunFolder) -> dict[str, float]:
    """What was used by the last line of the clock."""
    lines = folder.timing.read_text(encoding="utf-8").splitlines() if folder.timing.exists() else []
    last = json.loads(lines[-1]) if lines else {}
    return {cost: float(last.get(key, 0)) for cost, key in COSTS.items()}


def _difference(name: str, own: Sequence[Ran], first: Sequence[Ran]) -> Estimate:
    """Over the seeds that both have run."""
    theirs = {run.seed: run.values.get(name, math.nan) for run in first}
    return paired([run.values.get(name, math.nan) for run in own], [theirs.get(run.seed, math.nan) for run in own])
