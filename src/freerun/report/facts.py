"""What was run, as rows of a table: one column a run."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from freerun.report.folder import Run
from freerun.report.measures import number
from freerun.report.svg import numbers

# Facts that have a row with a name of their own; everything else of run.json follows under its key.
OWN_ROWS = {"status", "ended", "freerun", "version", "budget", "device", "precision", "seed", "replayable"}
NOT_SHOWN = {"corpus.content_key"}
LONGEST = 300


@dataclasses.dataclass(frozen=True)
class Fact:
    label: str
    values: tuple[str, ...]


def facts_table(runs: Sequence[Run]) -> list[Fact]:
    """Status, data, network, time and speed; rows that no run fills are left out."""
    columns = [_column(run) for run in runs]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    return [Fact(label, tuple(column.get(label, "\u2013") for column in columns)) for label in labels]


def differing_settings(runs: Sequence[Run]) -> list[Fact]:
    """The settings in which the runs' configurations differ; empty for a single run."""
    columns = [{key: text(value) for key, value in flat(run.config).items()} for run in runs]
    keys = sorted({key for column in columns for key in column})
    rows = [Fact(key, tuple(column.get(key, "\u2013") for column in columns)) for key in keys]
    return [row for row in rows if len(set(row.values)) > 1]


def settings(run: Run) -> list[Fact]:
    """The whole resolved configuration, one row a key."""
    return [Fact(key, (text(value),)) for key, value in flat(run.config).items()]


def _column(run: Run) -> dict[str, str]:
    facts = run.facts
    representation = facts["representation"] if isinstance(facts.get("representation"), dict) else {}
    vocab = representation.get("vocab")
    seconds, n_tokens = increase(run.timing, "seconds"), increase(run.timing, "tokens")
    steps = numbers([record.get("step") for record in run.log])
    column = {
        "status": text(facts.get("ended") or facts.get("status", "")),
        "representation": text(representation.get("name", "")),
        "vocabulary": text(f"{len(vocab):,} tokens: {' '.join(map(str, vocab[:100]))}")
        if isinstance(vocab, list)
        else "",
        "longest string": f"{text(facts['budget'])} tokens, its end included" if "budget" in facts else "",
        "method": text(_name(run.config.get("method"))),
        "steps": f"{np.nanmax(steps):,.0f}" if np.isfinite(steps).any() else "",
        "time of training": duration(seconds) if seconds else "",
        "tokens read": f"{n_tokens:,.0f}" if n_tokens else "",
        "speed": f"{n_tokens / seconds:,.0f} tokens/s" if n_tokens and seconds else "",
        "device": " ".join(text(facts[key]) for key in ("device", "precision") if key in facts),
        "seed": text(facts.get("seed", "")),
        "replayable": _replayable(facts.get("replayable")),
        "freerun": text(facts.get("freerun", "")),
    }
    rest = {key: value for key, value in facts.items() if key not in OWN_ROWS | {"representation"}}
    settings_of = {"representation": representation.get("settings", {})}
    for key, value in flat(rest | settings_of).items():
        if key in NOT_SHOWN:
            continue
        column[key.replace(".", " \u00b7 ").replace("_", " ")] = text(value)
    return {label: value for label, value in column.items() if value}


def flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables under dotted keys, five deep at most."""
    rows: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and prefix.count(".") < 5:
            rows |= flat(item, f"{prefix}{key}.")
        else:
            rows[f"{prefix}{key}"] = item
    return rows


def text(value: object) -> str:
    """One cell: numbers with separators, lists joined, whatever is long cut."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) >= 10_000:
        return number(value)
    if isinstance(value, list):
        value = ", ".join(text(item) for item in value[:50])
    string = "" if value is None else str(value)
    return string if len(string) <= LONGEST else string[:LONGEST] + "\u2026"


def duration(seconds: float) -> str:
    """12 s; 3 min 20 s; 5 h 7 min."""
    if seconds < 60:
        return f"{seconds:.0f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}\u00a0min" + (f" {rest}\u00a0s" if rest else "")
    return f"{minutes // 60:,}\u00a0h {minutes % 60}\u00a0min"


def _replayable(value: object) -> str:
    if not isinstance(value, bool):
        return ""
    return "yes, bit for bit" if value else "no: it was ended by the clock"


def _name(table: object) -> object:
    return table.get("name", "") if isinstance(table, dict) else ""


def increase(records: Sequence[dict], key: str) -> float:
    """The total of a counter that starts again at zero whenever a run is resumed."""
    values = numbers([record.get(key) for record in records])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0
    steps = np.diff(values, prepend=0.0)
    return float(np.where(steps < 0, values, steps).sum())
