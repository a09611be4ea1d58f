"""Tables of plain text for the terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from freerun.metrics.published import PUBLISHED


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns side by side; those numbered in `right` are set to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def number(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def measures_table(measures: Mapping[str, Any], only: Sequence[str] = (), published: str = "CharRNN") -> str:
    """Ours, with and without the constraint where there is one, the training set itself where it was measured, and a
    published row that has these measures.
    """
    columns: dict[str, Mapping[str, Any]] = {f"ours, n = {measures['n']:,}": measures["ours"]}
    if "unconstrained" in measures:
        columns["unconstrained"] = measures["unconstrained"]
    if "corpus" in measures:
        columns["training set, same n"] = measures["corpus"]
    if set(PUBLISHED[published]) & set(measures["ours"]) and measures["suite"] == "moses":
        columns[f"{published}, published, n = 30,000"] = PUBLISHED[published]
    rows = [["", *columns]]
    for name in only or measures["ours"]:
        rows.append([name, *(number(column.get(name)) for column in columns.values())])
    return table(rows, right=range(1, len(rows[0])))
