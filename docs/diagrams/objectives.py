"""What each learner finds along the calls of an objective: python docs/diagrams/objectives.py"""

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from drawing import STYLE, calm, of_seeds, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from freerun.report.svg import LIGHT

RESULTS = Path(__file__).parents[1] / "results" / "objectives"
SCORE = "qed"
NAMES = {
    "organ_15": "ORGAN, beta .015",
    "organ_20": "beta .02",
    "organ_diverse": "beta .03, diversity",
    "organ_paper": "beta 0",
    "organ_0": "lambda 0: no critic",
    "organ_published": "beta 0, all prefixes, 16 rollouts",
    "reinvent": "REINVENT's loss",
    "hill_climb": "hill climb",
}
PANELS = {
    "mean": "Mean QED of the last 2,000",
    "best": "Mean QED of the best 100",
    "best_scaffolds": "Scaffolds among these",
    "best_diversity": "Diversity of these",
}


def draw(axes: Axes, key: str) -> None:
    for place, (row, name) in enumerate(NAMES.items()):
        runs = [json.loads(path.read_text("utf-8"))["along"] for path in sorted(RESULTS.glob(f"{SCORE}-{row}-?.json"))]
        if not runs:
            continue
        calls, values = (np.mean([[point[k] for point in run] for run in runs], 0) for k in ("calls", key))
        label = of_seeds(name, len(runs))
        axes.plot(calls / 1000, values, color=LIGHT[f"s{place + 1}"], marker="o", markersize=3, label=label)
    axes.set(title=PANELS[key], xlabel="thousand distinct molecules paid for")
    calm(axes)


def main() -> None:
    style: Any = STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(10.4, 6.2), facecolor="white", layout="constrained")
        for axes, key in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            draw(axes, key)
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9.5)
    save(figure, "objectives")


if __name__ == "__main__":
    main()
