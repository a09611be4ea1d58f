"""The pictures of docs/gumbel.md, and the figures that the page quotes: python -m benchmarks.gumbel [FOLDER]

Writes gumbel.svg, gumbel_maximum.svg, gumbel_simplex.svg and gumbel_annealing.svg (to docs/diagrams unless told
otherwise), the same bytes each time, and prints two tables: the Kolmogorov-Smirnov distances of maxima by n, and bias
and deviation of four estimators of one gradient.
"""

import io
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import scipy.stats
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Line
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from torch import Tensor

from freerun.gumbel import Annealing, gumbel_like, gumbel_max, gumbel_softmax, straight_through
from freerun.report.svg import COLOURS, LIGHT, STYLE, short

HERE = Path(__file__).parents[1] / "docs" / "diagrams"
WIDTH = 860  # pixels
BLUE, ORANGE, VIOLET, GREEN = (LIGHT[f"s{i}"] for i in range(1, 5))
NUMBERS = re.compile(r"-?\d+\.\d+")

PLACES = {"mode 0": 0.0, "median 0.367": -math.log(math.log(2)), "mean 0.577": float(np.euler_gamma)}
SIZES = {1: GREEN, 10: ORANGE, 100: VIOLET, 1000: BLUE}  # n, of a maximum
TEMPERATURES = (0.1, 0.5, 1.0, 2.0, 5.0)
LOGITS = torch.tensor([0.5, 0.3, 0.2]).log()
TARGET = torch.tensor([0.6, 0.3, 0.1])  # of the loss whose gradient is estimated
TAUS = (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
N_MAXIMA, N_GRADIENTS = 100_000, 400_000


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def main(folder: Path) -> None:
    matplotlib.use("svg")
    house = {key: LIGHT.get(next((n for n, c in COLOURS.items() if c == v), ""), v) for key, v in STYLE.items()}
    with matplotlib.rc_context(house):
        save(folder / "gumbel.svg", 290, 2, distribution)
        save(folder / "gumbel_maximum.svg", 290, 2, maxima)
        save(folder / "gumbel_simplex.svg", 205, 5, simplices)
        save(folder / "gumbel_annealing.svg", 290, 3, annealing)


def save(path: Path, height: int, n_panels: int, draw: Callable[..., None]) -> None:
    """Text stays text, coordinates keep one decimal, nothing tells the day."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained", facecolor="white")
    draw(*figure.subplots(1, n_panels))
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (d|x|y|transform)="[^"]*"', lambda part: NUMBERS.sub(lambda n: f"{float(n[0]):.4g}", part[0]), svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "sans-serif", svg)
    svg = re.sub(r'(width|height)="(\d+)pt"', r'\1="\2"', svg)
    path.write_text(re.sub(r"\n\s*", "\n", svg), encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def distribution(left: Axes, right: Axes) -> None:
    z = np.linspace(-3, 7, 200)
    draws = gumbel_like(torch.zeros(10_000), seeded()).numpy()
    left.hist(draws, bins=np.linspace(-3, 7, 41).tolist(), density=True, color=LIGHT["grid"], label="10,000 draws")
    left.plot(z, np.exp(-(z + np.exp(-z))), color=BLUE, label="density exp(−(z + exp(−z)))")
    right.plot(z, np.exp(-np.exp(-z)), color=BLUE, label="distribution exp(−exp(−z))")
    for (name, place), colour in zip(PLACES.items(), (ORANGE, VIOLET, GREEN), strict=True):
        left.plot([place] * 2, [0, math.exp(-(place + math.exp(-place)))], color=colour, label=name)
        right.plot([-3, place, place], [math.exp(-math.exp(-place))] * 2 + [0], color=colour, linewidth=1)
    for axes in (left, right):
        axes.set(xlim=(-3, 7), ylim=(0, None), xlabel="z")
        axes.legend(loc="upper right" if axes is left else "lower right", frameon=False)
    right.set_yticks([0, round(math.exp(-1), 3), 0.5, 0.57, 1], ["0", "0.37", "0.5", "0.57", "1"])


def ks_of_maximum(n: int) -> float:
    """Distance of the distribution of max of n exponentials - ln n, (1 - exp(-x) / n)^n, from its limit."""
    x = np.linspace(-math.log(n), 12, 100_001)
    return np.abs((1 - np.exp(-x) / n) ** n - np.exp(-np.exp(-x))).max()


def maxima(left: Axes, right: Axes) -> None:
    x = np.linspace(-3, 6, 400)
    found = {}
    print(f"\n     n  KS distance, exact  of {N_MAXIMA:,} maxima")
    for n, colour in SIZES.items():
        inside = np.maximum(0, 1 - np.exp(-x) / n)
        left.plot(x, inside ** (n - 1) * np.exp(-x) * (x >= -math.log(n)), color=colour, label=f"n = {n:,}")
        rng = seeded()
        drawn = [torch.empty(2000, n).exponential_(generator=rng).amax(1) for _ in range(N_MAXIMA // 2000)]
        found[n] = scipy.stats.kstest(torch.cat(drawn).double().numpy() - math.log(n), "gumbel_r").statistic
        print(f"{n:6,}  {ks_of_maximum(n):18.5f}  {found[n]:16.5f}")
    left.plot(x, np.exp(-(x + np.exp(-x))), color=LIGHT["ink"], linestyle=(0, (3, 2)), label="Gumbel")
    left.set(xlim=(-3, 6), ylim=(0, 1), xlabel="maximum of n exponentials − ln n", title="density")
    left.legend(frameon=False)
    sizes = np.unique(np.geomspace(1, 1000, 40).round()).astype(int)
    right.plot(sizes, [ks_of_maximum(int(n)) for n in sizes], color=BLUE, label="exact, about 0.27 / n")
    right.plot(list(found), list(found.values()), "o", color=ORANGE, label=f"of {N_MAXIMA:,} maxima")
    quantile = math.sqrt(math.log(2 / 0.05) / (2 * N_MAXIMA))
    right.axhline(quantile, color=LIGHT["quiet"], linewidth=1, label="95 % quantile of a sample of the limit")
    right.set(xlabel="n", ylim=(2e-4, 3), title="Kolmogorov-Smirnov distance from the limit")
    logarithmic(right, list(SIZES), (0.001, 0.01, 0.1, 1))
    right.legend(frameon=False)


def logarithmic(axes: Axes, x_ticks: Sequence[float], y_ticks: Sequence[float] = ()) -> None:
    axes.set_xscale("log")
    if y_ticks:
        axes.set_yscale("log")
    for axis, ticks in ((axes.xaxis, x_ticks), (axes.yaxis, y_ticks)):
        if ticks:
            axis.set_major_locator(FixedLocator(list(ticks)))
            axis.set_major_formatter(FuncFormatter(short))
            axis.set_minor_locator(NullLocator())


def simplices(*panels: Axes) -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])
    for axes, temperature in zip(panels, TEMPERATURES, strict=True):
        y = gumbel_softmax(LOGITS.expand(600, -1), temperature, seeded())
        places, largest = y.double().numpy() @ corners, y.argmax(1).numpy()
        for k, colour in enumerate((BLUE, ORANGE, VIOLET)):
            # Dots are strokes of no length with round ends: a third of the bytes of markers.
            strokes = Line(
                np.repeat(places[largest == k], 2, 0), [Line.MOVETO, Line.LINETO] * int((largest == k).sum())
            )
            axes.add_patch(PathPatch(strokes, edgecolor=colour, linewidth=2.6, capstyle="round", alpha=0.6))
            axes.annotate(
                f"{LOGITS[k].exp():.1f}", corners[k], (0, 7 if k == 2 else -8), textcoords="offset points",
                ha="center", va="center", color=colour,
            )  # fmt: skip
        axes.add_patch(PathPatch(Line(np.vstack([corners, corners[:1]])), fill=False, edgecolor=LIGHT["quiet"]))
        axes.set(xlim=(-0.1, 1.1), ylim=(-0.14, 1.0), aspect="equal", title=f"τ = {temperature:g}")
        axes.axis("off")


def loss(y: Tensor) -> Tensor:
    return (y - TARGET).square().sum(-1)


def pathwise(temperature: float, hard: bool) -> Tensor:
    """Gradients of the loss of relaxed draws, each in its own logits; of straight-through draws if `hard`."""
    logits = LOGITS.repeat(N_GRADIENTS, 1).requires_grad_()
    y = gumbel_softmax(logits, temperature, seeded())
    (gradient,) = torch.autograd.grad(loss(straight_through(y) if hard else y).sum(), logits)
    return gradient.double()


def score_function(baseline: float) -> Tensor:
    """(loss(k) - baseline) d log p(k) of exact draws."""
    one_hot = torch.eye(3)[gumbel_max(LOGITS.expand(N_GRADIENTS, -1), seeded())]
    return ((loss(one_hot) - baseline)[:, None] * (one_hot - LOGITS.exp())).double()


def annealing(schedules: Axes, biases: Axes, deviations: Axes) -> None:
    steps = np.arange(101)
    for name, colour in {"constant": GREEN, "linear": ORANGE, "exponential": BLUE}.items():
        schedule = Annealing(1.0, 1.0 if name == "constant" else 0.1, name)
        schedules.plot(steps, [schedule.at(int(step), 100) for step in steps], color=colour, label=name)
    losses = loss(torch.eye(3))
    mean = float((LOGITS.exp() * losses).sum())
    exact = (LOGITS.exp() * (losses - mean)).double()  # the gradient of the mean loss of exact draws
    print(f"\nexact gradient {[round(float(part), 4) for part in exact]}, norm {exact.norm():.4f}")
    print("estimator          tau   norm of the bias  its standard error  standard deviation of one draw (norm)")
    for hard, name, colour in ((False, "relaxed", BLUE), (True, "straight-through", ORANGE)):
        found = [told(name, tau, pathwise(tau, hard) - exact) for tau in TAUS]
        biases.plot(TAUS, [bias for bias, _ in found], color=colour, label=name)
        deviations.plot(TAUS, [deviation for _, deviation in found], color=colour, label=name)
    for baseline, name, colour in ((0.0, "score function", VIOLET), (mean, "with a baseline", GREEN)):
        _, deviation = told(name, math.nan, score_function(baseline) - exact)
        deviations.plot(TAUS, [deviation] * len(TAUS), color=colour, linestyle=(0, (3, 2)), label=name)
    schedules.set(ylim=(0, 1.25), xlabel="step, of 100", title="temperature τ")
    biases.set(ylim=(0, None), xlabel="τ", title="bias of the gradient")
    deviations.set(ylim=(0, None), xlabel="τ", title="its standard deviation, one draw")
    for axes in (biases, deviations):
        logarithmic(axes, (0.1, 0.3, 1, 3))
    for axes in (schedules, biases, deviations):
        axes.legend(frameon=False)


def told(name: str, tau: float, errors: Tensor) -> tuple[float, float]:
    """Norm of the mean error, and of the standard deviation."""
    bias, deviation = float(errors.mean(0).norm()), float(errors.var(0).sum().sqrt())
    print(f"{name:16s}  {tau:4.2f}  {bias:17.4f}  {deviation / math.sqrt(N_GRADIENTS):18.4f}  {deviation:37.3f}")
    return bias, deviation


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
