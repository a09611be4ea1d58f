"""What professor forcing changes, from docs/results/professor.json: python docs/diagrams/professor.py"""

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from drawing import INK, OWN, QUIET, STYLE, TRUE, calm, save
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from freerun.report.svg import LIGHT

RESULTS = Path(__file__).parents[1] / "results" / "professor.json"
BLOCK, TRAINED = 128, 256  # characters of a part of a free text, and of a window of the training
N_DRAWN = 120  # states of each mode: a drawing is to stay small
ABOUT = {"teacher": "teacher forcing", "control": "control, not heeded", "professor": "professor forcing"}

Results = dict[str, Any]


def colour(place: int) -> str:
    return LIGHT[f"s{place % 8 + 1}"]


def draw_critic(axes: Axes, found: Results) -> None:
    for place, (name, run) in enumerate(found.items()):
        if run["critic_accuracy"]:
            axes.plot(*zip(*run["critic_accuracy"], strict=True), color=colour(place), label=ABOUT.get(name, name))
    axes.axhline(0.5, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set(title="The critic is right", xlabel="step")


def draw_probe(axes: Axes, found: Results) -> None:
    for place, (name, run) in enumerate(found.items()):
        accuracy = np.array(run["probe_by_position"])
        smooth = np.convolve(accuracy, np.ones(16) / 16, mode="valid")
        axes.plot(np.arange(len(smooth)) + 8, smooth, color=colour(place), label=ABOUT.get(name, name))
    axes.axhline(0.5, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set(title="A probe tells the modes apart", xlabel="position (mean of 16)")


def draw_words(axes: Axes, found: Results) -> None:
    for place, (name, run) in enumerate(found.items()):
        known = run["known_words"]
        axes.plot((np.arange(len(known)) + 0.5) * BLOCK, known, color=colour(place), label=ABOUT.get(name, name))
    truth = np.mean(next(iter(found.values()))["known_words_of_held_out_text"])
    axes.axhline(truth, color=INK, linewidth=0.8, label="held-out text")
    axes.axvline(TRAINED, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))
    axes.set(title="Words that the corpus holds", xlabel="character (trained on 256)")


def draw_states(axes: Axes, name: str, run: Results) -> None:
    for mode, shade, label in (("forced", TRUE, "under the teacher"), ("free", OWN, "free")):
        x, y = np.array(run[mode][:N_DRAWN]).T
        axes.plot(x, y, "o", color=shade, markersize=2.6, alpha=0.55, markeredgewidth=0, label=label)
    axes.set(title=f"States at position 200: {ABOUT.get(name, name)}", xticks=[], yticks=[])


def main() -> None:
    found: Results = json.loads(RESULTS.read_text("utf-8"))
    style: Any = STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(11, 6.4), facecolor="white", layout="constrained")
        panels = figure.subplots(2, 3)
        for axes, draw in zip(panels[0], (draw_critic, draw_probe, draw_words), strict=True):
            draw(axes, found)
        named = [*found.items()]
        for axes, (name, run) in zip(panels[1], [*named, named[-1]][:3], strict=True):
            draw_states(axes, name, run)
        for axes in panels.flat:
            calm(axes)
            axes.legend(frameon=False, fontsize=8)
    save(figure, "professor")


if __name__ == "__main__":
    main()
