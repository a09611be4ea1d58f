"""How good are they? Suites of measures for a file of strings, and the whole examination of a run for its report."""

import dataclasses
import datetime
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.corpus import Corpus, open_corpus
from freerun.corpora.encode import encode_split
from freerun.corpora.sources import SOURCES
from freerun.corpora.store import EncodedSplit
from freerun.errors import UsageError
from freerun.files import cache_folder, write_json
from freerun.metrics.exposure import Exposure, Quality
from freerun.metrics.molecules import Molecules
from freerun.metrics.moses import moses_measures
from freerun.metrics.moses_reference import moses_reference
from freerun.metrics.parallel import molecules
from freerun.metrics.reference import reference
from freerun.metrics.text import bleu, distinct, self_bleu
from freerun.metrics.validity import plain_measures
from freerun.noise import mix
from freerun.outputs import write_samples
from freerun.prepare import reopen
from freerun.run_folder import RunFolder
from freerun.samples import Sample, Wanted, draw
from freerun.sampling.decoding import Decoding
from freerun.trained import Trained

Notify = Callable[[str], None]
Progress = Callable[[str, int, int], None]  # which part of the work, how much is done, how much there is
TEMPERATURES = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5)
N_AT_TEMPERATURE = 500
N_EXPOSED = 1000
N_DRAWN_VALUES = 2000
N_GRAM = 4


@dataclasses.dataclass(frozen=True)
class Against:
    """What samples are compared with.

    Args:
        name: A corpus, or a file.
        test: Split that stands for the truth; `+` joins splits.
        train: Splits that a novel string is not in.
    """

    name: str
    corpus: Corpus
    test: str
    train: str

    @classmethod
    def named(cls, name: str, column: str | None = None) -> "Against":
        """A corpus with its published splits; of a file, all its strings are both."""
        corpus = open_corpus(name, column=column)
        everything = "+".join(corpus.splits)
        if name not in SOURCES:
            return cls(name, corpus, everything, everything)
        held_out = "test" if "test" in corpus.splits else everything
        train = "+".join(split for split in ("train", "valid") if split in corpus.splits)
        return cls(name, corpus, held_out, train or everything)

    def train_strings(self) -> Iterator[str]:
        return (text for _, text in self.corpus.strings(self.train))

    def test_strings(self) -> Iterator[str]:
        return (text for _, text in self.corpus.strings(self.test))


def moses_suite(
    samples: Iterable[str] | Molecules, against: Against, ks: Sequence[int], progress: Progress | None = None
) -> dict[str, float]:
    """The measures of the MOSES benchmark; with the published reference statistics where `against` is `moses`."""
    if against.name == "moses":
        tests = (moses_reference("test"), moses_reference("test_scaffolds"))
    else:
        key = against.corpus.content_key(against.test)
        tests = (reference(against.test_strings(), key=key, progress=progress), None)
    return moses_measures(samples, *tests, against.train_strings(), ks=ks, progress=progress)


def text_suite(
    samples: Iterable[str], against: Against, ks: Sequence[int], progress: Progress | None = None
) -> dict[str, float]:
    """BLEU, self-BLEU, distinct-n, uniqueness and novelty of sentences."""
    lines = list(samples)
    measures = bleu(lines, against.test_strings()) | self_bleu(lines) | distinct(lines)
    plain = plain_measures(lines, bool, against.train_strings())
    return measures | {name: plain[name] for name in ("uniqueness", "novelty")}


SUITES: dict[str, Callable[..., dict[str, float]]] = {"moses": moses_suite, "text": text_suite}


def evaluate_strings(
    strings: Iterable[str], suite: str, against: str, *, column: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """What `measures.json` holds, for strings from anywhere.

    Raises:
        UsageError: If suite or corpus is unknown, or there are no strings.
    """
    if suite not in SUITES:
        raise UsageError(f"suite {suite!r} is not known; there are {', '.join(SUITES)}")
    strings = list(strings)
    if not strings:
        raise UsageError("there is no string to evaluate: the input is empty")
    ks = tuple(k for k in (1_000, 10_000) if k <= len(strings)) or (len(strings),)
    ours = SUITES[suite](strings, Against.named(against, column), ks, progress)
    return {"suite": suite, "n": len(strings), "against": against, "ours": ours, "created": _now()}


@dataclasses.dataclass(frozen=True)
class Examination:
    """Everything that the report shows of one run, written into its folder.

    Args:
        n: Samples that are measured, and training strings that are measured beside them.
    """

    folder: RunFolder
    n: int
    seed: int = 0
    device: str = "auto"
    suite: str = ""
    against: str = ""
    notify: Notify = lambda _: None
    progress: Progress | None = None

    def run(self) -> dict[str, Any]:
        """Samples, measures, temperatures, exposure, properties; returns the measures."""
        self.notify(f"drawing {self.n:,} samples")
        samples = self._samples()
        write_samples([samples], str(self.folder.path / "samples.csv"))
        measures = self._measures([sample.raw for sample in samples])
        self.notify("free running against teacher forcing: exposure, and samples by temperature")
        write_json(self.folder.path / "temperatures.json", self._temperatures())
        write_json(self.folder.path / "exposure.json", self._exposure())
        return measures

    @functools.cached_property
    def trained(self) -> Trained:
        return Trained.load(self.folder, device=self.device)

    @functools.cached_property
    def splits(self) -> tuple[EncodedSplit, EncodedSplit]:
        """The run's training split, and the sequences held out of it (or, without any, the training split again)."""
        prepared = reopen(self.folder, lambda _: None)
        held_out = [split for split in ("valid", "test") if split in prepared.corpus.splits]
        if not held_out or prepared.valid is None:
            return prepared.train, prepared.train
        return prepared.train, encode_split(prepared.corpus, "+".join(held_out), self.trained.representation)

    @functools.cached_property
    def yardstick(self) -> Against:
        if self.against:
            return Against.named(self.against)
        settings = self.trained.config.corpus
        if settings.name in SOURCES:
            return Against.named(settings.name)
        corpus = open_corpus(settings.name, column=settings.column or None, standardize=settings.standardize)
        test = next((split for split in ("test", "valid") if split in corpus.splits), "train")
        return Against(settings.name, corpus, test, "train+valid" if "valid" in corpus.splits else "train")

    def _samples(self) -> list[Sample]:
        return [sample for piece in draw(self.trained, Wanted(self.n, self.seed)) for sample in piece]

    def _measures(self, strings: Sequence[str]) -> dict[str, Any]:
        chemical = self.trained.representation.is_chemical
        suite = self.suite or ("moses" if chemical else "text")
        ks = tuple(k for k in (1_000, 10_000) if k <= self.n) or (self.n,)
        theirs = self._corpus_sample()
        self.notify(f"measuring them by the suite {suite} against {self.yardstick.name}")
        ours: Any = molecules(strings, progress=self.progress) if suite == "moses" else strings
        measures = {
            "suite": suite,
            "n": len(strings),
            "against": self.yardstick.name,
            "sampling": {"temperature": 1.0, "seed": self.seed},
            "ours": SUITES[suite](ours, self.yardstick, ks, self.progress),
            "corpus": self._corpus_measures(theirs, suite, ks),
            "created": _now(),
        }
        write_json(self.folder.path / "measures.json", measures)
        properties = {"length": {"ours": _lengths(strings), "corpus": _lengths(theirs)}}
        if isinstance(ours, Molecules):
            properties = _properties(ours, molecules(theirs)) | properties
        write_json(self.folder.path / "properties.json", properties)
        return measures

    def _corpus_sample(self) -> list[str]:
        train, _ = self.splits
        rows = np.random.default_rng(mix(self.seed, 6)).permutation(len(train))[: self.n]
        return train.strings(rows.tolist())

    def _corpus_measures(self, theirs: Sequence[str], suite: str, ks: Sequence[int]) -> dict[str, float]:
        """The training set itself at the same n: what a perfect generator would score. Cached: it does not change."""
        made_of = [suite, self.yardstick.name, self.yardstick.corpus.content_key(self.yardstick.test), *ks, *theirs]
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]
        path = cache_folder() / "measures" / f"{key}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        self.notify(f"measuring {len(theirs):,} training strings beside them (once)")
        measures = SUITES[suite](theirs, self.yardstick, ks, self.progress)
        write_json(path, measures)
        return measures

    def _temperatures(self) -> list[dict[str, Any]]:
        records = []
        for temperature in TEMPERATURES:
            wanted = Wanted(min(self.n, N_AT_TEMPERATURE), self.seed, Decoding(temperature=temperature))
            samples = [sample for piece in draw(self.trained, wanted) for sample in piece]
            valid = [sample.string for sample in samples if sample.valid]
            record = {"temperature": temperature, "n": len(samples), "strings": [s.raw for s in samples[:12]]}
            record |= {"valid": len(valid) / len(samples), "unique": len(set(valid)) / max(1, len(valid))}
            records.append(record)
        return records

    def _exposure(self) -> dict[str, Any]:
        train, held_out = self.splits
        n = min(N_EXPOSED, self.n, len(held_out))
        rows = np.random.default_rng(mix(self.seed, 7)).permutation(len(held_out))[:n]
        tokens = _padded([self.trained.representation.encode(text) for text in held_out.strings(rows.tolist())])
        chemical = self.trained.representation.is_chemical
        quality = _validity(self.trained) if chemical else _known_grams(train, self.trained)
        trained = self.trained
        measured = Exposure(trained.generator, trained.constraint, trained.budget, tokens, quality, self.seed).measure()
        return {**measured, "n": n, "quality": "validity" if chemical else f"share of known {N_GRAM}-grams"}


def _padded(rows: Sequence[Sequence[int]]) -> Int[Tensor, "batch time"]:
    tokens = torch.full((len(rows), max(map(len, rows)) + 1), PAD)
    for row, ids in zip(tokens, rows, strict=True):
        row[: len(ids) + 1] = torch.tensor([*ids, 2])
    return tokens


def _validity(trained: Trained) -> Quality:
    def quality(tokens: Int[Tensor, "batch time"]) -> Float[np.ndarray, " batch"]:
        strings = trained.representation.decode_batch(tokens)
        return np.array([trained.representation.is_valid(text) for text in strings], dtype=np.float64)

    return quality


def _known_grams(train: EncodedSplit, trained: Trained, n_most: int = 4_000_000) -> Quality:
    """Share of a string's token n-grams that occur in the training set: strings of a text are never invalid."""
    size, ids = len(trained.representation.vocab), np.asarray(train.ids[:n_most]).astype(np.int64)
    table = np.array([trained.representation.token_ids[token] for token in train.alphabet], dtype=np.int64)
    known = np.unique(_grams(table[ids], size))

    def quality(tokens: Int[Tensor, "batch time"]) -> Float[np.ndarray, " batch"]:
        shares = []
        for row in tokens.cpu().numpy():
            grams = _grams(row[row > 3].astype(np.int64), size)
            shares.append(_contains(known, grams).mean() if len(grams) else 1.0)
        return np.array(shares)

    return quality


def _grams(ids: Int[np.ndarray, " tokens"], size: int) -> Int[np.ndarray, " grams"]:
    """One number for each run of N_GRAM tokens (a hash where the vocabulary is large)."""
    count = max(0, len(ids) - N_GRAM + 1)
    return sum((ids[k : k + count] * np.int64(size) ** k for k in range(N_GRAM)), np.zeros(count, dtype=np.int64))


def _contains(known: Int[np.ndarray, " known"], grams: Int[np.ndarray, " grams"]) -> Bool[np.ndarray, " grams"]:
    place = np.minimum(np.searchsorted(known, grams), len(known) - 1)
    return known[place] == grams


def _properties(ours: Molecules, theirs: Molecules) -> dict[str, dict[str, list[float]]]:
    ours, theirs = ours.of_valid(), theirs.of_valid()
    return {
        name: {
            "ours": ours.properties[name][:N_DRAWN_VALUES].tolist(),
            "corpus": theirs.properties[name][:N_DRAWN_VALUES].tolist(),
        }
        for name in ours.properties
    }


def _lengths(strings: Sequence[str]) -> list[float]:
    """Characters of each string."""
    return [float(len(text)) for text in strings[:N_DRAWN_VALUES]]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def training_strings(trained: Trained) -> Callable[[list[str]], list[bool]]:
    """Whether strings stand in the run's training or validation split, as they are written there (by 64-bit hash)."""
    prepared = reopen(trained.folder, lambda _: None)
    splits = [split for split in (prepared.train, prepared.valid) if split is not None]
    known = np.unique(np.fromiter((hash(text) for split in splits for text in _strings(split)), dtype=np.int64))

    def is_known(strings: list[str]) -> list[bool]:
        return np.isin(np.array([hash(text) for text in strings], dtype=np.int64), known).tolist()

    return is_known


def _strings(split: EncodedSplit, at_once: int = 65_536) -> Iterator[str]:
    for start in range(0, len(split), at_once):
        yield from split.strings(range(start, min(start + at_once, len(split))))


def read_lines(path: str) -> Iterator[str]:
    """The samples of a plain file, or of stdin for `-`: every line is one, the empty ones too."""
    import sys

    if path == "-":
        yield from (line.rstrip("\r\n") for line in sys.stdin)
        return
    if not Path(path).is_file():
        raise UsageError(f"{path} is no file; give a file of strings, a run folder, or - for stdin")
    if Path(path).suffix in (".csv", ".tsv", ".parquet"):
        yield from _column_of(path)
        return
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield from (line.rstrip("\r\n") for line in file)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 ({error.reason} at byte {error.start})") from error


def _column_of(path: str) -> Iterator[str]:
    """The samples of a table: the column `raw` of what `freerun sample` writes, else the column of strings."""
    for column in ("raw", None):
        try:
            corpus = open_corpus(path, column=column)
        except UsageError:
            if column is None:
                raise
            continue
        yield from (text for _, text in corpus.strings("+".join(corpus.splits)))
        return
