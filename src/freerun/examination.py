"""The whole examination of a run for its report: samples, measures, temperatures, exposure, codes, conditions."""

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split
from freerun.corpora.padding import padded
from freerun.corpora.sources import SOURCES
from freerun.corpora.store import EncodedSplit
from freerun.errors import UnknownToken
from freerun.evaluation import Against, Progress, fitting_suite, ks_of, now, suite_named
from freerun.files import cache_folder, write_json
from freerun.held_out import read_held_out, readable
from freerun.methods.base import AbstractLatentMethod
from freerun.metrics.exposure import Exposure, Quality
from freerun.metrics.frontier import Point, drawn, frontier
from freerun.metrics.molecules import Molecules
from freerun.metrics.parallel import molecules
from freerun.noise import mix
from freerun.obedience import obedience
from freerun.outputs import write_samples
from freerun.posterior import N_CODES, posterior
from freerun.prepare import Prepared, reopen
from freerun.run_folder import RunFolder
from freerun.samples import Sample, Wanted, draw
from freerun.sampling.decoding import Decoding
from freerun.tradeoff import tradeoff
from freerun.trained import Trained
from freerun.walks import walks

Notify = Callable[[str], None]
TEMPERATURES = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5)
N_AT_TEMPERATURE = 500
N_EXPOSED = 1000
N_DRAWN_VALUES = 2000
N_GRAM = 4
N_WALKED = 5
N_ASKED = 1000
N_FRONTIER, COOLED = 2000, (0.35, 0.45, 0.55, 0.7, 0.85, 1.0)


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
        """Samples, measures, temperatures, exposure, properties, codes, conditions; returns the measures."""
        self.notify(f"drawing {self.n:,} samples")
        samples = self._samples()
        write_samples([samples], str(self.folder.path / "samples.csv"))
        measures = self._measures([sample.raw for sample in samples])
        self.notify("samples by temperature")
        write_json(self.folder.path / "temperatures.json", self._temperatures())
        n = min(self.n, N_AT_TEMPERATURE)
        points = tradeoff(self.trained, n=n, seed=self.seed, progress=self.progress)
        write_json(self.folder.path / "tradeoff.json", points)
        if measures["suite"] == "oracle" and not self.trained.generator.d_context:
            self.notify("near the oracle, or all of it: NLLs by temperature")
            write_json(self.folder.path / "frontier.json", self._frontier())
        if not self.trained.generator.d_context:  # else its samples follow other codes than the strings held out
            self.notify("free running against teacher forcing: exposure")
            write_json(self.folder.path / "exposure.json", self._exposure())
        if isinstance(self.trained.config.method, AbstractLatentMethod):
            self.notify("walks through the space of codes")
            write_json(self.folder.path / "walks.json", walks(self.trained, self._held_out(), self.seed))
            self.notify("what the codes know")
            write_json(self.folder.path / "posterior.json", self._posterior())
        if self.trained.state.world.conditions.parts:
            self.notify("what is obtained of what is asked for")
            asked = obedience(self.trained, min(self.n, N_ASKED), self.seed, self.progress)
            write_json(self.folder.path / "conditions.json", asked)
        return measures

    @functools.cached_property
    def trained(self) -> Trained:
        return Trained.load(self.folder, device=self.device)

    @functools.cached_property
    def prepared(self) -> Prepared:
        return reopen(self.folder, lambda _: None)

    @functools.cached_property
    def splits(self) -> tuple[EncodedSplit, EncodedSplit]:
        """The run's training split, and the sequences held out of it (or, without any, the training split again)."""
        if self._held_out_name == "train":
            return self.prepared.train, self.prepared.train
        representation = self.trained.representation
        return self.prepared.train, encode_split(self.prepared.corpus, self._held_out_name, representation)

    @property
    def _held_out_name(self) -> str:
        names = [split for split in ("valid", "test") if split in self.prepared.corpus.splits]
        return "+".join(names) if names and self.prepared.valid is not None else "train"

    @functools.cached_property
    def yardstick(self) -> Against:
        if self.against:
            return Against.named(self.against)
        settings = self.trained.config.corpus
        if settings.name in SOURCES:
            return Against.named(settings.name)
        corpus = open_corpus(
            settings.name,
            column=settings.column or None,
            standardize=settings.standardize,
            max_lines=settings.max_lines or None,
            seed=self.trained.config.run.seed,
        )
        test = next((split for split in ("test", "valid") if split in corpus.splits), "train")
        return Against(settings.name, corpus, test, "train+valid" if "valid" in corpus.splits else "train")

    def _samples(self, constrained: bool = True) -> list[Sample]:
        wanted = Wanted(self.n, self.seed, constrained=constrained)
        return [sample for piece in draw(self.trained, wanted) for sample in piece]

    def _measures(self, strings: Sequence[str]) -> dict[str, Any]:
        suite = self.suite or self._fitting_suite()
        measure = suite_named(suite)
        ks = ks_of(self.n)
        theirs = self._corpus_sample()
        self.notify(f"measuring them by the suite {suite} against {self.yardstick.name}")
        ours: Any = molecules(strings, progress=self.progress) if suite == "moses" else strings
        measures = {
            "suite": suite,
            "n": len(strings),
            "against": self.yardstick.name,
            "sampling": {"temperature": 1.0, "seed": self.seed},
            "ours": measure(ours, self.yardstick, ks, self.progress),
            "corpus": self._corpus_measures(theirs, suite, ks),
            "created": now(),
        }
        if not self.trained.constraint.is_free:
            self.notify(f"drawing and measuring {self.n:,} samples of the same weights without the constraint")
            free = [sample.raw for sample in self._samples(constrained=False)]
            measures["unconstrained"] = measure(
                molecules(free, progress=self.progress) if suite == "moses" else free, self.yardstick, ks, self.progress
            )
        write_json(self.folder.path / "measures.json", measures)
        properties = {"length": {"ours": _lengths(strings), "corpus": _lengths(theirs)}}
        if isinstance(ours, Molecules):
            properties = _properties(ours, molecules(theirs)) | properties
        write_json(self.folder.path / "properties.json", properties)
        return measures

    def _fitting_suite(self) -> str:
        if self.trained.representation.is_chemical:
            return "moses"
        return fitting_suite(self.yardstick.name)

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
        measures = suite_named(suite)(theirs, self.yardstick, ks, self.progress)
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

    def _held_out(self) -> list[str]:
        """A few strings that were not trained on, for the walks to begin from."""
        _, held_out = self.splits
        order = np.random.default_rng(mix(self.seed, 8)).permutation(len(held_out)).tolist()
        rows = [ids for ids in _readable(self.trained, held_out, order, 4 * N_WALKED) if len(ids) < self.trained.budget]
        return [self.trained.representation.decode(ids) for ids in rows[:N_WALKED]]

    def _posterior(self) -> dict[str, Any]:
        _, encoded = self.splits
        order = np.random.default_rng(mix(self.seed, 9)).permutation(len(encoded)).tolist()
        rows = readable(self.trained, encoded, min(N_CODES, 10 * self.n), order)
        held = read_held_out(self.trained, self.prepared.corpus, self._held_out_name, encoded, rows)
        return posterior(self.trained, held, self.n, self.seed, self.notify)

    def _frontier(self) -> list[Point]:
        run = self.trained
        return frontier(
            run.generator,
            run.constraint,
            run.budget,
            temperatures=COOLED,
            n=min(self.n, N_FRONTIER),
            seed=self.seed,
            valid=drawn("valid")[:N_FRONTIER],
            test=drawn("test")[:N_FRONTIER],
            progress=self.progress,
        )

    def _exposure(self) -> dict[str, Any]:
        train, held_out = self.splits
        order = np.random.default_rng(mix(self.seed, 7)).permutation(len(held_out)).tolist()
        known = _readable(self.trained, held_out, order, min(N_EXPOSED, self.n))
        tokens, n = torch.from_numpy(padded(known)), len(known)
        chemical = self.trained.representation.is_chemical
        quality = _validity(self.trained) if chemical else _known_grams(train, self.trained)
        trained = self.trained
        measured = Exposure(trained.generator, trained.constraint, trained.budget, tokens, quality, self.seed).measure()
        return {**measured, "n": n, "quality": "validity" if chemical else f"share of known {N_GRAM}-grams"}


def _readable(trained: Trained, held_out: EncodedSplit, order: Sequence[int], n: int) -> list[list[int]]:
    """Ids of the first n strings of this order without a token that training never saw (a rare word, say)."""
    found: list[list[int]] = []
    for text in held_out.strings(order[: 4 * n]):
        with contextlib.suppress(UnknownToken):
            found.append(trained.representation.encode(text))
        if len(found) == n:
            break
    return found


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
