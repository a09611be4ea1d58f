"""What was found along the calls of an objective on molecules: scaffolds, and how different the best ones are."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from freerun.report.calls import Calls, evenly
from freerun.report.figures import Curve, colour_of, named, run_keys
from freerun.report.folder import Run
from freerun.report.samples import is_chemical
from freerun.report.svg import COLOURS, LARGE, Panel, draw
from freerun.report.told import rounded
from freerun.report.variety import diversity, scaffolds

N_BEST, N_TIMES = 100, 24  # how many are the best, and how often they are looked at
N_SCAFFOLDS = 2_000  # molecules of which scaffolds are computed, all runs together
N_DRAWN = 300
NONE = np.zeros(0), np.zeros(0), ""


def discovery_panels(runs: Sequence[Run], told: Sequence[Calls | None]) -> list[Panel]:
    """Of molecules: how many scaffolds were found, and how different the best ones are."""
    chemical = [calls if is_chemical(run) else None for run, calls in zip(runs, told, strict=True)]
    known = [calls for calls in chemical if calls is not None and calls.valid.any()]
    if not known:
        return []
    threshold = _threshold(known, N_SCAFFOLDS // len(known))
    found = [_found(calls, threshold, N_SCAFFOLDS // len(known)) if calls is not None else NONE for calls in chemical]
    varied = [_varied(calls) if calls is not None else NONE[:2] for calls in chemical]
    counts = [f"{int(y[-1]):,} in {molecules}" if len(y) else "" for _, y, molecules in found]
    ends = [f"{rounded(y[0])} at first, {rounded(y[-1])} at last" if len(y) else "" for _, y in varied]
    title = f"Scaffolds of what was paid {rounded(threshold)} or more"
    return [
        _panel(runs, title, f"Different ones so far: {named(runs, counts)}.", [(x, y) for x, y, _ in found]),
        _panel(runs, f"Diversity of the best {N_BEST} so far", f"{named(runs, ends)}.", varied),
    ]


def _panel(runs: Sequence[Run], title: str, caption: str, curves: Sequence[Curve]) -> Panel:
    def plot(axes: Axes) -> None:
        for i, curve in enumerate(curves):
            axes.plot(*curve, color=COLOURS[colour_of(i)])
        axes.margins(y=0.12)

    return Panel(title, draw(plot, "objective calls", size=LARGE), f"{title}. {caption}", caption, run_keys(runs))


def _threshold(known: Sequence[Calls], n: int) -> float:
    """One for all runs: at most n molecules of each reach it, equals apart; of two decimals where some are left."""
    ends = [calls.total[rows[-1]] for calls in known if len(rows := calls.best(len(calls), n))]
    exact = max(ends, default=0.0)
    plain = math.ceil(100 * exact) / 100
    reached = max(int((calls.total[calls.valid] >= plain).sum()) for calls in known)
    return plain if reached >= n / 10 else float(exact)


def _found(calls: Calls, threshold: float, n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Calls, different scaffolds up to each, and of how many molecules in words."""
    above = np.flatnonzero(calls.valid & (np.nan_to_num(calls.total, nan=-math.inf) >= threshold))
    rows = evenly(above, n)
    cores = scaffolds([calls.canonical[row] for row in rows])
    seen: set[str] = set()
    counts = []
    for core in cores:
        seen |= {core} - {""}  # fewer than two rings
        counts.append(len(seen))
    last = calls.step[-1] + 1
    x = np.concatenate([[calls.step[0] + 1], calls.step[rows] + 1, [last]])
    y = np.array([0, *counts, len(seen)], dtype=np.float64)
    kept = np.unique(np.linspace(0, len(x) - 1, N_DRAWN).astype(int))
    words = f"{len(rows):,} molecules" + (f" of {len(above):,}" if len(rows) < len(above) else "")
    return x[kept], y[kept], words


def _varied(calls: Calls) -> Curve:
    times = calls.times(N_TIMES, N_BEST)
    values = [diversity([calls.canonical[row] for row in calls.best(n, N_BEST)]) for n in times.tolist()]
    return calls.step[times - 1] + 1, np.array(values, dtype=np.float64)
