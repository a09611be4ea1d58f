"""SeqGAN's synthetic benchmark as one picture, of the results that there are: python docs/diagrams/frontier.py"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from drawing import INK, QUIET, calm, of_seeds, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from freerun.metrics.oracle import ENTROPY
from freerun.report.frontier import Curve, curve_of
from freerun.report.svg import LIGHT

RESULTS = Path(__file__).parents[1] / "results"
NAMES = {
    "mle": "maximum likelihood",
    "mle_published": "the same, 120 epochs",
    "mle_free": "maximum likelihood, network free",
    "seqgan": "SeqGAN",
    "seqgan_plain": "SeqGAN, no baseline",
    "maligan": "MaliGAN",
    "gumbel_gan": "Gumbel-softmax GAN",
    "constant": "control: constant reward",
    "random": "control: random reward",
    "own_output": "control: on its own output",
}
CONTROLS = ("constant", "random", "own_output")
PUBLISHED = {  # Caccia et al. 2018, arXiv:1811.02549: NLL_oracle at NLL_test 8 and 9
    "maximum likelihood, tuned": ("x", (8.15, 6.30)),
    "CoT": ("+", (7.83, 6.42)),
    "SeqGAN": ((6, 2, 0), (10.47, 9.71)),
}
SEQGAN = 8.736  # Yu et al. 2017, arXiv:1609.05473, at an NLL_test that nobody knows
X, Y = (7.4, 11.4), (5.5, 10.9)


def curves() -> dict[str, list[Curve]]:
    """Of each row one curve a seed, in the order of `NAMES`, then by name."""
    found: dict[str, list[Curve]] = {}
    for path in sorted((RESULTS / "oracle").glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        found.setdefault(result["row"], []).append(curve_of(result["points"]))
    order = sorted(found, key=lambda row: (list(NAMES).index(row) if row in NAMES else len(NAMES), row))
    return {row: found[row] for row in order}


def mean(seeds: Sequence[Curve]) -> Curve:
    """Over the seeds, at the temperatures that all of them have."""
    temperatures = sorted(set.intersection(*(set(seed[0].tolist()) for seed in seeds)))
    places = [seed[1:] for seed in seeds]
    rows = [[seed[0].tolist().index(temperature) for temperature in temperatures] for seed in seeds]
    x, y = (np.mean([place[at][row] for place, row in zip(places, rows, strict=True)], axis=0) for at in (0, 1))
    return np.array(temperatures), x, y


def draw_rows(axes: Axes) -> None:
    found = curves()
    for i, (row, seeds) in enumerate(found.items()):
        temperatures, x, y = mean(seeds)
        colour, dashes = LIGHT[f"s{i % 8 + 1}"], (0, (4, 2)) if row in CONTROLS else "-" if i < 8 else (0, (1, 1))
        name = of_seeds(NAMES.get(row, row.replace("_", " ")), len(seeds))
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=1.6, marker="o", markersize=3.5, label=name)
        plain = np.isclose(temperatures, 1)
        axes.plot(x[plain], y[plain], "o", color=colour, markersize=7.5, markeredgecolor="white")


def draw_published(axes: Axes) -> None:
    for name, (mark, values) in PUBLISHED.items():
        style = {"markersize": 8, "markeredgewidth": 1.6, "color": INK, "linestyle": (0, (1, 3)), "linewidth": 0.8}
        axes.plot((8, 9), values, marker=mark, label=f"published: {name}", **style)
    axes.axhline(SEQGAN, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
    note = f"SeqGAN as published, {SEQGAN}: NLL_test not given"
    axes.text(X[1], SEQGAN + 0.04, note, fontsize=8.5, color=QUIET, ha="right", va="bottom")
    axes.axhline(ENTROPY, color=QUIET, linewidth=1)
    axes.text(X[0] + 0.05, ENTROPY + 0.04, f"entropy of the oracle, {ENTROPY:.2f}", fontsize=8.5, color=QUIET)


def main() -> None:
    figure = Figure(figsize=(10.4, 5.2), facecolor="white", layout="constrained")
    axes = figure.subplots()
    draw_rows(axes)
    draw_published(axes)
    axes.set(xlim=X, ylim=Y)
    axes.set_xlabel("NLL_test, nats a token: what of the truth is missed", color=QUIET)
    axes.set_ylabel("NLL_oracle, nats a token: what is not the truth", color=QUIET)
    calm(axes)
    title = "one point a temperature; large: T = 1"
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9.5, title=title, alignment="left")
    save(figure, "frontier")


if __name__ == "__main__":
    main()
