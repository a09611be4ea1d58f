"""One small panel of a figure as inline SVG that takes its colours and its font from the page around it."""

import dataclasses
import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

# A panel is drawn with these stand-ins; each becomes a CSS variable: one drawing for light, dark and print.
COLOURS = {
    "ink": "#0a0b01",
    "quiet": "#0a0b02",
    "grid": "#0a0b03",
    "paper": "#0a0b04",
    "corpus": "#0a0b05",
} | {f"s{i}": f"#0a0b1{i}" for i in range(1, 9)}

# What the variables stand for in the light scheme: for drawings that leave the page.
LIGHT = {
    "ink": "#1f2933",
    "quiet": "#5b6672",
    "grid": "#e3e2dc",
    "paper": "#ffffff",
    "corpus": "#a9adb0",
    "s1": "#0b6e8a",
    "s2": "#b44d12",
    "s3": "#5f4b9b",
    "s4": "#4b7a1f",
    "s5": "#b03a64",
    "s6": "#8a6a00",
    "s7": "#2f5fb3",
    "s8": "#6b6f76",
}

SMALL, LARGE, FLAT = (340, 225), (400, 250), (340, 150)  # sizes of a panel: three or two beside one another, or low
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "freerun",
    "font.size": 10.5,
    "axes.labelsize": 10.5,
    "axes.labelcolor": COLOURS["quiet"],
    "axes.edgecolor": COLOURS["quiet"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["quiet"],
    "ytick.color": COLOURS["quiet"],
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "text.color": COLOURS["ink"],
    "text.parse_math": False,
}


@dataclasses.dataclass(frozen=True)
class Key:
    """An entry of the legend, which is HTML: names of runs never enter the SVG."""

    label: str
    colour: str
    mark: str = "line"  # or "thin", "dash", "area"


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    svg: Markup
    alt: str
    caption: str = ""
    keys: tuple[Key, ...] = ()


def draw(plot: Callable[[Axes], None], xlabel: str, ylabel: str = "", size: tuple[int, int] = SMALL) -> Markup:
    """`plot` draws into empty axes of the house's style; back comes an `<svg>` element of some kilobytes."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), layout="constrained")
        axes = figure.subplots()
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        plot(axes)
        text = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    return Markup(_compact(text.getvalue()))


def standalone(svg: Markup, width: int = 2 * SMALL[0]) -> str:
    """The same drawing as a file of its own, `width` pixels wide, in the light scheme on a white ground."""
    text = str(svg)
    for name, colour in LIGHT.items():
        text = text.replace(f"var(--{name})", colour)
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    ground = '><rect width="100%" height="100%" fill="#ffffff"/>'
    text = text.replace("<svg", f'<svg {spaces} width="{width}" font-family="sans-serif"', 1)
    return text.replace(">", ground, 1) + "\n"


def short(value: float, _position: int | None = None) -> str:
    """A tick's label: 1200 is 1.2k, 0.25 stays, no trailing zeros."""
    for factor, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{suffix}"
    return f"{0 if abs(value) < 1e-12 else value:.4g}".replace("-", "\u2212")


def numbers(values: object) -> np.ndarray:
    """A float array of whatever a JSON list holds; what is no number is NaN, what is no list is empty."""
    if not isinstance(values, list):
        return np.zeros(0)
    good = (value if isinstance(value, int | float) and abs(value) < 1e300 else np.nan for value in values)
    return np.array([float(value) for value in good])


_DECIMALS = re.compile(r"-?\d+\.\d{2,}")


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match.group()):.1f}".removesuffix(".0")


def _compact(svg: str) -> str:
    """Drops what the page supplies (fonts, name spaces, metadata), rounds coordinates, makes ids unique on the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true" focusable="false">', svg, count=1
    )
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r' (d|x|y|transform)="[^"]*"', lambda place: _DECIMALS.sub(_rounded, place.group()), svg)
    svg = re.sub(r"\s*\n\s*", " ", svg).replace("> <", "><")
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    prefix = "f" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{prefix}", svg)
    while "<g></g>" in svg or "<defs></defs>" in svg:
        svg = svg.replace("<g></g>", "").replace("<defs></defs>", "")
    return svg
