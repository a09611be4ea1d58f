"""Walks in the latent space: grids of decoded codes around a string, and lines between two. Drawn from `walks.json`."""

import contextlib
import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup

from freerun.chemistry import canonical
from freerun.errors import InvalidSequence
from freerun.report.folder import Run
from freerun.report.molecules import Drawing, drawing
from freerun.report.samples import is_chemical
from freerun.scores.expression import evaluate, parse

N_GRIDS, N_LINES, MOST_CELLS = 2, 4, 121
PLOT = (100.0, 52.0)  # width and height of a formula's plot
XS = np.linspace(-10, 10, 101)
LONGEST = 200  # characters of a formula that is plotted


@dataclasses.dataclass(frozen=True)
class Cell:
    """One code's string. `kind`: "centre", "same" (as the centre; on a line, as the one before), or "other"."""

    drawing: Drawing
    kind: str


@dataclasses.dataclass(frozen=True)
class Grid:
    start: str
    rows: tuple[tuple[Cell, ...], ...]
    caption: str


@dataclasses.dataclass(frozen=True)
class Line:
    start: str
    end: str
    cells: tuple[Cell, ...]
    caption: str


@dataclasses.dataclass(frozen=True)
class Walks:
    """What one run's section shows; empty where it has no walks."""

    grids: tuple[Grid, ...] = ()
    lines: tuple[Line, ...] = ()
    d_latent: object = None


def walks_of(run: Run, *, alone: bool = True, is_drawn: bool = True) -> Walks:
    """What can be shown of the run's `walks.json`; what is no grid and no line in it is left out.

    Args:
        alone: No other run is on the page: two grids and four lines, else one of each.
        is_drawn: Molecules and formulas are drawn, else they are text: the page would be too large.
    """
    chemical = is_chemical(run)
    how = "none" if not is_drawn else "molecule" if chemical else "formula"
    n_grids, n_lines = (N_GRIDS, N_LINES) if alone else (1, 1)
    grids = [_grid(entry, chemical, how) for entry in _entries(run.walks.get("grids"))[:n_grids]]
    lines = [_line(entry, chemical, how) for entry in _entries(run.walks.get("lines"))[:n_lines]]
    return Walks(
        tuple(grid for grid in grids if grid), tuple(line for line in lines if line), run.walks.get("d_latent")
    )


def _grid(entry: dict[str, Any], chemical: bool, how: str) -> Grid | None:
    found = entry.get("strings")
    rows = [_strings(row) for row in found] if isinstance(found, list) else []
    if not rows or len({len(row) for row in rows}) != 1 or not 0 < len(rows) * len(rows[0]) <= MOST_CELLS:
        return None
    middle = (len(rows) // 2, len(rows[0]) // 2)
    names = [[_name(string, chemical) for string in row] for row in rows]
    centre = names[middle[0]][middle[1]]
    cells = [
        tuple(
            Cell(_drawn(string, how), "centre" if (i, j) == middle else "same" if name == centre else "other")
            for j, (string, name) in enumerate(zip(row, line, strict=True))
        )
        for i, (row, line) in enumerate(zip(rows, names, strict=True))
    ]
    everything = [name for line in names for name in line]
    start = str(entry.get("start", ""))
    back = (
        "its code is decoded to itself" if _name(start, chemical) == centre else "its code is decoded to another string"
    )
    reach = entry.get("reach")
    caption = f"{len(set(everything))} different strings in {len(everything)} cells, {everything.count(centre)} as in "
    caption += f"the centre; {back}."
    if isinstance(reach, int | float):
        caption += f" From the centre to the middle of an edge: {reach:.3g}."
    return Grid(start, tuple(cells), caption)


def _line(entry: dict[str, Any], chemical: bool, how: str) -> Line | None:
    strings = _strings(entry.get("strings"))
    if not 1 < len(strings) <= MOST_CELLS:
        return None
    names = [_name(string, chemical) for string in strings]
    kinds = ["other"] + ["same" if a == b else "other" for a, b in pairwise(names)]
    cells = tuple(Cell(_drawn(string, how), kind) for string, kind in zip(strings, kinds, strict=True))
    caption = f"{len(set(names))} different strings in {len(names)} steps; framed lightly where nothing changes."
    return Line(str(entry.get("start", "")), str(entry.get("end", "")), cells, caption)


def _drawn(string: str, how: str) -> Drawing:
    """A molecule, or the plot of a formula, or the string alone."""
    if how == "molecule":
        return drawing(string)
    return Drawing(string, plot(string) if how == "formula" else None, "")


def plot(formula: str) -> Markup | None:
    """The formula on [-10, 10], in the frame that holds the middle nine tenths of its values; None of anything else."""
    with contextlib.suppress(InvalidSequence):
        if len(formula) <= LONGEST:
            return _curve(evaluate(parse(formula), XS))
    return None


def _curve(values: np.ndarray) -> Markup:
    width, height = PLOT
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [5, 95]) if len(finite) else (0.0, 0.0)
    margin = 0.15 * (high - low) or 1.0
    low, high = low - margin, high + margin
    places = (values - low) / (high - low)
    shown = np.isfinite(places) & (places > -1) & (places < 2)  # far outside: a pole, not a part of the curve
    pieces, pen = [], "M"
    for x, y, is_shown in zip(XS, places, shown, strict=True):
        if is_shown:
            pieces.append(f"{pen}{(x + 10) / 20 * width:.1f},{(1 - min(max(y, 0), 1)) * height:.1f}")
        pen = "L" if is_shown else "M"
    zero = f'<path class="axis" d="M0,{(1 + low / (high - low)) * height:.1f}H{width:.0f}"/>' if low < 0 < high else ""
    axis = f'<path class="axis" d="M{width / 2:.0f},0V{height:.0f}"/>'
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" aria-hidden="true" focusable="false"'
    return Markup(f'<svg class="plotted" {size}>{axis}{zero}<path d="{"".join(pieces)}"/></svg>')


def _name(string: str, chemical: bool) -> str:
    """What makes two strings the same: the molecule, where they are molecules."""
    return (canonical(string) if chemical else None) or string


def _entries(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _strings(value: object) -> Sequence[str]:
    return [item if isinstance(item, str) else "" for item in value] if isinstance(value, list) else []
