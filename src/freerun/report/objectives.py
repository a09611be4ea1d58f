"""What an objective paid: before and after, along the calls, and the strings that were paid best."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64

from freerun.report.calls import MOST_TERMS, Calls, evenly
from freerun.report.discoveries import discovery_panels
from freerun.report.earnings import spread_panels, total_panel
from freerun.report.folder import Run
from freerun.report.molecules import Drawing, drawing
from freerun.report.samples import is_chemical
from freerun.report.svg import Panel
from freerun.report.told import names_of_scores, rounded
from freerun.report.variety import diversity, scaffolds

N_SHOWN = 12
N_COMPARED = 200  # molecules of the first and of the last calls that are compared with one another


@dataclasses.dataclass(frozen=True)
class Row:
    """Two cells a run: its first calls, its last."""

    label: str
    note: str
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Paid:
    """
    Args:
        heads: Two a run that has calls.
        names: Of these runs.
        panels: The runs on one another.
    """

    names: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    panels: list[Panel]
    remarks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Strings:
    """Strings of one run: the best paid, with what they were paid, and those of its first calls."""

    best: tuple[Drawing, ...]
    first: tuple[Drawing, ...]


def objectives_of(runs: Sequence[Run], told: Sequence[Calls | None]) -> Paid | None:
    """All runs in one table and in the same panels; None where no run has calls.

    Args:
        told: What `read_calls` found of each run.
    """
    known = [(run, calls) for run, calls in zip(runs, told, strict=True) if calls is not None]
    if not known:
        return None
    parts = [f"{calls.n_tenth:,} calls" if calls.is_whole else "tenth" for _, calls in known]
    scores = list(dict.fromkeys(name for _, calls in known for name in calls.raw))
    totals = [*spread_panels(runs, told, (None,)), total_panel(runs, told), *discovery_panels(runs, told)]
    return Paid(
        names=tuple(run.name for run, _ in known),
        heads=tuple(head for part in parts for head in (f"first {part}", f"last {part}")),
        rows=tuple(_rows(known)),
        panels=totals + (spread_panels(runs, told, scores) if len(scores) > 1 else []),
        remarks=tuple(_remarks(known)),
    )


def _remarks(known: Sequence[tuple[Run, Calls]]) -> Iterator[str]:
    yield (
        "A call is a distinct string: one that was asked for before costs nothing and does not count again. So this is "
        "what was new at the time, completions of rollouts too, not all that was written."
    )
    yield (
        "The total of a string that is not valid counts as what it was paid, mostly 0; means of a score are of the "
        "strings that have a value."
    )
    if any(is_chemical(run) for run, _ in known):
        yield (
            f"Diversity and scaffolds: of {N_COMPARED} valid molecules that lie evenly among these calls. Diversity is "
            "1 less the mean Tanimoto similarity (Morgan, radius 2); scaffolds are Murcko's, with two rings or more."
        )
    for run, calls in known:
        if beside := _beside(run, calls):
            yield (
                f"{run.name} was paid for {', '.join(beside)} too, which a string has among others and not by itself: "
                "these totals leave that out. The log tells what a batch was paid in all."
            )
        if not calls.is_whole:
            yield f"{run.name}: scores.csv is large; {len(calls):,} lines that lie evenly were read, and count."


def _beside(run: Run, calls: Calls) -> list[str]:
    """Scores of the objective that have no column among the calls."""
    if len(calls.raw) == MOST_TERMS:
        return []  # no more than so many columns are read
    return [name for name in names_of_scores(run.config) if name not in calls.raw]


def strings_of(run: Run, calls: Calls | None, n_drawn: int) -> Strings | None:
    """The best strings and the first ones, at most `N_SHOWN` each; None without calls."""
    if calls is None:
        return None
    n = min(N_SHOWN, n_drawn // 2)
    best = [_drawn(run, calls.canonical[row], _note(calls, row)) for row in calls.best(len(calls), n).tolist()]
    first = [_drawn(run, string, _note(calls, row)) for row, string in enumerate(calls.written[:n])]
    return Strings(tuple(best), tuple(first))


def _drawn(run: Run, string: str, note: str) -> Drawing:
    """With what it was paid; of what is no molecule with the reason."""
    found = drawing(string) if is_chemical(run) else Drawing(string, None, "")
    return found if found.svg is None and is_chemical(run) else dataclasses.replace(found, note=note)


def _note(calls: Calls, row: int) -> str:
    note = f"{rounded(float(calls.total[row]))} \u00b7 call {calls.step[row] + 1:,.0f}"
    return note if calls.valid[row] else f"{note} \u00b7 not valid"


def _rows(known: Sequence[tuple[Run, Calls]]) -> list[Row]:
    columns = [_column(calls, part, is_chemical(run)) for run, calls in known for part in calls.ends]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    return [Row(*key, tuple(_cell(column.get(key, math.nan)) for column in columns)) for key in keys]


def _column(calls: Calls, part: slice, chemical: bool) -> dict[tuple[str, str], float]:
    """Figures of these lines by label and note."""
    valid = np.flatnonzero(calls.valid[part]) + part.start
    column = _figures("total", calls.total[part]) | {("valid", "share"): float(calls.valid[part].mean())}
    for name, values in calls.raw.items():
        column |= _figures(f"score {name}", values[part])
    if chemical:
        molecules = [calls.canonical[row] for row in evenly(valid, N_COMPARED)]
        column["diversity", "of molecules"] = diversity(molecules)
        column["scaffolds", f"different ones, in {N_COMPARED}"] = float(len(set(scaffolds(molecules)) - {""}))
    return column


def _figures(name: str, values: Float64[np.ndarray, " calls"]) -> dict[tuple[str, str], float]:
    known = values[np.isfinite(values)]
    mean, high = (known.mean(), np.percentile(known, 99)) if len(known) else (math.nan, math.nan)
    return {(name, "mean"): float(mean), (name, "99th percentile"): float(high)}


def _cell(value: float) -> str:
    """Three digits, zeros too: cells stand below one another."""
    if math.isnan(value) or abs(value) >= 1e6:
        return rounded(value)
    text = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:#.3g}".removesuffix(".")
    return text.replace("-", "\u2212")
