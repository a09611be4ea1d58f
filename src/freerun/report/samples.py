"""The strings themselves: as drawings where they are molecules, as text where they are not."""

import contextlib
import dataclasses
from collections.abc import Sequence

from freerun.report.folder import N_SHOWN, Run, is_true
from freerun.report.measures import number
from freerun.report.molecules import Drawing, drawing


@dataclasses.dataclass(frozen=True)
class AtTemperature:
    label: str
    note: str
    drawings: tuple[Drawing, ...]
    others: tuple[str, ...]


def is_chemical(run: Run) -> bool:
    """Whether the strings of the run are SMILES."""
    representation = run.facts.get("representation")
    return isinstance(representation, dict) and representation.get("is_chemical") is True


def n_drawings(n_runs: int) -> int:
    """How many strings of each run are drawn: fewer, the more runs share the page."""
    return max(4, min(N_SHOWN, 48 // n_runs))


def samples_of(run: Run, n: int) -> list[Drawing]:
    """The first `n` strings, unselected."""
    rows = run.samples.first[:n]
    if is_chemical(run):
        return [drawing(row.get("raw") or row.get("string") or "") for row in rows]
    return [Drawing(row.get("raw") or row.get("string") or "", None, _text_note(row)) for row in rows]


def _text_note(row: dict[str, str]) -> str:
    """Log-probability of a sentence, and whether it is valid where that says something."""
    notes = [] if is_true(row.get("valid", "true")) else ["not valid"]
    with contextlib.suppress(ValueError):
        notes.append(f"log-probability \u2212{abs(float(row.get('log_prob', ''))):.1f} nats")
    return " \u00b7 ".join(notes)


def temperatures_of(run: Run, n_drawn: int) -> list[AtTemperature]:
    """One row a temperature; of molecules the first `n_drawn` are drawn, the others are listed."""
    rows = []
    for entry in run.temperatures[:8]:
        strings = _strings(entry.get("strings"))
        n = n_drawn if is_chemical(run) else 0
        shares = [f"{name} {number(entry[name])}" for name in ("valid", "unique") if name in entry]
        note = ", ".join(shares) + (f" of {number(entry['n'])}" if shares and "n" in entry else "")
        drawings = tuple(drawing(string) for string in strings[:n])
        rows.append(AtTemperature(number_of(entry.get("temperature")), note, drawings, tuple(strings[n:12])))
    return rows


def number_of(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)[:20]


def _strings(value: object) -> Sequence[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
