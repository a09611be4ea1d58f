"""Signs in a log that a training has come to nothing: a generator that repeats itself, a critic that cannot teach."""

from collections.abc import Mapping, Sequence
from typing import Any

REPEATS = 0.1  # share of different strings in a batch: below it the generator repeats itself
GUESSES, KNOWS_ALL = 0.52, 0.99  # held-out accuracy of a critic that knows nothing, and of one that knows everything


def signs(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence each, of the last values in the log."""
    found = []
    different, accuracy = _last(records, "uniqueness"), _last(records, "critic_accuracy_held_out")
    if different is not None and different < REPEATS:
        found.append(
            f"the generator repeats itself: {100 * different:.2g} % of its last strings were different ones "
            "(method.stop_at_collapse ends such a training)"
        )
    if accuracy is not None and accuracy <= GUESSES:
        found.append(f"the critic had little to teach: it was right on {100 * accuracy:.0f} % of held-out strings")
    if accuracy is not None and accuracy >= KNOWS_ALL:
        found.append(
            f"the critic has won: right on {100 * accuracy:.0f} % of held-out strings, it pays all strings alike"
        )
    return found


def _last(records: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return next((record[name] for record in reversed(records) if record.get(name) is not None), None)
