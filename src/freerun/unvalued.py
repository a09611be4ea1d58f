"""Strings that an objective had no value for: of each kind the first is told at once, and all are counted."""

from collections.abc import Callable
from typing import Any

from freerun.objectives.objective import Objective
from freerun.scores.guard import NO_VALUE

SILENT = ""  # in place of a kind: that no string has had a value
Kinds = dict[str, dict[str, Any]]  # kind of failure -> `strings`: how many, `first`: one of them, with the reason


class Unvalued:
    """
    Args:
        objective: None: nothing is ever told.
        before: What `facts` said when the run was interrupted.
    """

    def __init__(self, objective: Objective | None, before: Kinds):
        self._objective, self._before, self._told = objective, before, set(before)

    def tell(self, notify: Callable[[str], None]) -> None:
        """A line for each kind that is new."""
        for kind in self._new():
            self._told.add(kind)
            told = "" if kind == NO_VALUE[0] else f" ({kind})"
            notify(f"no value{told} for {self.facts()[kind]['first']}; others of this kind are counted")
        if self._objective and self._objective.is_silent and SILENT not in self._told:
            self._told.add(SILENT)
            told = f"none of {self._objective.n_distinct:,} strings has had a value"
            notify(f"{told}: nothing is learned from the objective")

    def sums(self) -> list[str]:
        """A line for each kind: how many strings, and how they were paid."""
        return [
            f"{found['strings']:,} strings had no value ({kind}) and were paid 0, for example {found['first']}"
            for kind, found in self.facts().items()
        ]

    def facts(self) -> Kinds:
        """Of the whole run, as `run.json` keeps it."""
        if self._objective is None:
            return self._before
        now = {
            kind: {"strings": count, "first": self._objective.examples[kind]}
            for kind, count in self._objective.failures.items()
        }
        counts = {kind: found["strings"] for kind, found in self._before.items()}
        return self._before | {
            kind: {**found, "strings": found["strings"] + counts.get(kind, 0)} for kind, found in now.items()
        }

    def _new(self) -> list[str]:
        return [kind for kind in self._objective.failures if kind not in self._told] if self._objective else []
