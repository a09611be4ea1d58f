"""Captions of COCO, BLEU-4 against self-BLEU-4 over temperatures, as results stand: python docs/diagrams/coco.py"""

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from drawing import INK, QUIET, STYLE, calm, of_seeds, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from freerun.report.svg import LIGHT

RESULTS = Path(__file__).parents[1] / "results" / "coco"
NAMES = {
    "mle": "maximum likelihood",
    "gumbel_gan": "Gumbel-softmax GAN",
    "seqgan": "SeqGAN",
    "random": "control: random reward",
}
PLACES = ("self-BLEU-4", "BLEU-4")


def draw(axes: Axes) -> None:
    for place, (row, name) in enumerate(NAMES.items()):
        runs = [json.loads(path.read_text("utf-8"))["points"] for path in sorted(RESULTS.glob(f"{row}-?.json"))]
        if not runs:
            continue
        x, y = (np.mean([[point[key] for point in run] for run in runs], 0) for key in PLACES)
        plain = [point["temperature"] == 1.0 for point in runs[0]]
        colour, dashes = LIGHT[f"s{place + 1}"], (0, (4, 2)) if row == "random" else "-"
        label = of_seeds(name, len(runs))
        axes.plot(x, y, color=colour, linestyle=dashes, linewidth=1.6, marker="o", markersize=3.5, label=label)
        axes.plot(x[plain], y[plain], "o", color=colour, markersize=7.5, markeredgecolor="white")
    truth = json.loads((RESULTS / "corpus-0.json").read_text("utf-8"))["points"][0]
    axes.plot(*(truth[key] for key in PLACES), "*", color=INK, markersize=13, label="captions of the training set")


def main() -> None:
    style: Any = STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(8.2, 4.4), facecolor="white", layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_xlabel("self-BLEU-4 of 5,000 captions: how alike they are", color=QUIET)
        axes.set_ylabel("BLEU-4 against the test set", color=QUIET)
        calm(axes)
        title = "one point a temperature, .5 to 1.1; large: T = 1"
        axes.legend(loc="lower right", frameon=False, fontsize=9.5, title=title, alignment="left")
    save(figure, "coco")


if __name__ == "__main__":
    main()
