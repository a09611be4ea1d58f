"""What an objective paid, as panels: totals in the first calls and in the last, and along the calls."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from freerun.report.calls import Calls, evenly
from freerun.report.discoveries import N_BEST, N_TIMES
from freerun.report.figures import DASHED, Curve, colour_of, density, named, run_keys, thinned
from freerun.report.folder import Run
from freerun.report.svg import COLOURS, LARGE, Key, Panel, draw
from freerun.report.told import rounded

N_DENSITY, N_MEANS = 2_000, 60
NONE = np.zeros(0), np.zeros(0)


def spread_panels(runs: Sequence[Run], told: Sequence[Calls | None], names: Sequence[str | None]) -> list[Panel]:
    """How values are distributed in the first calls and in the last; `None` is the total."""
    panels = [_spread(runs, told, name) for name in names]
    return [panel for panel in panels if panel is not None]


def _spread(runs: Sequence[Run], told: Sequence[Calls | None], name: str | None) -> Panel | None:
    pairs = [_ends(calls, name) if calls is not None else NONE for calls in told]
    drawn = [values for pair in pairs for values in pair if len(values)]
    if not drawn:
        return None
    low, high = min(values.min() for values in drawn), max(values.max() for values in drawn)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    grid = np.linspace(low - margin, high + margin, 120)

    def plot(axes: Axes) -> None:
        for i, (first, last) in enumerate(pairs):
            if len(first):
                axes.plot(grid, density(first, grid), color=COLOURS[colour_of(i)], linestyle=DASHED, linewidth=1.3)
            if len(last):
                axes.plot(grid, density(last, grid), color=COLOURS[colour_of(i)])
        axes.set_ylim(bottom=0)
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)

    title = "What valid strings are paid" if name is None else f"Score {name}"
    found = named(
        runs, [f"mean {_mean(first)} at first, {_mean(last)} at last" if len(first) else "" for first, last in pairs]
    )
    colour = colour_of(0) if len(runs) == 1 else "quiet"
    keys = (Key("first calls", colour, "dash"), Key("last calls", colour), *run_keys(runs))
    caption = f"Valid strings: {found}."
    return Panel(title, draw(plot, "", size=LARGE), f"Distribution. {title}. {caption}", caption, keys)


def _ends(calls: Calls, name: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Values of valid strings, of the first calls and of the last; `None` is the total."""
    values = calls.total if name is None else calls.raw.get(name, np.zeros(len(calls)) + math.nan)
    good = calls.valid & np.isfinite(values)
    first, last = (evenly(np.flatnonzero(good[part]) + part.start, N_DENSITY) for part in calls.ends)
    return values[first], values[last]


def _mean(values: np.ndarray) -> str:
    return rounded(float(values.mean())) if len(values) else rounded(math.nan)


def total_panel(runs: Sequence[Run], told: Sequence[Calls | None]) -> Panel:
    """The mean total of neighbouring calls, and of the best that were found up to then."""
    means = [_means(calls, max(24, N_MEANS // len(runs))) if calls is not None else NONE for calls in told]
    bests = [_bests(calls) if calls is not None else NONE for calls in told]

    def plot(axes: Axes) -> None:
        for i, (mean, best) in enumerate(zip(means, bests, strict=True)):
            axes.plot(*mean, color=COLOURS[colour_of(i)], linewidth=1.3)
            axes.plot(*best, color=COLOURS[colour_of(i)], linestyle=DASHED)

    caption = f"The best {N_BEST} of all: {named(runs, [rounded(y[-1]) if len(y) else '' for _, y in bests])}."
    colour = colour_of(0) if len(runs) == 1 else "quiet"
    own = (Key("mean of neighbouring calls", colour), Key(f"mean of the best {N_BEST} so far", colour, "dash"))
    svg = draw(plot, "objective calls", size=LARGE)
    return Panel("Total", svg, f"Totals over calls. {caption}", caption, (*own, *run_keys(runs)))


def _means(calls: Calls, n: int) -> Curve:
    good = np.isfinite(calls.total)
    return thinned(calls.step[good] + 1, calls.total[good], n)


def _bests(calls: Calls) -> Curve:
    times = calls.times(N_TIMES, N_BEST)
    best = [calls.best(n, N_BEST) for n in times.tolist()]
    return calls.step[times - 1] + 1, np.array([calls.total[rows].mean() if len(rows) else math.nan for rows in best])
