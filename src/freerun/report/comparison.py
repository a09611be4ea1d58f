"""A comparison as one HTML page: measures with their intervals, paired differences, costs, settings that differ."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from matplotlib.axes import Axes

from freerun.bootstrap import Estimate
from freerun.corpora.reading import plural
from freerun.files import write_text
from freerun.report.facts import Fact, differing_settings, duration
from freerun.report.figures import colour_of
from freerun.report.folder import read_run
from freerun.report.measures import meaning_of, number
from freerun.report.page import environment, style
from freerun.report.svg import COLOURS, Key, Panel, draw
from freerun.standings import Comparison, Standing

NAME = "comparison.html"
MEANING = {
    "valid_nll_per_token": ("NLL of strings held out, nats a token", -1),
    "valid_neg_elbo_per_token": ("negative ELBO of strings held out, nats a token", -1),
    "valid_neg_elbo_hard_per_token": ("the same, with hard codes", -1),
}
N_PANELS = 24
WIDTH, ROW, FRAME = 340, 22, 62  # of a panel, of a contender in it, and of its axis with its margins: pixels


@dataclasses.dataclass(frozen=True)
class Cell:
    """One contender's figure.

    Args:
        interval: And of how many seeds, where some have no value.
        side: `better` or `worse` than the first where the interval says so, `other` where neither is better.
    """

    value: str = "\u2013"
    interval: str = ""
    side: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    meaning: str
    direction: int
    cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True)
class Link:
    """One run: its folder beside the page, its report where it has one."""

    label: str
    seed: int
    folder: str
    href: str
    report: str
    ended: str
    time: str


def write_comparison(compared: Comparison) -> Path:
    """`comparison.html` in the folder of the comparison; the same comparison gives the same bytes."""
    path = compared.path / NAME
    write_text(path, render(compared))
    return path


def render(compared: Comparison) -> str:
    labels = [standing.label for standing in compared.standings]
    first, *others = compared.standings
    names = compared.names
    measures = [_row(compared, name, [each.measures.get(name) for each in compared.standings]) for name in names]
    differences = [_row(compared, name, [each.differences.get(name) for each in others], signed=True) for name in names]
    return (
        environment("freerun.report")
        .get_template("comparison.html.j2")
        .render(
            css=style(Path(__file__).parent / "templates" / "comparison.css"),
            title=", ".join(labels[:-1]) + (" and " if labels[1:] else "") + labels[-1],
            compared=compared,
            first=first.label,
            labels=labels,
            colours=[colour_of(i) for i in range(len(labels))],
            measures=measures,
            differences=[row for row in differences if any(cell != Cell() for cell in row.cells)],
            costs=_costs(compared.standings),
            panels=_panels(compared),
            settings=_settings(compared),
            links=_links(compared),
        )
    )


def _row(compared: Comparison, name: str, estimates: Sequence[Estimate | None], signed: bool = False) -> Row:
    meaning, direction = _meaning(compared, name)
    cells = tuple(_cell(each, compared.n_seeds, direction, signed) for each in estimates)
    return Row(name, meaning, direction, cells)


def _meaning(compared: Comparison, name: str) -> tuple[str, int]:
    return MEANING.get(name) or compared.paid.get(name) or meaning_of(name)


def _cell(estimate: Estimate | None, n_seeds: int, direction: int = 0, signed: bool = False) -> Cell:
    if estimate is None or estimate.n == 0:
        return Cell()
    notes, side = [], ""
    if estimate.has_interval:
        notes.append(f"{_told(estimate.low, signed)} \u2026 {_told(estimate.high, signed)}")
    if estimate.n < n_seeds:
        notes.append(f"of {plural(estimate.n, 'seed')}")
    if signed and estimate.is_clear:
        side = {0: "other", 1: "better", -1: "worse"}[direction * (1 if estimate.mean > 0 else -1)]
    return Cell(_told(estimate.mean, signed), ", ".join(notes), side)


def _told(value: float, signed: bool) -> str:
    sign = "+" if signed and value > 0 else ""
    return sign + number(float(value)).replace("-", "\u2212")


def _costs(standings: Sequence[Standing]) -> list[Fact]:
    """Means over seeds; objective calls only where there were any."""
    rows = []
    for label, cost in (("steps", "steps"), ("tokens read", "tokens"), ("objective calls", "calls")):
        means = [standing.costs[cost].mean for standing in standings]
        if cost != "calls" or any(mean > 0 for mean in means):
            rows.append(Fact(label, tuple(f"{mean:,.0f}" if math.isfinite(mean) else "\u2013" for mean in means)))
    times = [standing.costs["seconds"].mean for standing in standings]
    rows.append(Fact("time of training", tuple(duration(t) if math.isfinite(t) else "\u2013" for t in times)))
    return rows


def _panels(compared: Comparison) -> list[Panel]:
    """One a measure: the interval of each contender as a line, its mean as a dot, the seeds as ticks."""
    names = [
        name
        for name in compared.names
        if any(math.isfinite(each.measures[name].mean) for each in compared.standings if name in each.measures)
    ]
    keys = tuple(Key(each.label, colour_of(i)) for i, each in enumerate(compared.standings))
    return [_panel(compared, name, keys) for name in names[:N_PANELS]]


def _panel(compared: Comparison, name: str, keys: tuple[Key, ...]) -> Panel:
    standings = compared.standings

    def plot(axes: Axes) -> None:
        for i, standing in enumerate(standings):
            estimate, colour = standing.measures.get(name, Estimate(0)), COLOURS[colour_of(i)]
            seeds = np.array([run.values.get(name, math.nan) for run in standing.runs], dtype=np.float64)
            seeds = seeds[np.isfinite(seeds)]
            axes.plot(seeds, np.full(len(seeds), i), "|", color=colour, markersize=9, markeredgewidth=1, alpha=0.6)
            if estimate.has_interval:
                axes.plot([estimate.low, estimate.high], [i, i], color=colour, linewidth=3, alpha=0.7)
            if estimate.n:
                axes.plot([estimate.mean], [i], "o", color=colour, markersize=6, markeredgecolor=COLOURS["paper"])
        axes.set_ylim(len(standings) - 0.4, -0.6)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.08)

    meaning, direction = _meaning(compared, name)
    way = {1: "more is better", -1: "less is better", 0: ""}[direction]
    caption = "; ".join(part for part in (meaning, way) if part)
    cells = [_cell(each.measures.get(name), compared.n_seeds) for each in standings]
    found = [
        f"{each.label} {cell.value}" + (f" ({cell.interval})" if cell.interval else "")
        for each, cell in zip(standings, cells, strict=True)
    ]
    svg = draw(plot, "", size=(WIDTH, FRAME + ROW * len(standings)))
    return Panel(name, svg, f"{name}: {'; '.join(found)}.", caption, keys)


def _settings(compared: Comparison) -> list[Fact]:
    """Those in which the contenders' first runs differ."""
    runs = []
    for standing in compared.standings:
        if standing.runs and (compared.path / standing.runs[0].folder).is_dir():
            run = read_run(compared.path / standing.runs[0].folder)
            runs.append(dataclasses.replace(run, name=standing.label))
    return differing_settings(runs) if len(runs) == len(compared.standings) else []


def _links(compared: Comparison) -> list[Link]:
    links = []
    for standing in compared.standings:
        for run in standing.runs:
            href = quote(run.folder)
            has_report = (compared.path / run.folder / "report.html").exists()
            report = f"{href}/report.html" if has_report else ""
            time = duration(run.costs["seconds"])
            links.append(Link(standing.label, run.seed, run.folder, f"{href}/", report, run.ended, time))
    return links
