"""What a comparison compares: configurations with names of their own, made equal in all that they are not about.

Of every configuration but the first are replaced: where the strings come from and which of them are held out, how many
are validated on, the longest length, the precision; and, unless asked otherwise, the network. What else a configuration
says - its method, its representation, how it shuffles - is what is compared.
"""

import dataclasses
import math
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from freerun.config import Config, resolve
from freerun.config_files import load_tables
from freerun.errors import UsageError
from freerun.methods import METHODS
from freerun.methods.base import unrolled
from freerun.objectives.permission import refuse_code
from freerun.paying import anchored
from freerun.prepare import prepare
from freerun.run import Training
from freerun.run_folder import RunFolder
from freerun.run_strings import Work
from freerun.settings import settings_of
from freerun.trained import read_config

Notify = Callable[[str], None]
# What a budget is of -> the setting of [run] that ends a run when it is used up.
LIMITS = {"steps": "max_steps", "tokens": "max_tokens", "calls": "max_calls", "time": "max_minutes"}
SHARED = {
    "corpus": ("name", "column", "standardize", "max_lines", "strict"),
    "run": ("precision", "max_length", "n_validate"),
}
LONGEST_LABEL = 60
_WITH_SETTINGS = re.compile(r"(.+?)@(\w+\.[\w.]+=.*)", re.DOTALL)
_BETWEEN_SETTINGS = re.compile(r",(?=\w+\.[\w.]+=)")


@dataclasses.dataclass(frozen=True)
class Contender:
    """One configuration of a comparison.

    Args:
        label: Its name, that of no other one; with the seed behind it, a run's folder.
        tables: As a TOML file holds them.
    """

    label: str
    tables: dict[str, dict[str, Any]]

    def resolved(self) -> Config:
        """
        Raises:
            UsageError: With the label, what is wrong in its tables.
        """
        try:
            return resolve(self.tables)
        except UsageError as error:
            raise UsageError(f"{self.label}: {error}") from error

    @property
    def takes_objective(self) -> bool:
        """Whether its method is paid for its strings."""
        return self.resolved().method.takes_objective

    def with_settings(self, table: str, values: Mapping[str, Any]) -> "Contender":
        """A copy in which these keys of a table are set."""
        changed = {**self.tables, table: {**self.tables.get(table, {}), **values}}
        return dataclasses.replace(self, tables=changed)

    def limited(self, equal: str, budget: float, n_steps: int) -> "Contender":
        """A copy that ends when the budget is used up.

        A method that is one phase is given `n_steps`, so that what it anneals is annealed when it ends; one of several
        phases keeps its own course and is cut off.

        Args:
            equal: A key of `LIMITS`.
            budget: Steps, tokens, calls, or minutes.
            n_steps: Steps that will use it up; 0: that is not known.
        """
        cut = self.with_settings("run", {LIMITS[equal]: budget if equal == "time" else round(budget)})
        if not n_steps or "n_steps" not in settings_of(type(self.resolved().method)):
            return cut
        scheduled = self.with_settings("method", {"n_steps": n_steps})
        phases = unrolled(scheduled.resolved().method.phases(1))
        if len(phases) != 1 or phases[0].n_steps != n_steps:
            return cut
        return scheduled if equal == "steps" else cut.with_settings("method", {"n_steps": n_steps})


@dataclasses.dataclass(frozen=True)
class Look:
    """What is known of a contender before it is trained.

    Args:
        vocab: Of its representation, fitted.
        n_steps: Of its own course.
        tokens_a_step: Mean over an epoch.
    """

    is_chemical: bool
    vocab: tuple[str, ...]
    n_steps: int
    tokens_a_step: float

    def planned(self, equal: str) -> float:
        """What its own course uses, of steps or tokens."""
        return float(self.n_steps if equal == "steps" else round(self.n_steps * self.tokens_a_step))

    def n_steps_of(self, equal: str, budget: float) -> int:
        """Steps that use the budget up; 0 where that is not known."""
        return {"steps": round(budget), "tokens": math.ceil(budget / self.tokens_a_step)}.get(equal, 0)


def looked_at(contender: Contender, out: Path, notify: Notify, work: Work | None) -> Look:
    """Its corpus is read and its networks are built once, in a folder that goes: what is wrong is told before anything
    is trained.

    Raises:
        UsageError: With the label, what is wrong.
    """
    config = contender.resolved()
    with tempfile.TemporaryDirectory(prefix=".", dir=out) as place:
        folder = RunFolder(place)
        try:
            with prepare(config, folder, notify, work) as prepared:
                training = Training(folder, prepared)
        except UsageError as error:
            raise UsageError(f"{contender.label}: {error}") from error
        facts, batches = folder.read_facts()["representation"], training.batches
    tokens_a_step = batches.n_tokens / batches.n_batches
    return Look(facts["is_chemical"], tuple(facts["vocab"]), training.n_steps, tokens_a_step)


def contenders(
    configs: Sequence[str],
    overrides: Sequence[str] = (),
    *,
    corpus: str | None = None,
    column: str | None = None,
    objectives: Sequence[str] = (),
    allow_code: bool = False,
    device: str | None = None,
    own_networks: bool = False,
) -> tuple[Contender, ...]:
    """The configurations of these names, ready to be trained on the same strings.

    Args:
        configs: Bundled names or TOML files; `NAME@TABLE.KEY=VALUE,TABLE.KEY=VALUE` is one of them with other settings,
            so that a name can stand more than once.
        overrides: `TABLE.KEY=VALUE` of all of them; an objective only of those whose method takes one.
        corpus: A corpus or a file in place of the first configuration's.
        objectives: `NAME` or `NAME:WEIGHT`: what those are paid by whose methods take an objective.
        allow_code: Functions and programs that a configuration names as its objective may run; those of `objectives`
            always do.
        own_networks: Each keeps its own table [model].

    Raises:
        UsageError: If there is none, or one of them is unknown or cannot be read.
    """
    if not configs:
        raise UsageError("nothing to compare: name at least one config; `freerun configs` lists those that there are")
    found: list[Contender] = []
    for text in configs:
        name, settings = _parted(text)
        found.append(Contender(_label(name, settings, found), _tables(name, overrides, settings)))
    for table, key, value in (("corpus", "name", corpus), ("corpus", "column", column), ("run", "device", device)):
        if value is not None:
            found = [each.with_settings(table, {key: value}) for each in found]
    if objectives:
        paid = {"scores": list(objectives)}
        found = [each.with_settings("objective", paid) if each.takes_objective else each for each in found]
    equal = _paid_alike(_equalised([_rooted(each) for each in found], own_networks))
    for each in equal:
        refuse_code(each.resolved().objective, allow_code or bool(objectives), {})
    return tuple(equal)


def _paid_alike(found: Sequence[Contender]) -> list[Contender]:
    """Those that take an objective and name none are paid as the first that does."""
    paid = (config for config in (each.resolved() for each in found) if config.objective.scores)
    first = next(paid, None)
    if first is None:
        return list(found)
    table = first.tables()["objective"]
    poor = [each.takes_objective and not each.resolved().objective.scores for each in found]
    return [
        each.with_settings("objective", table) if is_poor else each for each, is_poor in zip(found, poor, strict=True)
    ]


def _rooted(contender: Contender) -> Contender:
    """The run that lends its weights, and the files of the objective, are remembered by their full paths."""
    config = contender.resolved()
    if config.objective.scores:
        whole = anchored(config.objective)
        contender = contender.with_settings("objective", {"scores": list(whole.scores), "shapes": whole.shapes})
    lender = config.run.init
    return (
        contender.with_settings("run", {"init": str(RunFolder.found(lender).path.resolve())}) if lender else contender
    )


def _equalised(found: Sequence[Contender], own_networks: bool) -> list[Contender]:
    """All of them on the strings of the first, and with its network."""
    first = found[0].resolved()
    tables, equal = first.tables(), [found[0]]
    network = read_config(RunFolder.found(first.run.init)).model if first.run.init else first.model
    for each in found[1:]:
        for table, keys in SHARED.items():
            each = each.with_settings(table, {key: tables[table][key] for key in keys})
        if not own_networks:
            each = each.with_settings("model", dataclasses.asdict(network))
        each.resolved()
        equal.append(each)
    return equal


def _parted(text: str) -> tuple[str, list[str]]:
    """The name, and the settings behind its @."""
    match = None if Path(text).exists() else _WITH_SETTINGS.fullmatch(text)
    return (text, []) if match is None else (match[1], _BETWEEN_SETTINGS.split(match[2]))


def _tables(name: str, overrides: Sequence[str], settings: Sequence[str]) -> dict[str, dict[str, Any]]:
    plain = [text for text in overrides if not text.startswith("objective.")]
    tables = load_tables(name, [*plain, *settings])
    kind = METHODS.get(tables.get("method", {}).get("name", "teacher_forcing"))
    if kind is None or not kind.takes_objective:  # an unknown method is told of when the tables are resolved
        return tables
    return load_tables(name, [*overrides, *settings])


def _label(name: str, settings: Sequence[str], taken: Sequence[Contender]) -> str:
    """The stem and what is set, as a file may be called on any system; with a number where another one has that."""
    keys = [text.partition("=") for text in settings]
    told = ",".join(f"{key.strip().rpartition('.')[2]}={value.strip()}" for key, _, value in keys)
    stem = Path(name).stem + (f"@{told}" if told else "")
    stem = re.sub(r"[^\w.,=@+-]+", "_", stem, flags=re.ASCII)[:LONGEST_LABEL].rstrip(".") or "config"
    labels = {each.label.casefold() for each in taken}
    label, number = stem, 2
    while label.casefold() in labels:
        label, number = f"{stem}-{number}", number + 1
    return label
