"""What is known of each string by itself: each distinct one is paid for once, and on the disk within the second."""

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from freerun.errors import UsageError, excerpt
from freerun.objectives.guards import Guards, Limits
from freerun.objectives.ledger import Ledger
from freerun.objectives.terms import Faring, Term
from freerun.objectives.totals import AbstractTotal
from freerun.scores.guard import NO_VALUE

SECONDS_A_PIECE = 1.0  # of strings that are paid for and not written yet
SECONDS_OF_A_DEAR_ANSWER = 0.05  # what took so long is written at once

Read = Callable[[str], tuple[str, bool]]
"""A string -> what it is known by (canonical), and whether it is valid."""


class Accounts:
    """The values of the terms that depend on the string alone.

    Scores see canonical strings; those that are not valid only where `total` wants it so.

    Args:
        terms: Of scope `string`; there may be none.
        path: `scores.csv`; None: nothing is kept.

    Raises:
        UsageError: If the file holds other scores.
        FreerunError: If it cannot be read.
    """

    def __init__(self, terms: Sequence[Term], path: Path | None, read: Read, total: AbstractTotal, limits: Limits):
        self.terms, self.read, self.total = tuple(terms), read, total
        self.weights = np.array([term.weight for term in terms], dtype=np.float64)
        shaped = [f"{term.spec} (shaped)" for term in terms if term.shape is not None]
        self.ledger = Ledger(path, [term.spec for term in terms], shaped)
        self.values = self.ledger.load()  # canonical -> one a term, NaN where there is none
        self.failures = Counter[str]()
        self.examples: dict[str, str] = {}
        known = np.isfinite(np.array([*self.values.values()]).reshape(len(self.values), len(self.terms)))
        self.faring = [Faring(has_value=bool(column.any())) for column in known.T]
        self.n_paid = 0
        self.heard: Callable[[], None] = lambda: None  # called where a string has failed in a new way
        self._guards = Guards(terms, path.parent if path else None, limits)
        self._size = 1  # strings of a piece
        if path is not None:
            self.pay({key: key for key in self._guards.recovered()}, confirm=False)
            self._guards.written()  # all of them are in the file now
            self.n_paid = 0

    def close(self) -> None:
        self._guards.close()

    def parts(self, values: Float64[np.ndarray, "strings terms"]) -> Float64[np.ndarray, "strings terms"]:
        """What they count."""
        return np.stack([term.parts(column) for term, column in zip(self.terms, values.T, strict=True)], 1)

    def pay(self, strings: Mapping[str, str], *, confirm: bool = True) -> None:
        """From now on `values` has them all.

        Args:
            strings: By canonical form, as they were written.
            confirm: Programs are told what is in the file, and need not keep it any longer.

        Raises:
            UsageError: If a value that should be from 0 to 1 is not.
            FreerunError: If a program cannot be loaded, or the file cannot be written.
        """
        fresh = [key for key in strings if key not in self.values]
        first = 0
        while first < len(fresh):
            # Where a program answers string by string, lines are written as answers come: no need for pieces.
            piece = fresh[first:] if self._guards.are_slow else fresh[first : first + self._size]
            began = time.perf_counter()
            self._ask(piece, strings, confirm)
            spent = time.perf_counter() - began
            first += len(piece)
            self._size = 2 * self._size if spent < SECONDS_A_PIECE / 2 else max(1, self._size // 2)

    def _ask(self, keys: Sequence[str], strings: Mapping[str, str], confirm: bool) -> None:
        """All scores side by side."""
        asked = [at for at, key in enumerate(keys) if self.total.of_invalid or self.read(strings[key])[1]]
        values = np.full((len(keys), len(self.terms)), math.nan)
        n_due = np.zeros(len(keys), dtype=np.int64)
        n_due[asked] = len(self.terms)
        done = [at for at in range(len(keys)) if n_due[at] == 0]
        began = last = time.perf_counter()

        def keep() -> None:
            nonlocal began
            kept, now = sorted(done), time.perf_counter()
            done.clear()
            seconds = (now - began) / max(1, len(kept))
            self._keep([keys[at] for at in kept], values[kept], strings, seconds)
            began = now
            if confirm and np.isin(n_due, (0, len(self.terms))).all():  # no string is paid for in part
                self._guards.written()

        with contextlib.ExitStack() as stack:
            stack.callback(keep)
            texts = [keys[at] for at in asked]
            running = [stack.enter_context(contextlib.closing(guard.answers(texts))) for guard in self._guards.all]
            for answers in zip(*running, strict=True):
                for column, (row, value, reason) in enumerate(answers):
                    at = asked[row]
                    values[at, column] = value
                    n_due[at] -= 1
                    fares = self.faring[column]
                    fares.has_value |= reason is None
                    if reason is not None:
                        example = f"{excerpt(texts[row])}: {reason[1]}"
                        self.failures[reason[0]] += 1
                        if reason[0] not in self.examples:
                            self.examples[reason[0]] = example
                            self.heard()
                        if reason[0] != NO_VALUE[0]:
                            fares.n_failed, fares.example = fares.n_failed + 1, fares.example or example
                    if n_due[at] == 0:
                        done.append(at)
                        self.n_paid += 1
                now = time.perf_counter()
                if now - began > SECONDS_A_PIECE or now - last > SECONDS_OF_A_DEAR_ANSWER:
                    keep()
                last = time.perf_counter()

    def _keep(
        self,
        keys: Sequence[str],
        values: Float64[np.ndarray, "strings terms"],
        strings: Mapping[str, str],
        seconds: float,
    ) -> None:
        valid = np.array([self.read(strings[key])[1] for key in keys], dtype=bool)
        parts, totals = values, [""] * len(keys)  # without a term of its own, a string alone is worth nothing yet
        refused = None
        if self.terms:
            try:
                parts = self.parts(values)
                totals = np.where(valid | self.total.of_invalid, self.total(parts, self.weights), 0.0).tolist()
            except UsageError as error:  # after what was paid for is written
                refused = error
        shaped = parts[:, [term.shape is not None for term in self.terms]].tolist()
        lines, rows = [], zip(keys, valid.tolist(), values.tolist(), shaped, totals, strict=True)
        for number, (key, is_valid, raw, of_shapes, total) in enumerate(rows, len(self.values)):
            cells = ["" if math.isnan(value) else value for value in raw]
            lines.append([number, strings[key], key, is_valid, *cells, *of_shapes, total, f"{seconds:.6f}"])
        self.ledger.append(lines)
        self.values |= dict(zip(keys, map(tuple, values.tolist()), strict=True))
        if refused is not None:
            raise refused
