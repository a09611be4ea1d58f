"""The exposure curves: how far is free running from teacher forcing?"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from freerun.report.figures import DASHED, colour_of, named, run_keys
from freerun.report.folder import Run
from freerun.report.svg import COLOURS, LARGE, Key, Panel, draw, numbers

BANDS = 2  # standard errors to each side


def exposure_panels(runs: Sequence[Run]) -> list[Panel]:
    """The probe, the completion of true prefixes, and one wrong token: its effect on validity and on the states."""
    quality = next((str(run.exposure["quality"]) for run in runs if "quality" in run.exposure), "validity")
    panels = [
        _panel(
            runs,
            "Can a probe tell the two modes apart?",
            "probe",
            ("position", "accuracy", "standard_error"),
            ("position", "accuracy"),
            "Held-out accuracy of a linear probe on the hidden states: 0.5 (dashed) means that teacher forcing and "
            "free running pass through the same states; the further above, the further the modes have drifted apart.",
            level=0.5,
        ),
        _panel(
            runs,
            "Does a true beginning help?",
            "prefix",
            ("length", "validity", "standard_error"),
            ("true tokens given", quality),
            "Strings completed freely from the first tokens of a true one: a curve that rises means that the model "
            "errs more, the more of the string it writes by itself; a flat one, that it keeps to its own path.",
        ),
        _panel(
            runs,
            "What does one wrong token cost?",
            "perturbation",
            ("position", "validity", "standard_error"),
            ("position of the wrong token", quality),
            "One true token is replaced by another that the model holds possible (more than 1 %), and the rest is "
            "written freely: the gap below the dashed line, the same prefixes unharmed, is what the error costs.",
            beside="validity_unperturbed",
        ),
        _panel(
            runs,
            "Is the error forgotten?",
            "perturbation",
            ("steps_since", "state_distance", "state_distance_standard_error"),
            ("steps since the wrong token", "distance of states"),
            "How far the hidden states are from those without the wrong token (relative to their length), while both "
            "read on over the same true tokens: a falling curve means that the model recovers, a level one that it "
            "carries the error along.",
            ceiling=np.inf,
        ),
    ]
    return [panel for panel in panels if panel is not None]


def _panel(
    runs: Sequence[Run],
    title: str,
    table: str,
    columns: tuple[str, str, str],
    labels: tuple[str, str],
    reading: str,
    level: float | None = None,
    beside: str | None = None,
    ceiling: float = 1.0,
) -> Panel | None:
    """Curve and band for each run, cut at `ceiling`; `beside` names a second, dashed column, `level` a horizontal."""
    curves = [_curve(run, table, (*columns, beside) if beside else columns) for run in runs]
    if not any(len(curve[0]) for curve in curves):
        return None

    def plot(axes: Axes) -> None:
        if level is not None:
            axes.axhline(level, color=COLOURS["quiet"], linestyle=DASHED, linewidth=1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for i, (x, y, error, *others) in enumerate(curves):
            colour = COLOURS[colour_of(i)]
            band = BANDS * np.nan_to_num(error)
            axes.fill_between(
                x, np.maximum(y - band, 0), np.minimum(y + band, ceiling), color=colour, alpha=0.18, linewidth=0
            )
            for other in others:
                axes.plot(x, other, color=colour, linestyle=DASHED, linewidth=1.2)
            axes.plot(x, y, color=colour)

    keys = run_keys(runs)
    if beside:
        colour = colour_of(0) if len(runs) == 1 else "quiet"
        keys = (Key("one wrong token", colour), Key("unharmed", colour, "dash"), *keys)
    found = named(runs, [_extremes(curve, labels[1]) if len(curve[0]) else "" for curve in curves])
    return Panel(title, draw(plot, *labels, LARGE), f"{title} {found}.", f"{reading} Here: {found}.", keys)


def _curve(run: Run, table: str, columns: Sequence[str]) -> list[np.ndarray]:
    """The columns, cut to one length and to the rows whose first two are numbers; a missing third or fourth is NaN."""
    entries = run.exposure.get(table)
    entries = entries if isinstance(entries, dict) else {}
    arrays = [numbers(entries.get(name)) for name in columns]
    n = min(len(arrays[0]), len(arrays[1]))
    arrays = [array[:n] if len(array) >= n else np.full(n, np.nan) for array in arrays]
    good = np.isfinite(arrays[0]) & np.isfinite(arrays[1])
    return [array[good] for array in arrays]


def _extremes(curve: list[np.ndarray], name: str) -> str:
    x, y = curve[0], curve[1]
    low, high = y.argmin(), y.argmax()
    return f"{name} from {y[low]:.3g} (at {x[low]:g}) to {y[high]:.3g} (at {x[high]:g})"
