"""Boxes, arrows, bars: what the diagrams of the documentation are made of. A unit is about a box's height."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from freerun.report.svg import LIGHT

INK, QUIET, GRID = LIGHT["ink"], LIGHT["quiet"], LIGHT["grid"]
TRUE, OWN, THIRD = LIGHT["s1"], LIGHT["s2"], LIGHT["s3"]  # what is true, what is the model's own, the rest
UNIT = 46  # pixels
STYLE = {"svg.fonttype": "path", "svg.hashsalt": "freerun", "font.family": "DejaVu Sans", "text.parse_math": False}


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width * UNIT / 72, height * UNIT / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.axis("off")
    return figure, axes


def calm(axes: Axes) -> None:
    """A plot with a pale grid behind it, and no frame."""
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=QUIET, length=0)


def of_seeds(name: str, n: int) -> str:
    return f"{name} ({n} seed{'s' * (n > 1)})"


def save(figure: Figure, name: str) -> None:
    """As `name`.svg beside this file; the same drawing gives the same bytes."""
    path = Path(__file__).with_name(f"{name}.svg")
    with matplotlib.rc_context(STYLE):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Title": name.replace("_", " ")})
    print(path)


def word(axes: Axes, x: float, y: float, text: str, colour: str = INK, size: float = 11, **where: str) -> None:
    axes.text(x, y, text, color=colour, fontsize=size, ha=where.get("ha", "center"), va=where.get("va", "center"))


def box(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    colour: str = INK,
    width: float = 1.0,
    height: float = 0.8,
    size: float = 11,
    tint: float = 0.08,
) -> None:
    """A rounded box about (x, y)."""
    shape = {"boxstyle": "round,pad=0,rounding_size=0.14", "linewidth": 1.3}
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, facecolor=colour, edgecolor="none", alpha=tint, **shape))
    axes.add_patch(FancyBboxPatch(corner, width, height, facecolor="none", edgecolor=colour, **shape))
    word(axes, x, y, text, INK, size)


def arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = QUIET,
    *,
    bend: float = 0.0,
    dashed: bool = False,
    width: float = 1.4,
) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>,head_length=5,head_width=2.6",
            connectionstyle=f"arc3,rad={bend}",
            color=colour,
            linewidth=width,
            linestyle=(0, (3, 2)) if dashed else "-",
            shrinkA=0,
            shrinkB=0,
        )
    )


def fed_back(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.4) -> None:
    """From the side of one box, down the gap between two columns, into the side of another."""
    middle = (start[0] + end[0]) / 2
    axes.plot(
        [start[0], middle, middle, end[0] - 0.1], [start[1], start[1], end[1], end[1]], color=colour, linewidth=width
    )
    arrow(axes, (end[0] - 0.3, end[1]), end, colour, width=width)


def bars(axes: Axes, x: float, y: float, heights: Sequence[float], marked: int, colour: str) -> None:
    """A small distribution standing on y, one bar marked."""
    step = 0.2
    left = x - step * len(heights) / 2
    for i, height in enumerate(heights):
        axes.bar(left + (i + 0.5) * step, height, 0.15, bottom=y, color=colour if i == marked else LIGHT["corpus"])
    axes.plot([left - 0.05, left + step * len(heights) + 0.05], [y, y], color=QUIET, linewidth=1)
