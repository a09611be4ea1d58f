"""`parent`: every molecule is replaced by its largest fragment, neutral, canonical; duplicates are merged."""

import array
import csv
import functools
import hashlib
import importlib.metadata
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from freerun.chemistry import LONGEST, parse, rdkit
from freerun.corpora import values
from freerun.corpora.containers import File
from freerun.corpora.lines import AbstractReader, Record
from freerun.corpora.reading import Reading, Refusal, refuse
from freerun.corpora.workers import Job, chunked, map_chunks
from freerun.files import cache_folder, sha256, write_json, written_aside

RULES = ("smaller fragments removed", "charges neutralised", "written anew", "merged with an equal one")


@dataclass
class Treatment:
    """How many lines each rule touched.

    Args:
        file: The file.
        n_lines: Lines read.
        n_refused: Lines that are no molecules.
        n_touched: Lines touched by each of `RULES`; a line can be touched by several.
        n_left: Molecules that are left.
        notes: Remarks.
    """

    file: str
    n_lines: int = 0
    n_refused: int = 0
    n_touched: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES, 0))
    n_left: int = 0
    notes: list[str] = field(default_factory=list)


def parent(smiles: str) -> tuple[str, list[str]]:
    """The parent of a molecule, and the rules that changed it.

    Raises:
        ValueError: If it is no molecule.
    """
    chooser, uncharger = _tools()
    molecule = parse(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise ValueError("RDKit reads no molecule" if len(smiles) <= LONGEST else f"longer than {LONGEST:,} characters")
    touched = []
    if "." in smiles:
        largest = chooser.choose(molecule)
        if largest.GetNumAtoms() != molecule.GetNumAtoms():
            touched.append(RULES[0])
        molecule = largest
    if "+" in smiles or "-" in smiles:
        before = rdkit().MolToSmiles(molecule)
        molecule = uncharger.uncharge(molecule)
        if rdkit().MolToSmiles(molecule) != before:
            touched.append(RULES[1])
    result = rdkit().MolToSmiles(molecule)
    if result != smiles and not touched:
        touched.append(RULES[2])
    if parse(result) is None:
        raise ValueError("its parent is no molecule")
    return result, touched


@functools.cache
def _tools() -> tuple[Any, Any]:
    from rdkit.Chem.MolStandardize import rdMolStandardize

    rdkit()
    return rdMolStandardize.LargestFragmentChooser(), rdMolStandardize.Uncharger()


def parents(texts: list[str]) -> tuple[dict, bytes]:
    """A worker's job: the parent, or the reason why there is none, of each string."""
    found: list[list] = []
    for text in texts:
        try:
            smiles, touched = parent(text)
            found.append([smiles, touched, ""])
        except ValueError as error:
            found.append(["", [], str(error)])
    return {"parents": found}, b""


@dataclass(frozen=True)
class Parents(AbstractReader):
    """A reader's molecules, standardised once into the cache folder and read from there.

    The line number of a molecule is that of its first line in the original file. Numbers in property columns are
    averaged over the lines that are merged (missing ones left out); of labels the first is kept.

    Args:
        reader: The original.
        columns: Property columns to carry along.
    """

    reader: AbstractReader
    columns: tuple[str, ...] = ()

    @property
    def file(self) -> File:  # type: ignore[override]
        return self.reader.file

    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        places = [self.columns.index(name) for name in columns]
        path, treatment = self._made
        for note in treatment.notes:
            reading.note(note)
        with path.open(newline="", encoding="utf-8") as file:
            for line, text, *row in csv.reader(file):
                if text:
                    yield int(line), text, [row[i] for i in places]
                else:
                    yield int(line), Refusal(**json.loads(row[0])), ()

    def key(self) -> dict:
        return {"kind": "parent", "of": self.reader.key(), "columns": list(self.columns),
                "rdkit": importlib.metadata.version("rdkit"), "version": 1}  # fmt: skip

    def column_names(self) -> tuple[str, ...]:
        return self.reader.column_names()

    @property
    def string_column(self) -> str:
        return self.reader.string_column

    def treatment(self) -> Treatment:
        return self._made[1]

    @functools.cached_property
    def _made(self) -> tuple[Path, Treatment]:
        """The standardised file and its record, made on first need; a damaged one is made again."""
        name = hashlib.sha256(json.dumps(self.key(), sort_keys=True).encode()).hexdigest()[:32]
        path = cache_folder() / "parents" / f"{name}.csv"
        record = path.with_suffix(".json")
        try:
            kept = json.loads(record.read_text(encoding="utf-8"))
            if sha256(path) == kept["sha256"]:
                return path, Treatment(**kept["treatment"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not made yet, or damaged
        treatment = Treatment(self.file.name)
        with written_aside(path, "w") as out:
            _Merger(self, treatment).write(out)
        write_json(record, {"sha256": sha256(path), "treatment": asdict(treatment)})
        return path, treatment


class _Merger:
    """Two passes: equal parents are found and their numbers summed; then each is written once, with the means."""

    def __init__(self, parents: Parents, treatment: Treatment):
        self._reader, self._columns, self._treatment = parents.reader, parents.columns, treatment
        self._group: dict[bytes, int] = {}  # digest of the parent -> number of its group
        self._n_merged = array.array("I")
        self._sums = [array.array("d") for _ in self._columns]
        self._n_numbers = [array.array("I") for _ in self._columns]

    def write(self, out: IO[str]) -> None:
        with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as spool:
            first = csv.writer(spool)
            for row in self._first_pass():
                first.writerow(row)
            spool.seek(0)
            final, n_groups = csv.writer(out, lineterminator="\n"), itertools.count()
            for line, text, *row in csv.reader(spool):
                final.writerow([line, text, *(self._means(next(n_groups), row) if text else row)])
        self._treatment.n_left = len(self._group)

    def _first_pass(self) -> Iterator[list]:
        reading, treatment = Reading(), self._treatment
        records = self._reader.records(reading, self._columns)
        for chunk, (reply, _) in map_chunks(Job(parents, "parent"), chunked(records)):
            found = iter(reply["parents"])
            for line, text, row in chunk.records:
                treatment.n_lines += 1
                smiles, touched, reason = ("", [], "") if isinstance(text, Refusal) else next(found)
                if not smiles:
                    refusal = (
                        text if isinstance(text, Refusal) else refuse(line, self._reader.file.name, 0, reason, text)
                    )
                    treatment.n_refused += 1
                    yield [line, "", json.dumps(asdict(refusal))]
                    continue
                for rule in touched:
                    treatment.n_touched[rule] += 1
                if self._is_new(smiles, row):
                    yield [line, smiles, *row]
        treatment.notes.extend(reading.notes)

    def _is_new(self, smiles: str, row: Sequence) -> bool:
        group = self._group.setdefault(hashlib.blake2b(smiles.encode(), digest_size=16).digest(), len(self._group))
        new = group == len(self._n_merged)
        if new:
            for column in (self._n_merged, *self._sums, *self._n_numbers):
                column.append(0)
        else:
            self._treatment.n_touched[RULES[3]] += 1
        self._n_merged[group] += 1
        for i, value in enumerate(row):
            if not values.is_missing(value) and (number := values.number(value)) is not None:
                self._sums[i][group] += number
                self._n_numbers[i][group] += 1
        return new

    def _means(self, group: int, row: Sequence[str]) -> list[str]:
        if self._n_merged[group] == 1:
            return list(row)
        counts = [column[group] for column in self._n_numbers]
        means = [sums[group] / n if n else 0.0 for sums, n in zip(self._sums, counts, strict=True)]
        return [repr(mean) if n else value for value, mean, n in zip(row, means, counts, strict=True)]
