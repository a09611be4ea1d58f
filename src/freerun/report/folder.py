"""Reading a run folder without trusting it: any file may be missing, cut short, or written by a stranger."""

import csv
import dataclasses
import json
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from freerun.errors import UsageError

N_SHOWN = 24
T = TypeVar("T")

# Which command makes which file; RUN is replaced by the folder's path.
MADE_BY = {
    "config.toml": "freerun train --out RUN",
    "run.json": "freerun resume RUN",
    "log.jsonl": "freerun resume RUN",
    "timing.jsonl": "freerun resume RUN",
    "samples.csv": "freerun evaluate RUN",
    "measures.json": "freerun evaluate RUN",
    "exposure.json": "freerun evaluate RUN",
    "temperatures.json": "freerun evaluate RUN",
    "properties.json": "freerun evaluate RUN",
}
# Not every run has these: one that is not there is not missed.
OPTIONAL = {
    "walks.json": "freerun evaluate RUN",
    "tradeoff.json": "freerun evaluate RUN",
    "frontier.json": "freerun evaluate RUN",
    "conditions.json": "freerun evaluate RUN",
    "posterior.json": "freerun evaluate RUN",
}


@dataclasses.dataclass(frozen=True)
class Samples:
    """How many strings were drawn, how many of them are valid, and the first few, as they came."""

    n: int = 0
    n_valid: int = 0
    first: tuple[dict[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run folder says; an absent file is an empty field here and a sentence in `missing`."""

    path: Path
    name: str
    config: dict[str, Any]
    facts: dict[str, Any]
    log: list[dict[str, Any]]
    timing: list[dict[str, Any]]
    samples: Samples
    measures: dict[str, Any]
    exposure: dict[str, Any]
    temperatures: list[dict[str, Any]]
    properties: dict[str, Any]
    walks: dict[str, Any]
    tradeoff: list[dict[str, Any]]
    frontier: list[dict[str, Any]]
    conditions: dict[str, Any]
    posterior: dict[str, Any]
    missing: dict[str, str]


def read_run(path: Path) -> Run:
    """All that the report needs of the folder at `path`.

    Raises:
        UsageError: If there is no such folder.
    """
    if not path.is_dir():
        raise UsageError(f"{path} is not a run folder; `freerun runs` lists those that there are")
    missing: dict[str, str] = {}

    def read(name: str, reader: Callable[[Path], T], empty: T) -> T:
        """The file's content, or `empty` and a line that says what to do."""
        command = (MADE_BY | OPTIONAL)[name].replace("RUN", shlex.quote(str(path)))
        try:
            return reader(path / name)
        except FileNotFoundError:
            if name not in OPTIONAL:
                missing[name] = f"{name} is not there yet; this makes it: {command}"
        except (OSError, ValueError, csv.Error, RecursionError) as error:
            missing[name] = f"{name} cannot be read ({str(error)[:200]}); this makes it anew: {command}"
        return empty

    config = read("config.toml", _toml, {})
    exposure = read("exposure.json", _object, {})
    method = config.get("method")
    if isinstance(method, dict) and ({"d_latent", "n_variables"} & set(method) or method.get("condition")):
        missing.pop("exposure.json", None)  # not measured: its samples are led by more than the strings held out are
    return Run(
        path=path,
        name=path.resolve().name,
        config=config,
        facts=read("run.json", _object, {}),
        log=read("log.jsonl", _records, []),
        timing=read("timing.jsonl", _records, []),
        samples=read("samples.csv", _samples, Samples()),
        measures=read("measures.json", _object, {}),
        exposure=exposure,
        temperatures=read("temperatures.json", _objects, []),
        properties=read("properties.json", _object, {}),
        walks=read("walks.json", _object, {}),
        tradeoff=read("tradeoff.json", _objects, []),
        frontier=read("frontier.json", _objects, []),
        conditions=read("conditions.json", _object, {}),
        posterior=read("posterior.json", _object, {}),
        missing=missing,
    )


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _object(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text("utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"holds a {type(value).__name__}, not an object")
    return value


def _objects(path: Path) -> list[dict[str, Any]]:
    value = json.loads(path.read_text("utf-8"))
    if not isinstance(value, list):
        raise ValueError(f"holds a {type(value).__name__}, not a list")
    return [item for item in value if isinstance(item, dict)]


def _records(path: Path) -> list[dict[str, Any]]:
    """One record a line; a last line that was cut short (a run that is still writing) is left out."""

    def each(file) -> Iterator[dict[str, Any]]:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                if not line.endswith("\n"):
                    return
                raise
            if isinstance(record, dict):
                yield record

    with open(path, encoding="utf-8") as file:
        return list(each(file))


def _samples(path: Path) -> Samples:
    """Counts all rows in one pass; keeps the first `N_SHOWN`."""
    n, n_valid, first = 0, 0, []
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file, restval=""):
            row = {key: value for key, value in row.items() if isinstance(key, str) and isinstance(value, str)}
            n += 1
            n_valid += is_true(row.get("valid", ""))
            if n <= N_SHOWN:
                first.append(row)
    return Samples(n, n_valid, tuple(first))


def is_true(cell: str) -> bool:
    return cell.strip().lower() in {"true", "1", "1.0", "yes"}
