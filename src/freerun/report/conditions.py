"""Asked for and obtained: how well samples keep to their conditions, drawn and tabled from `conditions.json`."""

import dataclasses
import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from freerun.report.figures import DASHED, PROPERTIES, density
from freerun.report.folder import Run
from freerun.report.measures import number
from freerun.report.svg import COLOURS, Key, Panel, draw, numbers
from freerun.report.told import LARGEST, as_object, entries_of, finite, rounded

MOST_NUMBERS, MOST_ASKED, MOST_CLASSES = 8, 5, 12
N_POINTS = 300
OWN = "s1"  # the colour of a run alone on its page; beside others the page puts theirs in its place
NUMBER_HEADS = ("error", "in sd", "bias", "nothing asked, in sd", "looked up, in sd", "valid", "unique", "novel")
LABEL_HEADS = ("accuracy", "share of the corpus", "valid", "unique", "novel")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table: what was asked for, and what came of it."""

    condition: str
    asked: str
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Asked:
    """What one run's section shows.

    Args:
        spreads: Of each number the distributions of what was obtained, beside those of the corpus.
        scatters: Of each number what was obtained against what was asked for, all of them together.
        numbers, labels: Lines of the two tables.
    """

    n: str
    n_strings: str
    spreads: tuple[Panel, ...] = ()
    scatters: tuple[Panel, ...] = ()
    numbers: tuple[Row, ...] = ()
    labels: tuple[Row, ...] = ()
    number_heads: tuple[str, ...] = NUMBER_HEADS
    label_heads: tuple[str, ...] = LABEL_HEADS


def conditions_of(run: Run) -> Asked | None:
    """What can be shown of the run's `conditions.json`; None where that is nothing."""
    told = run.conditions
    single = entries_of(told.get("numbers"))[:MOST_NUMBERS]
    joint = as_object(told.get("joint"))
    together = entries_of(joint.get("numbers"))[:MOST_NUMBERS]
    labels = [
        (_name(entry), asked) for entry in entries_of(told.get("labels")) for asked in _asked(entry, MOST_CLASSES)
    ]
    rows = [_number_row(_name(entry), asked, entry) for entry in single for asked in _asked(entry)]
    rows += [_number_row(_name(entry), joint | entry, entry, "jointly") for entry in together]
    if not rows and not labels:
        return None
    rows = [Row("", "nothing", ("\u2013",) * 5 + _quality(as_object(told.get("free")))), *rows]
    return Asked(
        number(told.get("n")),
        number(joint.get("n_strings")),
        tuple(panel for entry in single if (panel := _spread(entry))),
        tuple(panel for entry in together if (panel := _scatter(entry))),
        tuple(rows),
        tuple(_label_row(name, asked) for name, asked in labels),
    )


def _number_row(name: str, asked: dict[str, Any], entry: dict[str, Any], what: str = "") -> Row:
    deviation = finite(entry.get("deviation"))
    mae, bias, free, looked_up = (finite(asked.get(key)) for key in ("mae", "bias", "free_mae", "lookup_mae"))
    cells = [rounded(mae), rounded(_over(mae, deviation)), rounded(bias)]
    cells += [rounded(_over(error, deviation)) for error in (free, looked_up)]
    return Row(name, what or _what(asked), (*cells, *_quality(asked)))


def _label_row(name: str, asked: dict[str, Any]) -> Row:
    shares = tuple(_share(asked.get(key)) for key in ("accuracy", "share"))
    return Row(name, str(asked.get("value", "")), shares + _quality(asked))


def _what(asked: dict[str, Any]) -> str:
    """The value, and where among the training strings it lies."""
    quantile = finite(asked.get("quantile"))
    return rounded(finite(asked.get("value"))) + (f" ({quantile:.0%})" if 0 <= quantile <= 1 else "")


def _spread(entry: dict[str, Any]) -> Panel | None:
    """A violin each of the corpus, of samples that were asked for nothing, and of each asked value."""
    asked = [(finite(each.get("value")), _drawable(each.get("obtained"))) for each in _asked(entry)]
    asked = [(value, values) for value, values in asked if not math.isnan(value)]
    violins = [("corpus", _drawable(entry.get("corpus")), "corpus"), ("nothing", _drawable(entry.get("free")), OWN)]
    violins += [(rounded(value), values, OWN) for value, values in asked]
    drawn = [values for _, values, _ in violins if len(values)]
    if not any(len(values) for _, values in asked):
        return None
    low = min(*(np.percentile(values, 0.5) for values in drawn), *(value for value, _ in asked))
    high = max(*(np.percentile(values, 99.5) for values in drawn), *(value for value, _ in asked))
    margin = 0.06 * (high - low) or 1.0
    grid = np.linspace(low - margin, high + margin, 70)

    def plot(axes: Axes) -> None:
        for x, (_, values, colour) in enumerate(violins):
            if len(values):
                _violin(axes, x, values, grid, COLOURS[colour])
        for x, (value, _) in enumerate(asked, len(violins) - len(asked)):
            axes.hlines(value, x - 0.46, x + 0.46, color=COLOURS["ink"], linewidth=1.5)
        axes.set_xticks(range(len(violins)), [label for label, _, _ in violins])
        axes.grid(visible=False, axis="x")
        axes.set_xlim(-0.55, len(violins) - 0.45)
        axes.set_ylim(grid[0], grid[-1])

    name = _name(entry)
    found = "; ".join(f"asked {rounded(value)}: {_about(values)}" for value, values in asked if len(values))
    keys = (Key("obtained", OWN, "area"), Key("corpus", "corpus", "area"), Key("asked for", "ink", "thin"))
    return Panel(
        PROPERTIES.get(name, name),
        draw(plot, "asked for"),
        f"Distributions of {name} by what was asked for. {found}",
        f"Median (quartiles): {found}.",
        keys,
    )


def _violin(axes: Axes, x: int, values: np.ndarray, grid: np.ndarray, colour: str) -> None:
    """The density to both sides of x, with the quartiles and the median in it."""
    widths = density(values, grid)
    widths = 0.4 * widths / widths.max()
    axes.fill_betweenx(grid, x - widths, x + widths, color=colour, alpha=0.45, linewidth=0)
    quartiles = np.percentile(values, [25, 50, 75])
    axes.vlines(x, quartiles[0], quartiles[2], color=colour, linewidth=2.5)
    axes.plot([x], [quartiles[1]], "o", color=COLOURS["paper"], markeredgecolor=colour, markersize=4)


def _scatter(entry: dict[str, Any]) -> Panel | None:
    asked, obtained = (numbers(entry.get(key))[:N_POINTS] for key in ("asked", "obtained"))
    n = min(len(asked), len(obtained))
    points = np.stack([asked[:n], obtained[:n]], 1)
    points = points[(np.abs(points) < LARGEST).all(1)]  # NaN is no such number
    if len(points) < 2:
        return None
    low, high = np.percentile(points, 0.5), np.percentile(points, 99.5)
    margin = 0.06 * (high - low) or 1.0

    def plot(axes: Axes) -> None:
        axes.plot(points[:, 0], points[:, 1], ".", color=COLOURS[OWN], markersize=6, alpha=0.55, markeredgewidth=0)
        ends = (low - margin, high + margin)
        axes.plot(ends, ends, color=COLOURS["ink"], linewidth=1, linestyle=DASHED)
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)

    name = _name(entry)
    correlation = finite(entry.get("correlation"))
    mae, deviation = finite(entry.get("mae")), finite(entry.get("deviation"))
    caption = f"Mean error {rounded(mae)} ({rounded(_over(mae, deviation))} sd), correlation {rounded(correlation)}."
    title = f"{name}: obtained against asked for"
    return Panel(title, draw(plot, "asked for", "obtained"), f"{title}. {caption}", caption)


def _asked(entry: dict[str, Any], most: int = MOST_ASKED) -> list[dict[str, Any]]:
    return entries_of(entry.get("asked"))[:most]


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("name", ""))


def _drawable(values: object) -> np.ndarray:
    array = numbers(values)[:N_POINTS]
    return array[np.abs(array) < LARGEST]


def _over(value: float, unit: float) -> float:
    return value / unit if unit > 0 else math.nan


def _quality(told: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_share(told.get(key)) for key in ("valid", "unique", "novelty"))


def _share(value: object) -> str:
    share = finite(value)
    return "\u2013" if math.isnan(share) else f"{share:.3f}"


def _about(values: np.ndarray) -> str:
    low, middle, high = (rounded(value) for value in np.percentile(values, [25, 50, 75]).tolist())
    return f"{middle} ({low} to {high})"
