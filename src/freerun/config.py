"""A configuration: checked objects from the tables of a file, and back to tables that say all of it."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

from freerun.constraints import CONSTRAINTS
from freerun.constraints.base import AbstractConstraint
from freerun.constraints.both import both
from freerun.errors import UsageError
from freerun.grammars.reading import load
from freerun.methods import METHODS
from freerun.methods.base import AbstractMethod, Network
from freerun.objectives.settings import ObjectiveSettings
from freerun.representations import REPRESENTATIONS
from freerun.representations.base import AbstractRepresentation
from freerun.settings import built, built_by_name, named, nearest, settings_of


@dataclasses.dataclass(frozen=True)
class CorpusSettings:
    """Where the strings come from: the table `[corpus]`.

    Args:
        name: A bundled or fetched corpus, or a file.
        column: Of a table: the column that holds the strings; empty: found by its name or kind.
        columns: Of a table: numeric columns that are kept beside the strings.
        standardize: `none`, or `parent`: largest fragment, neutralised, canonical, duplicates merged.
        max_lines: Read no further than this many lines; 0: all.
        strict: A line that cannot be read ends the run instead of being counted.
        augment: Each time a string is used it is written anew, where the representation knows several writings.
        by_length: Sequences of a batch are of similar length.
    """

    name: str = "moses-mini"
    column: str = ""
    columns: tuple[str, ...] = ()
    standardize: Literal["none", "parent"] = "none"
    max_lines: int = 0
    strict: bool = False
    augment: bool = False
    by_length: bool = True


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """How the training loop runs: the table `[run]`.

    Args:
        seed: Of initialisation, order, dropout and samples.
        device: `auto`, `cpu`, `cuda`, `mps`, or any other device of PyTorch.
        precision: Of matrix products; `auto`: bfloat16 where the machine computes in it, else float32.
        max_length: Longer sequences of the corpus are left out; 0: the longest decides.
        log_every: Steps between two lines of the log.
        validate_every: Steps between two validations; 0: once a pass over the corpus.
        n_validate: Sequences of the validation split that are used.
        patience: Validations without improvement before training ends; 0: never.
        checkpoint_seconds: Between two checkpoints.
        max_minutes: Training ends after this time; 0: no limit. Such a run cannot be repeated exactly.
        max_steps, max_tokens, max_calls: Training ends after so many steps, tokens that were read or written, distinct
            strings that the objective was asked for; 0: no limit.
        observe: What is measured of samples during the training: `oracle`, `validity`, `uniqueness`.
        observe_every: Steps between two such measurements.
        init: A finished run that lends weights and vocabulary.
        tensorboard: Also write the log for TensorBoard (extra `tensorboard`).
    """

    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    max_length: int = 0
    log_every: int = 20
    validate_every: int = 0
    n_validate: int = 5000
    patience: int = 0
    checkpoint_seconds: float = 30.0
    max_minutes: float = 0.0
    max_steps: int = 0
    max_tokens: int = 0
    max_calls: int = 0
    observe: tuple[str, ...] = ()
    observe_every: int = 100
    init: str = ""
    tensorboard: bool = False


@dataclasses.dataclass(frozen=True)
class Config:
    """The resolved configuration. `representation` and `constraint` stay tables until the corpus is known."""

    representation: dict[str, Any]
    constraint: dict[str, Any]
    corpus: CorpusSettings
    model: Network
    method: AbstractMethod
    objective: ObjectiveSettings
    run: RunSettings

    def tables(self) -> dict[str, dict[str, Any]]:
        method_name = next(name for name, kind in METHODS.items() if type(self.method) is kind)
        return {
            "representation": dict(self.representation),
            "constraint": dict(self.constraint),
            "corpus": dataclasses.asdict(self.corpus),
            "model": dataclasses.asdict(self.model),
            "method": {"name": method_name, **dataclasses.asdict(self.method)},  # pyright: ignore[reportArgumentType]
            "objective": dataclasses.asdict(self.objective),
            "run": dataclasses.asdict(self.run),
        }

    def build_representation(self) -> AbstractRepresentation:
        """The representation that the table names, not fitted yet."""
        return built_by_name(REPRESENTATIONS, self.representation, "representation", without=("vocab",))

    def build_constraint(self, representation: AbstractRepresentation) -> AbstractConstraint:
        """The representation's own unless the table names another; `none` is `anything`."""
        table = dict(self.constraint)
        name = table.pop("name", "representation")
        if not isinstance(name, list):
            return _constraint(name, table, representation)
        if odd := set(table) - set(name):
            raise UsageError(
                f"[constraint] {min(odd)!r} belongs to none of {', '.join(name)}; settings of several constraints "
                "stand in tables of their own, like [constraint.length]"
            )
        parts = [_constraint(part, table.get(part, {}), representation) for part in name]
        return functools.reduce(both, parts)


def _constraint(name: str, table: Mapping[str, Any], representation: AbstractRepresentation) -> AbstractConstraint:
    """One constraint over the vocabulary of a representation."""
    if name == "representation":
        if table:
            raise UsageError(f"[constraint] {next(iter(table))!r} needs a name; known: {', '.join(CONSTRAINTS)}")
        return representation.constraint()
    kind = named(CONSTRAINTS, "anything" if name == "none" else name, "constraint")
    told = {
        "n_vocab": len(representation.vocab),
        "vocab": list(representation.vocab),
        "separator": representation.separator,
    }
    return built(kind, {key: told[key] for key in settings_of(kind) & told.keys()} | with_grammar(table), "constraint")


def with_grammar(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a constraint, a grammar's text in place of its name or file: so it stands by itself."""
    read = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            read[key] = with_grammar(value)
        elif key == "grammar" and isinstance(value, str) and "\n" not in value:
            read[key] = load(value)
        else:
            read[key] = value
    return read


def resolve(tables: Mapping[str, Any]) -> Config:
    """Checked objects from tables.

    Raises:
        UsageError: If a table, a key or a name is unknown (the nearest one is named), or a value is of the wrong type.
    """
    known = [field.name for field in dataclasses.fields(Config)]
    for name, table in tables.items():
        if name not in known:
            raise UsageError(f"[{name}] is not a table of a config{nearest(name, known)}; there are {', '.join(known)}")
        if not isinstance(table, dict):
            raise UsageError(f"{name} must be a table, not {table!r}")
    config = Config(
        representation=dict(tables.get("representation", {"name": "auto"})),
        constraint=dict(tables.get("constraint", {"name": "representation"})),
        corpus=built(CorpusSettings, tables.get("corpus", {}), "corpus"),
        model=built(Network, tables.get("model", {}), "model"),
        method=built_by_name(METHODS, {"name": "teacher_forcing"} | tables.get("method", {}), "method"),
        objective=built(ObjectiveSettings, tables.get("objective", {}), "objective"),
        run=built(RunSettings, tables.get("run", {}), "run"),
    )
    if config.representation.get("name", "auto") != "auto":
        config.build_representation()
    return config
