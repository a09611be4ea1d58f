"""The report in one sentence and in a few large numbers."""

import dataclasses
from typing import Any

import numpy as np

from freerun.report.facts import duration, increase, text
from freerun.report.figures import column
from freerun.report.folder import Run
from freerun.report.measures import meaning_of, number
from freerun.report.samples import is_chemical
from freerun.run_folder import RunFolder, step_of_weights

LARGE = ("Novelty", "IntDiv", "FCD/Test", "BLEU-4", "self-BLEU-4", "distinct-2")
LIKELIHOODS = (
    ("valid_nll_per_token", "validation NLL", "nats a token, of the weights that are kept"),
    ("valid_neg_elbo_per_token", "validation -ELBO", "nats a token, of the weights that are kept"),
    ("valid_neg_elbo_hard_per_token", "validation -ELBO", "nats a token, hard codes, of the weights that are kept"),
    ("valid_prior_gap", "codes from their prior", "nats a string by the critic, of the weights that are kept"),
    ("valid_bits_per_char", "bits a character", "in validation, of the weights that are kept"),
)
N_TILES = 5


@dataclasses.dataclass(frozen=True)
class Tile:
    label: str
    value: str
    note: str


def headline(run: Run) -> str:
    """Who read what for how long, and how much of what it writes is valid; as far as the folder knows."""
    model, corpus, network = (
        _table(table) for table in (run.facts.get("model"), run.facts.get("corpus"), run.config.get("model"))
    )
    if not (run.facts or run.config):
        return "Nothing is known of this run yet."
    n_parameters, n_train = model.get("n_parameters"), corpus.get("n_train")
    seconds = increase(run.timing, "seconds")
    words = [f"An {network['cell'].upper()}" if network.get("cell") == "lstm" else "A network"]
    if isinstance(n_parameters, int):
        words.append(f"of {_millions(n_parameters)} weights")
    words.append(
        f"was trained on {number(n_train) + ' strings of ' if n_train else ''}{text(corpus.get('name', 'its corpus'))}"
    )
    if seconds:
        words.append(f"for {duration(seconds)}")
    sentence = " ".join(words) + "."
    if run.facts.get("status") not in (None, "finished"):
        sentence += f" Its status is \u201c{text(run.facts['status'])}\u201d: what follows is not its last word."
    for sign in run.facts.get("signs") or ():
        sentence += f" {text(sign)[:1].upper()}{text(sign)[1:]}."
    if run.samples.n and is_chemical(run):
        share = f"{100 * run.samples.n_valid / run.samples.n:.1f}\u00a0%"
        sentence += f" Of {run.samples.n:,} strings that it then wrote freely, {share} are molecules."
    elif run.samples.n:
        sentence += f" It then wrote {run.samples.n:,} strings freely."
    return sentence


def tiles(run: Run) -> list[Tile]:
    """The measures that matter most, each beside the training set's own; the validation NLL where there are few."""
    ours, corpus = _table(run.measures.get("ours")), _table(run.measures.get("corpus"))
    unique = [name for name in ours if name.startswith("unique@")][-1:]
    names = [name for name in ("valid", *unique, *LARGE) if name in ours] or list(ours)
    found = [_tile(name, ours[name], corpus.get(name)) for name in names]
    for key, label, unit in LIKELIHOODS:
        steps, values = column(run.log, "step", key)
        if len(values):
            found.append(Tile(label, f"{_kept(run, steps, values):.3f}", unit))
    return found[:N_TILES]


def _kept(run: Run, steps: np.ndarray, values: np.ndarray) -> float:
    """At the last validation of the weights that are kept, which need not be the best: a reward chooses others."""
    kept = step_of_weights(RunFolder(run.path).best)
    before = values[steps <= kept] if kept is not None else values[:0]
    return float(before[-1] if len(before) else values.min())


def _tile(name: str, value: object, beside: object) -> Tile:
    meaning, _ = meaning_of(name)
    return Tile(name, number(value), f"training set {number(beside)}" if beside is not None else meaning)


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _millions(n: int) -> str:
    return f"{n / 1e6:.1f} million" if n >= 1_000_000 else f"{n:,}"
