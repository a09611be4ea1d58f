"""What a search has asked and learnt so far, round by round; on the disk, so that a killed search goes on."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from freerun.errors import FreerunError


@dataclasses.dataclass(frozen=True)
class Asked:
    """Strings that were asked together.

    Args:
        z: The codes they were decoded from; of the start, the codes that the encoder gives them.
        totals: Of the objective: more is better, never NaN.
    """

    strings: tuple[str, ...]
    z: Float64[np.ndarray, "strings latent"]
    totals: Float64[np.ndarray, " strings"]

    def __len__(self) -> int:
        return len(self.strings)


@dataclasses.dataclass(frozen=True)
class History:
    """The start, then every round of one search.

    Args:
        start: Strings whose values were known before; they are no queries.
        rounds: In order; a round in which nothing new was found is empty.
    """

    start: Asked
    rounds: tuple[Asked, ...] = ()

    @property
    def n_queries(self) -> int:
        return sum(map(len, self.rounds))

    @property
    def queried(self) -> Asked:
        """All queries in order."""
        empty = Asked((), np.zeros((0, self.start.z.shape[1])), np.zeros(0))
        parts = self.rounds or (empty,)
        return Asked(
            tuple(string for part in parts for string in part.strings),
            np.concatenate([part.z for part in parts]),
            np.concatenate([part.totals for part in parts]),
        )

    def with_round(self, asked: Asked) -> "History":
        return dataclasses.replace(self, rounds=(*self.rounds, asked))


class Log:
    """`queries.jsonl`: first what the search is, then each query in its order: seed, round, z, string, total.

    A round is written in one piece, with its number of queries on each line, so that one cut short is seen and dropped.
    """

    def __init__(self, path: Path | None, settings: Mapping[str, Any]):
        self.path, self.settings = path, dict(settings)

    def append(self, number: int, asked: Asked) -> None:
        """One round on the disk."""
        if self.path is None:
            return
        seed = self.settings.get("seed", 0)
        lines = [] if self.path.exists() else [{"settings": self.settings}]
        lines += [
            {"seed": seed, "round": number, "size": len(asked), "z": z.tolist(), "string": string, "total": total}
            for string, z, total in zip(asked.strings, asked.z, asked.totals.tolist(), strict=True)
        ] or [{"seed": seed, "round": number, "size": 0}]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise FreerunError(f"cannot write {self.path}: {error.strerror or error}; the rest is kept") from error

    def rounds(self, d_latent: int) -> tuple[Asked, ...]:
        """The rounds that are whole; what stands behind them is cut off.

        Raises:
            FreerunError: If the file cannot be read or is of another search.
        """
        if self.path is None or not self.path.exists():
            return ()
        try:
            text = self.path.read_text(encoding="utf-8")
            lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
            records = [json.loads(line) for line in lines]
            if not records:
                self.path.unlink()
                return ()
            if records[0]["settings"] != json.loads(json.dumps(self.settings)):
                raise ValueError("it is of a search with other settings")
            rounds, at = [], 1
            while at < len(records):
                size = records[at]["size"]
                part = records[at : at + max(1, size)]
                if len(part) < size or any(record["round"] != len(rounds) for record in part):
                    break
                rounds.append(_asked(part if size else [], d_latent))
                at += len(part)
            with open(self.path, "r+b") as file:
                file.truncate(sum(len(line.encode("utf-8")) for line in lines[:at]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FreerunError(f"{self.path} cannot be gone on with ({error}); move it away to search anew") from error
        return tuple(rounds)


def _asked(records: Sequence[Mapping[str, Any]], d_latent: int) -> Asked:
    return Asked(
        tuple(record["string"] for record in records),
        np.array([record["z"] for record in records], dtype=np.float64).reshape(len(records), d_latent),
        np.array([record["total"] for record in records], dtype=np.float64),
    )
