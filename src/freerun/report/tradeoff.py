"""The trade-off drawn: validity against diversity, uniqueness and novelty, one curve a run, along the temperature."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from freerun.report.figures import colour_of, named, run_keys
from freerun.report.folder import Run
from freerun.report.logged import printable
from freerun.report.svg import COLOURS, SMALL, Panel, draw, numbers, standalone

AGAINST = {"intdiv": "internal diversity", "unique": "uniqueness", "novelty": "novelty"}
MARKS = {0.5: "s", 1.0: "o", 1.5: "^"}
MARKED = "(\u25a0 T = 0.5, \u25cf 1, \u25b2 1.5)"
DASHES = ("-", (0, (5, 2)), (0, (2, 2)), (0, (7, 2, 2, 2)))
LETTER = np.array([0.0195, 0.085])  # width of a letter and height of a line, in shares of the panel
GAP = np.array([0.025, 0.03])
SIDES = np.array([[-1, 0], [1, 0], [0, 1], [0, -1], [-1, 1], [1, 1], [-1, -1], [1, -1]])


def tradeoff_panels(runs: Sequence[Run]) -> list[Panel]:
    """One panel a measure, of those runs that have a `tradeoff.json`; none where no run has."""
    panels = [_panel(runs, measure, label) for measure, label in AGAINST.items()]
    return [panel for panel in panels if panel is not None]


def tradeoff_svg(runs: Sequence[Run]) -> str:
    """The panels side by side as a file of its own, in the light scheme.

    Raises:
        ValueError: If no run has anything to draw.
    """
    panels = tradeoff_panels(runs)
    if not panels:
        raise ValueError("none of these runs has a tradeoff.json")
    width, height, top = *SMALL, 24
    parts = []
    for number, panel in enumerate(panels):
        x = number * (width + 20)
        parts.append(
            f'<text x="{x + 8}" y="15" font-size="12" font-weight="600" fill="var(--ink)">{panel.title}</text>'
        )
        parts.append(str(panel.svg).replace("<svg ", f'<svg x="{x}" y="{top}" width="{width}" height="{height}" ', 1))
    total = len(panels) * (width + 20) - 20
    whole = f'<svg viewBox="0 0 {total} {height + top}">{"".join(parts)}</svg>'
    return standalone(Markup(whole), total)


def _panel(runs: Sequence[Run], measure: str, label: str) -> Panel | None:
    curves = [_curve(run, measure) for run in runs]
    if not any(len(temperatures) > 1 for temperatures, _, _ in curves):
        return None
    names = [printable(run.name) if len(runs) > 1 else "" for run in runs]

    def plot(axes: Axes) -> None:
        for i, (temperatures, x, y) in enumerate(curves):
            colour = COLOURS[colour_of(i)]
            axes.plot(x, y, color=colour, linewidth=1.6, linestyle=DASHES[i % len(DASHES)])
            for temperature, mark in MARKS.items():
                at = np.isclose(temperatures, temperature)
                axes.plot(x[at], y[at], mark, color=colour, markersize=6.5, markeredgecolor=COLOURS["paper"])
            axes.plot(x, y, ".", color=colour, markersize=3.5)
        _frame(axes, curves, with_names=any(names))
        _label(axes, curves, names)

    title = f"Validity and {label}"
    found = named(runs, [_found(curve, measure) if len(curve[0]) else "" for curve in curves])
    svg = draw(plot, f"valid {MARKED}")
    return Panel(title, svg, f"{title}. {found}", f"{found}." if len(runs) == 1 else "", run_keys(runs))


Curve = tuple[np.ndarray, np.ndarray, np.ndarray]


def _curve(run: Run, measure: str) -> Curve:
    """Temperatures in order, validity, and the measure, where all three are numbers."""
    columns = [numbers([record.get(key) for record in run.tradeoff]) for key in ("temperature", "valid", measure)]
    good = np.isfinite(np.array(columns)).all(0) if len(run.tradeoff) else np.zeros(0, bool)
    temperatures, x, y = (column[good] for column in columns)
    order = np.argsort(temperatures, kind="stable")
    return temperatures[order], x[order], y[order]


def _frame(axes: Axes, curves: Sequence[Curve], with_names: bool) -> None:
    """Room for the names beside the ends of the curves."""
    for which, limits in ((1, axes.set_xlim), (2, axes.set_ylim)):
        values = np.concatenate([curve[which] for curve in curves])
        low, high = float(values.min()), float(values.max())
        span = max(high - low, 0.02)
        beside = (0.3 if with_names else 0.08) if which == 1 else 0.1
        limits(low - beside * span, high + beside * span)
    axes.set_xticks([tick for tick in axes.get_xticks() if -1e-9 <= tick <= 1 + 1e-9])
    axes.set_yticks([tick for tick in axes.get_yticks() if -1e-9 <= tick <= 1 + 1e-9])


def _label(axes: Axes, curves: Sequence[Curve], names: Sequence[str]) -> None:
    """Each name beside an end or the middle of its curve, where it covers least of the curves and no other name."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    paths = [np.stack([(x - left) / (right - left), (y - low) / (high - low)], 1) for _, x, y in curves]
    ink = np.concatenate([_filled(path) for path in paths])
    taken: list[np.ndarray] = []
    for i, path in enumerate(paths):
        if not names[i] or not len(path):
            continue
        size = np.array([len(names[i]) * LETTER[0], LETTER[1]])
        corners = [path[at] + shift * (size / 2 + GAP) - size / 2 for at in (-1, 0, len(path) // 2) for shift in SIDES]
        corner = min(corners, key=lambda corner: _cost(corner, size, ink, taken))
        taken.append(np.concatenate([corner, corner + size]))
        place = (left + (corner[0] + size[0] / 2) * (right - left), low + (corner[1] + size[1] / 2) * (high - low))
        axes.text(*place, names[i], ha="center", va="center", fontsize=9, color=COLOURS[colour_of(i)])


def _filled(path: np.ndarray) -> np.ndarray:
    """The points of a path and points between them, all in shares of the panel."""
    steps = np.linspace(0, 1, 12)[:, None, None]
    between = path[:-1] * (1 - steps) + path[1:] * steps
    return np.concatenate([path, between.reshape(-1, 2)])


def _cost(corner: np.ndarray, size: np.ndarray, ink: np.ndarray, taken: Sequence[np.ndarray]) -> float:
    """Points that a label would cover; outside the panel or on another label costs more than any of them."""
    covered = float(((ink > corner) & (ink < corner + size)).all(1).sum())
    outside = float(np.maximum(-corner, 0).sum() + np.maximum(corner + size - 1, 0).sum())
    on_others = sum(bool((corner < other[2:]).all() and (corner + size > other[:2]).all()) for other in taken)
    return covered + 1e4 * outside + 1e4 * on_others


def _found(curve: Curve, measure: str) -> str:
    """The two ends in words."""
    temperatures, x, y = curve
    ends = [f"{x[i]:.3g} valid, {AGAINST[measure]} {y[i]:.3g} at T = {temperatures[i]:g}" for i in (0, -1)]
    return f"{ends[0]}; {ends[1]}"
