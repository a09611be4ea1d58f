"""A corpus: strings in splits, streamed from files; nothing large is read before it is asked for."""

import dataclasses
import difflib
import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freerun.corpora import values
from freerun.corpora.containers import File
from freerun.corpora.fetch import Progress, local_file
from freerun.corpora.lines import AbstractReader
from freerun.corpora.own_files import open_file
from freerun.corpora.pinned import Source
from freerun.corpora.reading import Reading, Refusal
from freerun.corpora.sources import SOURCES
from freerun.corpora.splits import SplitRule
from freerun.corpora.standardize import Parents, Treatment
from freerun.errors import FreerunError, UsageError

STANDARDS = ("none", "parent")
OWN_SPLIT = SplitRule(held_out=("valid", "test"), every=20)
_N_SAMPLE = 1000


@dataclass(frozen=True)
class Corpus:
    """A cheap handle; each call below is one streaming pass over the files of the split.

    A split is a name of `splits`, or several joined by `+`: `train+valid` is the published train set of a corpus
    whose validation lines were held out of it by us.

    Args:
        name: Its name, or the path of the user's file.
        parts: Readers, and the rule that shares out the lines of each.
        seed: Of the splits.
        max_lines: At most so many strings of each split, the first; None: all.
        property_columns: Columns that `columns` reads.
        standardize: `none` or `parent`.
        description, licence, origin, traps: In words; empty for the user's own file.
        n_strings: Strings in each split where known, before refusals.
    """

    name: str
    parts: tuple[tuple[AbstractReader, SplitRule], ...]
    seed: int = 0
    max_lines: int | None = None
    property_columns: tuple[str, ...] = ()
    standardize: str = "none"
    description: str = ""
    licence: str = ""
    origin: str = ""
    traps: str = ""
    n_strings: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, train first."""
        names = dict.fromkeys(name for _, rule in self.parts for name in rule.names)
        order = {name: place for place, name in enumerate(("train", "valid", "test", "test_scaffolds"))}
        return tuple(sorted(names, key=order.__getitem__))

    def strings(self, split: str, reading: Reading | None = None) -> Iterator[tuple[int, str]]:
        """(line number in its file, string) of every readable line; refusals and remarks go to `reading`.

        Raises:
            UsageError: If there is no such split.
            FreerunError: If a file cannot be read or holds no line at all.
        """
        for line, text, _ in self._records(split, reading or Reading(), ()):
            yield line, text

    def columns(self, split: str, reading: Reading | None = None) -> dict[str, np.ndarray]:
        """The property columns, aligned with `strings(split)`: float64 with NaN for missing, or labels as objects."""
        return {column.name: column.array() for column in self.read_columns(split, reading)}

    def read_columns(self, split: str, reading: Reading | None = None) -> list[values.Column]:
        """The property columns with what is missing in them; that is noted in `reading`."""
        reading = reading or Reading()
        if not self.property_columns:
            return []
        columns = [values.Column(name, self._kinds[name]) for name in self.property_columns]
        for line, _, row in self._records(split, reading, self.property_columns):
            for column, value in zip(columns, row, strict=True):
                column.add(line, value)
        for column in columns:
            if remark := column.remark():
                reading.note(remark)
        return columns

    def content_key(self, split: str) -> str:
        """SHA-256 of all that the strings depend on: content of the files, column, split rule, standardisation."""
        parts = [[reader.key(), dataclasses.asdict(rule)] for reader, rule in self._parts_of(split)]
        made_of = {"version": 1, "split": sorted(self._wanted(split)), "parts": parts, "max_lines": self.max_lines}
        if any(rule.held_out for _, rule in self._parts_of(split)):
            made_of["seed"] = self.seed
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    @property
    def facts(self) -> dict:
        """What a run records about its corpus, JSON-able."""
        names = [reader.file.name for reader, _ in self.parts]
        return {
            "name": self.name,
            "description": self.description,
            "licence": self.licence,
            "origin": self.origin,
            "files": list(dict.fromkeys(names)),
            "splits": list(self.splits),
            "columns": list(self.property_columns),
            "standardize": self.standardize,
            "max_lines": self.max_lines,
            "seed": self.seed,
        }

    def standardization(self) -> list[Treatment]:
        """How many lines each rule of the standardisation touched; empty without one."""
        readers = dict.fromkeys(reader for reader, _ in self.parts)
        return [reader.treatment() for reader in readers if isinstance(reader, Parents)]

    @functools.cached_property
    def _kinds(self) -> dict[str, str]:
        samples: list[Sequence] = []
        for reader, _ in self.parts:
            records = reader.records(Reading(), self.property_columns)
            good = (row for _, text, row in records if isinstance(text, str))
            samples.extend(itertools.islice(good, _N_SAMPLE))
        return {name: values.kind([row[i] for row in samples]) for i, name in enumerate(self.property_columns)}

    def _wanted(self, split: str) -> frozenset[str]:
        wanted = frozenset(split.split("+"))
        if unknown := sorted(wanted - set(self.splits)):
            raise UsageError(f"{self.name} has no split {unknown[0]!r}; it has {', '.join(self.splits)}")
        return wanted

    def _parts_of(self, split: str) -> list[tuple[AbstractReader, SplitRule]]:
        wanted = self._wanted(split)
        return [(reader, rule) for reader, rule in self.parts if wanted & set(rule.names)]

    def _records(self, split: str, reading: Reading, columns: Sequence[str]) -> Iterator[tuple[int, str, Sequence]]:
        wanted, n_left = self._wanted(split), self.max_lines if self.max_lines is not None else -1
        for reader, rule in self._parts_of(split):
            n_records = 0
            labels = rule.labels(self.seed)
            for (line, text, row), label in zip(reader.records(reading, columns), labels, strict=False):
                n_records += 1
                if label not in wanted:
                    continue
                if n_left == 0:
                    return
                if isinstance(text, Refusal):
                    reading.refused(text)
                else:
                    yield line, text, row
                    n_left -= 1
            if not n_records:
                raise FreerunError(f"{reader.file.name} holds no strings; it should hold one a line")


def open_corpus(
    name_or_path: str,
    *,
    column: str | None = None,
    columns: Sequence[str] = (),
    standardize: str = "none",
    max_lines: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Corpus:
    """A corpus by its name (fetched on first need), or the user's own file (`-`: standard input).

    Args:
        name_or_path: A key of `SOURCES`, or a path.
        column: Column of the strings in a table; None: guessed, see `tables.guessed_column`.
        columns: Property columns to carry along.
        standardize: "parent": each molecule is replaced by its neutral parent, duplicates are merged.
        max_lines: Use at most so many strings of each split.
        seed: Of the splits that the field has not fixed.
        progress: Told of the bytes fetched.

    Raises:
        UsageError: For an unknown name, a missing column, a wrong option.
        FreerunError: For a file that cannot be read or fetched.
    """
    if standardize not in STANDARDS:
        raise UsageError(f"standardize is {standardize!r}; it must be one of {', '.join(STANDARDS)}")
    if max_lines is not None and max_lines < 1:
        raise UsageError(f"max_lines is {max_lines}; it must be at least 1")
    if name_or_path in SOURCES:
        source = SOURCES[name_or_path]
        parts = _named_parts(source, progress)
    elif name_or_path != "-" and not Path(name_or_path).exists() and Path(name_or_path).name == name_or_path:
        raise UsageError(_unknown(name_or_path))
    else:
        source, parts = None, ((open_file(name_or_path, column), OWN_SPLIT),)
    if source is not None and column is not None:
        raise UsageError(f"{name_or_path} is a named corpus, its column is fixed; leave out the column {column!r}")
    for reader, _ in parts:
        _check_columns(reader, columns)
    if standardize == "parent":
        parts = tuple((Parents(reader, tuple(columns)), rule) for reader, rule in parts)
    own = Corpus(name_or_path, parts, seed, max_lines, tuple(columns), standardize)
    if source is None:
        return own
    return dataclasses.replace(
        own,
        description=source.description,
        licence=source.licence,
        origin=source.origin,
        traps=source.traps,
        n_strings=source.splits,
    )


def _named_parts(source: Source, progress: Progress | None) -> tuple[tuple[AbstractReader, SplitRule], ...]:
    pinned = {file.name: file for file in source.files}
    paths = {name: local_file(file, progress) for name, file in pinned.items()}
    return tuple(
        (part.reader(File(paths[part.file], part.file, part.member, pinned[part.file].hash)), part.rule)
        for part in source.parts
    )


def _check_columns(reader: AbstractReader, columns: Sequence[str]) -> None:
    """Fail at once, not at the first pass."""
    for _ in itertools.islice(reader.records(Reading(), columns), 1 if columns else 0):
        pass


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SOURCES, 1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no file and no corpus {name!r}{hint} Corpora: {', '.join(SOURCES)}"
