"""Quality against coverage under the oracle, drawn: NLL_oracle over NLL_test, one curve a run."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from freerun.metrics.oracle import ENTROPY
from freerun.report.figures import colour_of, named, run_keys
from freerun.report.folder import Run
from freerun.report.svg import COLOURS, LARGE, Key, Panel, draw
from freerun.report.told import finite, rounded

MOST_POINTS = 40
NAMES = ("temperature", "nll_test", "nll_oracle")

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


def frontier_panels(runs: Sequence[Run]) -> list[Panel]:
    """One panel of all runs that have a `frontier.json`, and one nearer by; none where no run has."""
    curves = [curve_of(run.frontier) for run in runs]
    if not any(len(temperatures) for temperatures, _, _ in curves):
        return []
    found = named(runs, [_found(curve) for curve in curves])
    colour = colour_of(0) if len(runs) == 1 else "quiet"
    keys = (Key("one point a temperature, the large one T = 1", colour), *run_keys(runs))
    truth = Key(f"the oracle itself: its entropy, {ENTROPY:.2f}", "quiet", "dash")
    title = "NLL_oracle over NLL_test"
    label = ("NLL_test, nats a token", "NLL_oracle")

    def near(axes: Axes) -> None:
        _plot(axes, curves, is_alone=sum(len(curve[0]) > 0 for curve in curves) == 1)

    def whole(axes: Axes) -> None:
        _plot(axes, curves, is_alone=False)
        draw_truth(axes)

    far = f"The oracle's own strings stand at {ENTROPY:.2f} on both. Below it is cooler than the truth, not nearer."
    return [
        Panel(title, draw(near, *label, LARGE), f"{title}, in nats a token. {found}.", f"{found}.", keys),
        Panel("The same, and the truth", draw(whole, *label, LARGE), f"{title}. {far}", far, (truth, *run_keys(runs))),
    ]


def curve_of(points: Sequence[dict]) -> Curve:
    """Temperatures in order, NLL_test, NLL_oracle, where all three are numbers."""
    table = np.array([[finite(point.get(name)) for name in NAMES] for point in points[:MOST_POINTS]]).reshape(-1, 3)
    table = table[np.isfinite(table).all(1)]
    temperatures, x, y = table[np.argsort(table[:, 0], kind="stable")].T
    return temperatures, x, y


def draw_truth(axes: Axes) -> None:
    """The oracle measured by itself: both NLLs are its entropy."""
    quiet = COLOURS["quiet"]
    axes.axhline(ENTROPY, color=quiet, linewidth=1, linestyle=(0, (2, 2)))
    axes.plot([ENTROPY], [ENTROPY], "D", color=quiet, markersize=6)
    axes.annotate("oracle", (ENTROPY, ENTROPY), (7, 6), textcoords="offset points", fontsize=9, color=quiet)


def _plot(axes: Axes, curves: Sequence[Curve], is_alone: bool) -> None:
    for i, (temperatures, x, y) in enumerate(curves):
        colour = COLOURS[colour_of(i)]
        axes.plot(x, y, color=colour, marker="o", markersize=3.5, linewidth=1.5)
        plain = np.isclose(temperatures, 1)
        axes.plot(x[plain], y[plain], "o", color=colour, markersize=7.5, markeredgecolor=COLOURS["paper"])
        for place in zip(temperatures, x, y, strict=True) if is_alone else ():
            axes.annotate(
                f"{place[0]:.4g}", place[1:], (5, 5), textcoords="offset points", fontsize=9, color=COLOURS["quiet"]
            )
    axes.margins(0.09)


def _found(curve: Curve) -> str:
    """The two ends in words."""
    ends = [f"{rounded(y)} at NLL_test {rounded(x)} (T = {t:.4g})" for t, x, y in zip(*curve, strict=True)]
    return f"{ends[0]} to {ends[-1]}" if len(ends) > 1 else "".join(ends)
