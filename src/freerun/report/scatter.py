"""Scatter plots of thousands of points in a few kilobytes: one path a colour, each point a dot of no length."""

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup

from freerun.report.svg import short

WIDTH, HEIGHT, LEGEND, MARGIN = 340, 250, 26, 6
N_SHADES = 9
N_LAYER = 250  # points that are drawn before all colours come again: no colour lies on top everywhere


def by_value(places: Float[np.ndarray, "points 2"], values: Float[np.ndarray, " points"]) -> Markup:
    """Coloured by a number, from the 2nd to the 98th of its hundredths, with the scale below; NaN is grey."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if len(known) else (0.0, 0.0)
    scaled = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
    shade = np.full(len(values), -1)
    shade[np.isfinite(values)] = np.clip(scaled[np.isfinite(values)] * N_SHADES, 0, N_SHADES - 1).astype(int)
    classes = [f"q{number}" for number in range(N_SHADES)]
    return _svg(_dots(places, shade, classes, HEIGHT - LEGEND) + _scale(low, high, classes), len(places))


def by_class(places: Float[np.ndarray, "points 2"], colour: Int[np.ndarray, " points"], n_colours: int) -> Markup:
    """Coloured by a class, of which `colour` is the number; -1 is grey."""
    return _svg(_dots(places, colour, [f"k{number + 1}" for number in range(n_colours)], HEIGHT), len(places))


def _dots(places: np.ndarray, colour: np.ndarray, classes: list[str], height: int) -> str:
    """Both axes at one scale, the middle of the points in the middle."""
    middle = (places.max(0) + places.min(0)) / 2
    spans = np.maximum(places.max(0) - places.min(0), 1e-9)
    scale = ((np.array([WIDTH, height]) - 2 * MARGIN) / spans).min()
    at = (places - middle) * scale * (1, -1) + np.array([WIDTH, height]) / 2
    parts = []
    for start in range(0, len(at), N_LAYER):
        layer, colours = at[start : start + N_LAYER], colour[start : start + N_LAYER]
        for number in range(-1, len(classes)):
            chosen = layer[colours == number]
            if len(chosen):
                dots = "".join(f"M{x:.1f},{y:.1f}h.01" for x, y in chosen.tolist())
                parts.append(f'<path class="{classes[number] if number >= 0 else "none"}" d="{dots}"/>')
    return "".join(parts)


def _scale(low: float, high: float, classes: list[str]) -> str:
    """The colours from low to high, with both ends named."""
    left, wide, top = WIDTH * 0.25, WIDTH * 0.5 / len(classes), HEIGHT - 16
    boxes = "".join(
        f'<rect class="{name}" x="{left + i * wide:.1f}" y="{top}" width="{wide + 0.3:.1f}" height="9"/>'
        for i, name in enumerate(classes)
    )
    ends = (
        f'<text x="{left - 6:.0f}" y="{top + 9}" text-anchor="end">{short(float(f"{low:.3g}"))}</text>'
        f'<text x="{WIDTH - left + 6:.0f}" y="{top + 9}">{short(float(f"{high:.3g}"))}</text>'
    )
    return boxes + ends


def _svg(content: str, n_points: int) -> Markup:
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false"'
    dot = 5 if n_points < 400 else 3.2
    return Markup(f'<svg class="codes" style="--dot:{dot}" {size}>{content}</svg>')
