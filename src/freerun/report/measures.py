"""The table of measures: ours, the training set itself at the same number of samples, the published rows."""

import dataclasses
import re
from collections.abc import Collection, Sequence

from freerun.metrics.published import PUBLISHED, SOURCE, TEXT_PUBLISHED, TEXT_SOURCE
from freerun.report.folder import Run

# name, or what stands before its number -> (what it means, +1 if more is better, -1 if less is)
MEANING = {
    "nll_oracle": ("nats per token under the oracle; compare at equal NLL on the test draw", -1),
    "nll_oracle_standard_error": ("its standard error", 0),
    "in_train": ("stand in the training draw", 0),
    "valid": ("strings that are molecules", 1),
    "unique@": ("different ones, of the first {n} valid", 1),
    "FCD/Test": ("Fr\u00e9chet ChemNet distance", -1),
    "FCD/TestSF": ("the same, scaffolds never seen", -1),
    "SNN/Test": ("likeness of the nearest held-out one", 1),
    "SNN/TestSF": ("the same, scaffolds never seen", 1),
    "Frag/Test": ("likeness of the counts of fragments", 1),
    "Frag/TestSF": ("the same, scaffolds never seen", 1),
    "Scaf/Test": ("likeness of the counts of scaffolds", 1),
    "Scaf/TestSF": ("the same, scaffolds never seen", 1),
    "IntDiv": ("diversity within the set", 1),
    "IntDiv2": ("the same, with squared similarities", 1),
    "Filters": ("pass the medicinal filters", 1),
    "logP": ("distance of the distributions", -1),
    "SA": ("the same: how hard to make", -1),
    "QED": ("the same: drug-likeness", -1),
    "weight": ("the same, in g/mol", -1),
    "Novelty": ("not in the training set", 1),
    "length": ("distance of the distributions, in characters", -1),
    "fit": ("the same: error to 1/3 + x + sin(x x)", -1),
    "best fit": ("least error of a sample", 0),
    "BLEU-": ("{n}-grams shared with held-out sentences", 1),
    "self-BLEU-": ("{n}-grams shared among its own sentences", -1),
    "uniqueness": ("different ones of all", 1),
    "novelty": ("not in the training set", 1),
    "distinct-": ("different {n}-grams over all", 1),
}


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    meaning: str
    direction: int
    cells: tuple[str, ...]
    best: tuple[bool, ...]


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns: one a run, then the training set, then the published models. `kinds` styles them."""

    heads: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...]


def meaning_of(name: str) -> tuple[str, int]:
    """What a measure says, and its better direction; ("", 0) for one that is not known here."""
    number = re.search(r"\d+$", name)
    stem = name[: number.start()] if number else name
    if name in MEANING or not number or stem not in MEANING:
        return MEANING.get(name, ("", 0))
    meaning, direction = MEANING[stem]
    return meaning.format(n=f"{int(number.group()):,}"), direction


def measures_table(runs: Sequence[Run]) -> Table | None:
    """None if no run has been measured."""
    measured = [run for run in runs if isinstance(run.measures.get("ours"), dict)]
    if not measured:
        return None
    heads = [run.name for run in measured] if len(runs) > 1 else ["this run"]
    columns = [column for head, run in zip(heads, measured, strict=True) for column in _own(head, run)]
    columns += _corpora(measured)
    names = list(dict.fromkeys(name for _, _, values in columns for name in values))
    order = list(MEANING)
    known = {name: order.index(key) for name in names if (key := _key(name)) in MEANING}
    names.sort(key=lambda name: known.get(name, len(order)))
    published = _published(names, [run.measures.get("suite") for run in measured])
    columns += published
    rows = tuple(_row(name, columns) for name in names)
    return Table(
        heads=tuple(head for head, _, _ in columns),
        kinds=tuple(kind for _, kind, _ in columns),
        rows=rows,
        remarks=tuple(_remarks(measured, published)),
    )


def _own(head: str, run: Run) -> list[tuple[str, str, dict]]:
    """The run, and beside it the same weights without their constraint."""
    columns = [(head, "ours", run.measures["ours"])]
    if isinstance(run.measures.get("unconstrained"), dict):
        columns.append((f"{head}, unconstrained", "free", run.measures["unconstrained"]))
    return columns


def _key(name: str) -> str:
    return name if name in MEANING else name.rstrip("0123456789")


def _published(names: Sequence[str], suites: Collection[object]) -> list[tuple[str, str, dict]]:
    """The published rows of these suites; those closest to their test set first, the training set itself last."""
    tables = {"moses": PUBLISHED, "text": TEXT_PUBLISHED}
    found = [row for suite, table in tables.items() if suite in suites for row in table.items()]
    rows = [(name, "published", row) for name, row in found if set(row) & set(names)]
    return sorted(rows, key=lambda row: ("train" in row[0], row[2].get("FCD/Test", 0.0)))


def _corpora(runs: Sequence[Run]) -> list[tuple[str, str, dict]]:
    """The training set's own measures: once if all runs were measured alike, else once a way of measuring."""
    found: dict[str, tuple[str, str, dict]] = {}
    for run in runs:
        values = run.measures.get("corpus")
        if isinstance(values, dict) and values:
            key = f"{run.measures.get('against')} {run.measures.get('n')}"
            head = "training set" if not found else f"training set, n = {run.measures.get('n')}"
            found.setdefault(key, (head, "corpus", values))
    return list(found.values())


def _row(name: str, columns: Sequence[tuple[str, str, dict]]) -> Row:
    meaning, direction = meaning_of(name)
    values = [column.get(name) for _, _, column in columns]
    ours = [v for v, (_, kind, _) in zip(values, columns, strict=True) if kind == "ours" and isinstance(v, int | float)]
    target = None
    if len(ours) > 1 and direction:
        target = max(ours) if direction > 0 else min(ours)
    best = tuple(
        target is not None and kind == "ours" and v == target for v, (_, kind, _) in zip(values, columns, strict=True)
    )
    return Row(name, meaning, direction, tuple(number(value) for value in values), best)


def number(value: object) -> str:
    """A table's cell: four decimals below ten, two above; a dash where there is no value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "\u2013" if value is None or value == "" else str(value)[:40]
    if value != value:
        return "\u2013"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _remarks(runs: Sequence[Run], published: Sequence[tuple[str, str, dict]]) -> list[str]:
    """How the columns were made, and what must not be compared."""
    remarks = []
    for run in runs:
        sampling = run.measures.get("sampling")
        how = ", ".join(f"{key} {value}" for key, value in sampling.items()) if isinstance(sampling, dict) else ""
        who = f"{run.name}: " if len(runs) > 1 else ""
        n, against = run.measures.get("n"), run.measures.get("against")
        remarks.append(f"{who}{number(n)} samples{', ' + how if how else ''}; measured against {against}.")
    if any(run.measures.get("corpus") for run in runs):
        remarks.append(
            "Training set: as many strings of it, measured alike: the score of perfect imitation, novelty aside."
        )
    if any(run.measures.get("unconstrained") for run in runs):
        remarks.append(
            "Unconstrained: the same weights without the masks under which they were trained, so they never learned to "
            "avoid what these forbid; a network trained without them does better than that."
        )
    for rows, source, needed in ((PUBLISHED, SOURCE, "moses"), (TEXT_PUBLISHED, TEXT_SOURCE, "coco")):
        if any(name in rows for name, _, _ in published):
            remarks.append(f"Published: {source}.")
            if any(run.measures.get("against") != needed for run in runs):
                remarks.append("They were measured against other references than these: a first idea, no contest.")
    if any(name in PUBLISHED for name, _, _ in published):
        remarks.append(
            "Distances fall with the number of samples, FCD most of all: compare with the training set first."
        )
    return remarks
