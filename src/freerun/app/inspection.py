"""What a corpus or a file holds, in words."""

from freerun.app.tables import table
from freerun.corpora.inspect import Inspection, Spread

N_TOKENS_SHOWN = 40
N_REFUSALS_SHOWN = 5


def described(found: Inspection) -> str:
    """A page of plain text."""
    rows = [
        ["strings", f"{found.n_strings:,}"],
        ["splits", ", ".join(f"{name} {n:,}" for name, n in found.splits.items())],
        ["representation", found.reason],
        ["characters", _spread(found.characters)],
        [
            "tokens",
            _spread(found.tokens) + ("" if found.n_tokenized >= found.n_strings else f" (first {found.n_tokenized:,})"),
        ],
        ["duplicates", f"{found.n_duplicates:,}"],
        ["refused lines", f"{found.refusals.count:,}"],
    ]
    parts = [table(rows)]
    if found.refusals.count:
        parts.append("\n".join(f"  {example}" for example in found.refusals.examples[:N_REFUSALS_SHOWN]))
    if found.columns:
        parts.append(_columns(found))
    shown = list(found.alphabet.items())[:N_TOKENS_SHOWN]
    more = len(found.alphabet) - len(shown)
    listed = "  ".join(f"{token} {count:,}" for token, count in shown) + (f"  and {more:,} more" if more else "")
    parts.append(f"{len(found.alphabet):,} different tokens: {listed}")
    if found.rare:
        few = list(found.rare.items())[:N_TOKENS_SHOWN]
        parts.append(f"{len(found.rare):,} rare tokens (strings): " + "  ".join(f"{t} {n}" for t, n in few))
    parts.append("the first strings:\n" + "\n".join(f"  {text[:100]}" for text in found.examples))
    parts += [f"note: {note}" for note in found.notes]
    return "\n\n".join(parts)


def _columns(found: Inspection) -> str:
    rows = [["column", "kind", "missing", "unreadable", "from", "to", "different"]]
    for column in found.columns:
        low, high = column.minimum, column.maximum
        rows.append(
            [
                column.name + (" *" if column.name == found.column else ""),
                column.kind,
                f"{column.n_missing:,}",
                f"{column.n_wrong:,}",
                "" if low is None else f"{low:g}",
                "" if high is None else f"{high:g}",
                "" if column.n_distinct is None else f"{column.n_distinct:,}",
            ]
        )
    return table(rows, right=range(2, 7)) + "\n(* the strings)"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.minimum} to {spread.maximum}, median {spread.median}, 95 % at most {spread.percent_95}"
