"""What the codes of latent runs know, in a table: read from `posterior.json`."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from freerun.report.figures import named
from freerun.report.folder import Run
from freerun.report.told import as_object, number_at, rounded

COLLAPSED = 0.5  # nats of information below which a code says next to nothing
FULL = 0.95  # share of ln N from which on the strings are too few to tell the information


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    meaning: str
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """The numbers of all runs, and what has to be said of them."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...]


# path in posterior.json, name, meaning
MEASURES = (
    ("mutual_information", "Information", "I(x; z), nats: what a code tells of its string; at most ln N of N strings"),
    ("kl", "KL", "nats a string, of the codes from the prior; 0 in a collapsed run"),
    ("marginal_kl", "Marginal KL", "nats, of all codes together from the prior: how unlike real codes its draws are"),
    ("active_units", "Active axes", "those whose mean varies among the strings by more than 0.01"),
    ("likelihood.nll_per_token", "NLL a token", "nats: the importance-weighted bound, close to the exact one"),
    ("likelihood.nll_per_sequence", "NLL a string", "the same, of whole strings, with its standard error"),
    ("likelihood.neg_elbo_per_token", "\u2212ELBO a token", "nats: the looser bound that is trained"),
    ("reconstruction.greedy.share", "Back, greedily", "share of the strings that their own mean code is decoded to"),
    ("reconstruction.greedy.same_molecule", "Molecule back, greedily", "the same, however it is written"),
    ("reconstruction.beam.share", "Back, by a beam", "the best of a beam search, where greedy decoding may miss it"),
    ("reconstruction.beam.same_molecule", "Molecule back, by a beam", "the same, however it is written"),
)


def codes_table(runs: Sequence[Run]) -> Table | None:
    """A column a run; None where no run has a number."""
    rows = [Row(name, meaning, tuple(_cell(run.posterior, path) for run in runs)) for path, name, meaning in MEASURES]
    rows = [row for row in rows if any(cell != "\u2013" for cell in row.cells)]
    if not rows:
        return None
    remarks = (named(runs, [text(run.posterior) for run in runs]) for text in (_how_many, _verdict, _given))
    return Table(tuple(run.name for run in runs), tuple(rows), tuple(f"{each}." for each in remarks if each))


def _cell(told: dict[str, Any], path: str) -> str:
    value = number_at(told, path)
    if math.isnan(value):
        return "\u2013"
    if path == "active_units":
        width = number_at(told, "d_latent")
        return f"{value:.0f}" + ("" if math.isnan(width) else f" of {width:.0f}")
    if path == "likelihood.nll_per_sequence":
        error = number_at(told, "likelihood.standard_error")
        return f"{value:.2f}" + ("" if math.isnan(error) else f" \u00b1 {error:.2f}")
    digits = 2 if path in ("kl", "mutual_information", "marginal_kl") else 3 if "share" in path or "same" in path else 4
    near = round(value, digits) + 0.0  # no negative zero
    return f"{near:.{digits}f}".replace("-", "\u2212") if abs(near) < 1e6 else rounded(value)


def _how_many(told: dict[str, Any]) -> str:
    """The numbers of strings behind the numbers."""
    counts = {
        "encoded": number_at(told, "n"),
        f"weighed by {rounded(number_at(told, 'likelihood.n_samples'))} codes each": number_at(told, "likelihood.n"),
        "decoded greedily": number_at(told, "reconstruction.greedy.n"),
        f"by a beam of {rounded(number_at(told, 'reconstruction.beam.k'))}": number_at(told, "reconstruction.beam.n"),
    }
    listed = [f"{n:,.0f} {what}" for what, n in counts.items() if not math.isnan(n)]
    refused = number_at(told, "likelihood.forbidden")
    if refused > 0:
        listed.append(f"{refused:.0f} left out that the constraint refuses")
    return ", ".join(listed)


def _verdict(told: dict[str, Any]) -> str:
    shared, n = number_at(told, "mutual_information"), number_at(told, "n")
    if math.isnan(shared):
        drawn_not = told.get("kl", 0) is None
        return "the encoder draws nothing, so that KL, information and NLL are not defined" if drawn_not else ""
    if shared < COLLAPSED:
        return f"collapsed: a code tells {shared:.2g} nats of its string"
    if n > 1 and shared > FULL * math.log(n):
        return f"the information is at its limit, ln {n:,.0f} = {math.log(n):.2f}: in truth it may be more"
    return ""


def _given(told: dict[str, Any]) -> str:
    given = as_object(told.get("likelihood")).get("given")
    names = [str(name)[:60] for name in given[:20]] if isinstance(given, list) else []
    return f"the NLL is the one given {', '.join(names)}: not the same quantity as without" if names else ""
