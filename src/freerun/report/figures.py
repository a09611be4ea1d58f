"""The figures of the report: each a panel that can be read on a phone; a colour is a run, everywhere."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from freerun.report.folder import Run
from freerun.report.logged import LOGGED, Logged, observed, phases_of, printable
from freerun.report.svg import COLOURS, FLAT, LARGE, Key, Panel, draw, numbers

N_POINTS = 300
DASHED = (0, (4, 2))


def colour_of(index: int) -> str:
    """The CSS variable of run number `index`: eight colours, then again from the first."""
    return f"s{index % 8 + 1}"


def run_keys(runs: Sequence[Run]) -> tuple[Key, ...]:
    """One legend entry a run; none where there is only one run."""
    return tuple(Key(run.name, colour_of(i)) for i, run in enumerate(runs)) if len(runs) > 1 else ()


def named(runs: Sequence[Run], findings: Sequence[str]) -> str:
    """What was found in each run that has something to say, with its name where there are several."""
    pairs = [(run.name, finding) for run, finding in zip(runs, findings, strict=True) if finding]
    return "; ".join(f"{name}: {finding}" if len(runs) > 1 else finding for name, finding in pairs)


def column(records: Sequence[dict], x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """The values of `y` at `x` where both are finite numbers, in the order of `x`."""
    both = [record for record in records if x in record and y in record]
    xs, ys = numbers([record[x] for record in both]), numbers([record[y] for record in both])
    good = np.isfinite(xs) & np.isfinite(ys)
    order = np.argsort(xs[good], kind="stable")
    return xs[good][order], ys[good][order]


Curve = tuple[np.ndarray, np.ndarray]


def thinned(x: np.ndarray, y: np.ndarray, n_points: int) -> Curve:
    """At most `n_points` of them: means of equal groups of neighbours."""
    if len(x) <= n_points:
        return x, y
    edges = np.linspace(0, len(x), n_points + 1).astype(int)[:-1]
    counts = np.diff(np.append(edges, len(x)))
    return np.add.reduceat(x, edges) / counts, np.add.reduceat(y, edges) / counts


def learning_panels(runs: Sequence[Run]) -> list[Panel]:
    """The log over steps: NLL, what a critic and an objective say, samples, the gradient, the learning rate."""
    n_points = max(30, N_POINTS // len(runs))
    panels = [_nll_panel(runs, n_points)] if any(run.log for run in runs) else []
    found = [_logged_panel(runs, logged, n_points) for logged in (*observed(runs), *LOGGED)]
    return panels + [panel for panel in found if panel is not None]


def _logged_panel(runs: Sequence[Run], logged: Logged, n_points: int) -> Panel | None:
    solid = [thinned(*column(run.log, "step", logged.key), n_points) for run in runs]
    key, *names = logged.beside or ("", "", "")
    dashed = [thinned(*column(run.log, "step", key), n_points) for run in runs]
    if not any(len(x) for x, _ in solid + dashed):
        return None

    def plot(axes: Axes) -> None:
        for i, (curve, other) in enumerate(zip(solid, dashed, strict=True)):
            axes.plot(*curve, color=COLOURS[colour_of(i)], linewidth=1.2)
            axes.plot(*other, color=COLOURS[colour_of(i)], linewidth=1.2, linestyle=DASHED)
        low, high = axes.get_ylim()
        axes.set_ylim(low if logged.is_share else min(0, low), high)
        if logged.is_share and low < 1 < high:
            axes.set_ylim(top=1 + 0.03 * (1 - low))
        _draw_phases(axes, runs)

    keys = run_keys(runs)
    if any(len(x) for x, _ in dashed):
        colour = colour_of(0) if len(runs) == 1 else "quiet"
        keys = (Key(names[0], colour), Key(names[1], colour, "dash"), *keys)
    return Panel(logged.title, draw(plot, "step"), f"{logged.title} over training steps.", keys=keys)


def _draw_phases(axes: Axes, runs: Sequence[Run]) -> None:
    """A line where a phase begins; of a single run with the phase's name."""
    for i, run in enumerate(runs):
        for step, name in phases_of(run)[1:]:
            colour = COLOURS["quiet"] if len(runs) == 1 else COLOURS[colour_of(i)]
            axes.axvline(step, color=colour, linewidth=0.8, linestyle=(0, (1, 2)))
            if len(runs) == 1:
                place = {"xy": (step, 1), "xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
                axes.annotate(printable(name), xytext=(2, 1), fontsize=8, color=colour, **place)


def _nll_panel(runs: Sequence[Run], n_points: int) -> Panel:
    trains = [thinned(*column(run.log, "step", "nll_per_token"), n_points) for run in runs]
    valids = [thinned(*_held_out(run), n_points) for run in runs]
    firsts = [thinned(*column(run.log, "step", "valid_init_nll_per_token"), n_points) for run in runs]

    def plot(axes: Axes) -> None:
        for i, (train, valid, first) in enumerate(zip(trains, valids, firsts, strict=True)):
            colour = COLOURS[colour_of(i)]
            axes.plot(*train, color=colour, linewidth=1, alpha=0.45)
            axes.plot(*first, color=colour, linestyle=DASHED, marker="o", markersize=2.5 if len(first[0]) < 40 else 0)
            axes.plot(*valid, color=colour, marker="o", markersize=3.2 if len(valid[0]) < 40 else 0)
        seen = np.concatenate([y for _, y in trains + valids + firsts])
        if len(seen):  # the first steps start near log(vocabulary): leave their top outside
            low, high = seen.min(), np.percentile(seen, 97)
            high = max([high, *(y.max() for _, y in firsts if len(y)), *(y[0] for _, y in valids if 0 < len(y) < 4)])
            axes.set_ylim(low - 0.06 * (high - low) - 1e-3, high + 0.06 * (high - low) + 1e-3)
        _draw_phases(axes, runs)

    best = named(runs, [f"{y.min():.3f} nats at step {x[y.argmin()]:,.0f}" if len(y) else "" for x, y in valids])
    caption = f"Lowest on held-out strings: {best}." if best else "No validation yet."
    colour = colour_of(0) if len(runs) == 1 else "quiet"
    keys = [Key("validation", colour)]
    if any(len(y) for _, y in trains):
        keys.append(Key("training", colour, "thin"))
    if any(not column(run.log, "step", "valid_nll_per_token")[0].size for run in runs):
        caption += " Of latent models: the negative ELBO, which the NLL does not exceed."
    if any(len(y) for _, y in firsts):
        keys.append(Key("validation on the corpus of the run it started from", colour, "dash"))
        caption += " Where the dashed line rises, what was learnt there is being forgotten."
    svg = draw(plot, "step", "nats a token")
    return Panel("Negative log-likelihood", svg, f"Learning curves. {caption}", caption, (*keys, *run_keys(runs)))


def _held_out(run: Run) -> Curve:
    """The NLL a token; of latent models, which know none, its bound."""
    exact = column(run.log, "step", "valid_nll_per_token")
    bound = column(run.log, "step", "valid_neg_elbo_per_token")
    hard = column(run.log, "step", "valid_neg_elbo_hard_per_token")
    return exact if len(exact[0]) else bound if len(bound[0]) else hard


def temperature_panels(runs: Sequence[Run]) -> list[Panel]:
    """Validity and uniqueness against the sampling temperature."""
    if not any(len(run.temperatures) > 1 for run in runs):
        return []

    def plot(axes: Axes) -> None:
        for i, run in enumerate(runs):
            for key, dashes in (("valid", "-"), ("unique", DASHED)):
                x, y = column(run.temperatures, "temperature", key)
                axes.plot(x, y, color=COLOURS[colour_of(i)], linestyle=dashes, marker="o", markersize=3.5)
        low = min(axes.get_ylim()[0], 0.9)
        axes.set_ylim(low, 1 + 0.03 * (1 - low))

    colour = colour_of(0) if len(runs) == 1 else "quiet"
    keys = (Key("valid", colour), Key("unique", colour, "dash"), *run_keys(runs))
    caption = "A low temperature sharpens every choice: safer strings, and more of them the same."
    alt = "Share of valid and of different strings against the sampling temperature."
    return [Panel("Valid and unique, by temperature", draw(plot, "temperature", "share", LARGE), alt, caption, keys)]


# What a property is called in full, and its unit.
PROPERTIES = {
    "logP": "logP, fat over water",
    "QED": "QED, drug-likeness",
    "SA": "SA score, 1 easy to 10 hard to make",
    "weight": "weight, g/mol",
    "length": "length, characters",
}


def property_panels(runs: Sequence[Run]) -> list[Panel]:
    """One panel a property: the corpus as an area, each run as a line."""
    names = list(dict.fromkeys(name for run in runs for name in run.properties))
    panels = [_property_panel(runs, name) for name in names[:12]]
    return [panel for panel in panels if panel is not None]


def _property_panel(runs: Sequence[Run], name: str) -> Panel | None:
    tables = [entry if isinstance(entry := run.properties.get(name), dict) else {} for run in runs]
    ours = [_finite(table.get("ours")) for table in tables]
    corpora = [values for table in tables if len(values := _finite(table.get("corpus")))]
    corpus = corpora[0] if corpora else np.zeros(0)
    drawn = [values for values in (*ours, corpus) if len(values)]
    if not drawn:
        return None
    low = min(np.percentile(values, 0.5) for values in drawn)
    high = max(np.percentile(values, 99.5) for values in drawn)
    margin = 0.08 * (high - low) or 1.0
    grid = np.linspace(low - margin, high + margin, 120)

    def plot(axes: Axes) -> None:
        if len(corpus):
            axes.fill_between(grid, density(corpus, grid), color=COLOURS["corpus"], alpha=0.45, linewidth=0)
        for i, values in enumerate(ours):
            if len(values):
                axes.plot(grid, density(values, grid), color=COLOURS[colour_of(i)])
        axes.set_ylim(bottom=0)
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)

    spread = named(runs, [_spread(values) for values in ours])
    caption = f"Mean \u00b1 standard deviation: {spread}{f'; corpus: {_spread(corpus)}' if len(corpus) else ''}."
    mine = (Key("freely run", colour_of(0)),) if len(runs) == 1 else run_keys(runs)
    keys = (*mine, Key("corpus", "corpus", "area"))
    svg = draw(plot, "", size=FLAT)
    return Panel(PROPERTIES.get(name, name), svg, f"Distribution of {name}. {caption}", caption, keys)


def density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Gaussian kernel estimate; bandwidth by Silverman's rule, at least half a step of the grid.

    f(x) = 1/(n h) sum_i phi((x - x_i) / h),  h = 0.9 min(sd, IQR / 1.34) n^(-1/5)
    """
    quartiles = np.percentile(values, [25, 75])
    spread = min(values.std(), (quartiles[1] - quartiles[0]) / 1.34) or values.std()
    width = max(0.9 * spread * len(values) ** -0.2, (grid[1] - grid[0]) / 2)
    bells = np.exp(-0.5 * ((grid[:, None] - values[None, :]) / width) ** 2)  # (grid, values)
    return bells.sum(axis=1) / (len(values) * width * np.sqrt(2 * np.pi))


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.4g}\u00a0\u00b1\u00a0{values.std():.2g}" if len(values) else ""


def _finite(values: object) -> np.ndarray:
    array = numbers(values)[:5000]
    return array[np.isfinite(array)]
