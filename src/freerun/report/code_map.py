"""The latent space drawn: a map of the codes coloured by properties, and which strings lie side by side."""

import dataclasses
from typing import Any

import numpy as np

from freerun.report.figures import PROPERTIES
from freerun.report.folder import Run
from freerun.report.molecules import Drawing, drawing
from freerun.report.samples import is_chemical
from freerun.report.scatter import by_class, by_value
from freerun.report.svg import Key, Panel, numbers
from freerun.report.told import LARGEST, as_object, entries_of, finite, rounded

N_POINTS, MOST_COLOURS, MOST_CLASSES = 2000, 6, 7
N_CENTRES, N_NEAREST = 3, 6


@dataclasses.dataclass(frozen=True)
class Neighbour:
    drawing: Drawing
    distance: str


@dataclasses.dataclass(frozen=True)
class Neighbourhood:
    centre: Drawing
    nearest: tuple[Neighbour, ...]


@dataclasses.dataclass(frozen=True)
class Codes:
    """What one run's section shows; empty where it has no codes."""

    maps: tuple[Panel, ...] = ()
    neighbourhoods: tuple[Neighbourhood, ...] = ()


def codes_of(run: Run, *, n_runs: int = 1, is_drawn: bool = True) -> Codes:
    """What can be shown of the run's `posterior.json`; what is no map and no neighbourhood in it is left out.

    Args:
        n_runs: On the page: the more, the less is shown of each.
        is_drawn: Molecules are drawn, else they are text: the page would be too large.
    """
    told = run.posterior
    n_centres = N_CENTRES if n_runs == 1 else 1
    around = [_neighbourhood(entry, is_chemical(run) and is_drawn) for entry in entries_of(told.get("neighbours"))]
    return Codes(_maps(as_object(told.get("map")), n_runs), tuple(each for each in around[:n_centres] if each))


def _maps(told: dict[str, Any], n_runs: int) -> tuple[Panel, ...]:
    x, y = (numbers(told.get(axis))[: N_POINTS // min(n_runs, 8)] for axis in ("x", "y"))
    n = min(len(x), len(y))
    places = np.stack([x[:n], y[:n]], 1)
    good = np.array((np.abs(places) < LARGEST).all(1))
    if good.sum() < 2:
        return ()
    shares = [value for value in map(finite, numbers(told.get("shares"))[:2].tolist()) if 0 <= value <= 1]
    axes = f"The axes show {' and '.join(f'{share:.1%}' for share in shares)} of the variance." if shares else ""
    panels = [
        _map(entry, places, good) for entry in entries_of(told.get("colours"))[: MOST_COLOURS if n_runs == 1 else 2]
    ]
    found = [panel for panel in panels if panel is not None] or [_plain(places[good])]
    return tuple(dataclasses.replace(panel, caption=f"{panel.caption} {axes}".strip()) for panel in found)


def _plain(places: np.ndarray) -> Panel:
    title = f"The codes of {len(places):,} held-out strings"
    return Panel(title, by_class(places, np.zeros(len(places), int), 1), f"{title}, a scatter plot.")


def _map(entry: dict[str, Any], places: np.ndarray, good: np.ndarray) -> Panel | None:
    """The codes coloured by one property; None where it has no value."""
    values = numbers(entry.get("values"))[: len(places)]
    values = np.append(values, np.full(len(places) - len(values), np.nan))
    values = np.where(np.abs(values) < LARGEST, values, np.nan)[good]
    if not np.isfinite(values).any():
        return None
    name = str(entry.get("name", ""))
    title = PROPERTIES.get(name, name)
    classes = entry.get("classes")
    if isinstance(classes, list):
        return _of_classes(title, places[good], values, [str(each) for each in classes])
    alt = f"Map of {good.sum():,} codes coloured by {name}."
    return Panel(title, by_value(places[good], values), alt, f"{good.sum():,} held-out strings.")


def _of_classes(title: str, places: np.ndarray, values: np.ndarray, classes: list[str]) -> Panel:
    """The commonest classes have a colour each, the others and what is missing are grey."""
    known = np.where((values >= 0) & (values < len(classes)), values, -1).astype(int)
    present, counts = np.unique(known[known >= 0], return_counts=True)
    shown = present[np.argsort(-counts, kind="stable")][:MOST_CLASSES].tolist()
    colour = np.full(len(places), -1)
    for place, number in enumerate(shown):
        colour[known == number] = place
    keys = [Key(classes[number], f"s{place + 1}", "dot") for place, number in enumerate(shown)]
    if (colour < 0).any():
        keys.append(Key("others, or not known", "corpus", "dot"))
    svg = by_class(places, colour, len(shown))
    return Panel(
        title, svg, f"Map of {len(places):,} codes by class.", f"{len(places):,} held-out strings.", tuple(keys)
    )


def _neighbourhood(entry: dict[str, Any], is_drawn: bool) -> Neighbourhood | None:
    string, nearest = entry.get("string"), entries_of(entry.get("nearest"))[:N_NEAREST]
    if not isinstance(string, str) or not nearest:
        return None
    strings = [text if isinstance(text := each.get("string"), str) else "" for each in nearest]
    distances = [_distance(finite(each.get("distance"))) for each in nearest]
    pairs = zip(strings, distances, strict=True)
    return Neighbourhood(
        _drawn(string, is_drawn), tuple(Neighbour(_drawn(text, is_drawn), distance) for text, distance in pairs)
    )


def _distance(value: float) -> str:
    return f"{value:.2f}" if 0.1 < value < 1000 else rounded(value)


def _drawn(string: str, is_drawn: bool) -> Drawing:
    return drawing(string) if is_drawn else Drawing(string, None, "")
