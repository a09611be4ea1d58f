"""Strings to small integers: once for each content and representation, in chunks, on all cores where that pays."""

import array
import collections
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from freerun.chemistry import LONGEST
from freerun.corpora.corpus import Corpus
from freerun.corpora.reading import Reading, Refusals, refuse
from freerun.corpora.store import (
    EncodedSplit,
    alphabet_counts,
    entry_path,
    read_entry,
    smallest_type,
    write_entry,
)
from freerun.corpora.workers import Chunk, Job, Reply, chunked, map_chunks
from freerun.errors import FreerunError, InvalidSequence
from freerun.files import cache_folder, written_aside
from freerun.representations import REPRESENTATIONS
from freerun.representations.base import AbstractRepresentation

Progress = Callable[[int, int], None]
"""Called with the lines read so far and all lines (0: not known)."""

_PIECE = 1 << 20


def encode_split(
    corpus: Corpus,
    split: str,
    representation: AbstractRepresentation,
    *,
    cache: Path | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    n_workers: int | None = None,
) -> EncodedSplit:
    """The split as token ids, from the cache if it was encoded before; without rows if every line is refused.

    Args:
        corpus: Where the strings are.
        split: Which of them; `a+b` joins splits.
        representation: How they are tokenized; need not be fitted.
        cache: Folder of the entries; None: `encoded` in the cache folder.
        strict: A line that cannot be read or tokenized is an error.
        progress: Told of the lines read.
        n_workers: Processes; None: one for each core.

    Raises:
        FreerunError: If a line is refused, with `strict`; if the cache cannot be written.
    """
    path = entry_path(cache or cache_folder() / "encoded", corpus.content_key(split), representation)
    encoded = _opened(path, representation)
    if encoded is None:
        reading = Reading(strict)
        with written_aside(path) as out, tempfile.TemporaryFile(dir=path.parent) as spool:
            _Encoder(corpus, split, representation, reading, spool).write(out, progress, n_workers)
        encoded = _opened(path, representation)
        if encoded is None:
            raise FreerunError(f"{path} was written and reads back damaged; is the disk faulty?")
    if strict and encoded.refusals.count:
        Reading(strict).refused(encoded.refusals.examples[0])
    return encoded


def fit(representation: AbstractRepresentation, *encoded: EncodedSplit) -> AbstractRepresentation:
    """A copy whose vocabulary is what its form prescribes, else all tokens of these splits, the most frequent first."""
    if representation.fixed_vocab:
        return representation.with_vocab(representation.fixed_vocab)
    counts = alphabet_counts(encoded)
    return representation.with_vocab(sorted(counts, key=lambda token: (-counts[token], token)))


def encoder(settings: dict) -> Callable[[list[str]], Reply]:
    """A worker's job, from the name and the settings of a representation."""
    representation = REPRESENTATIONS[settings["name"]](**settings["settings"])
    return lambda texts: encode_texts(representation, texts)


def encode_texts(representation: AbstractRepresentation, texts: list[str]) -> Reply:
    """Tokens of each string as ids into an alphabet of this chunk alone.

    Returns:
        `tokens`: the alphabet in order of first occurrence; `refused`: [index, position, reason] of each string
        refused; `remark`: what the representation says of these strings; and as bytes the lengths (int32, -1 for
        refused), then all ids (uint32).
    """
    alphabet: dict[str, int] = collections.defaultdict(lambda: len(alphabet))
    ids, lengths, refused = array.array("I"), array.array("i"), []
    for index, text in enumerate(texts):
        try:
            tokens = tokens_of(representation, text)
        except InvalidSequence as error:
            refused.append([index, error.position, error.reason])
            lengths.append(-1)
            continue
        ids.extend([alphabet[token] for token in tokens])
        lengths.append(len(tokens))
    remark = representation.remark(texts)
    return {"tokens": list(alphabet), "refused": refused, "remark": remark}, lengths.tobytes() + ids.tobytes()


def tokens_of(representation: AbstractRepresentation, text: str) -> list[str]:
    """At least one token.

    Raises:
        InvalidSequence: If there is none, if the text is malformed, or too long for the molecule it should be.
    """
    if representation.is_chemical and len(text) > LONGEST:
        raise InvalidSequence(text, LONGEST, f"longer than {LONGEST:,} characters, too long for a molecule")
    tokens = representation.tokenize(text)
    if not tokens:
        raise InvalidSequence(text, 0, "no tokens")
    return tokens


def _job(representation: AbstractRepresentation) -> Job:
    """Other processes can make a representation only from its dict entry."""
    bare = dataclasses.replace(representation, vocab=())
    known = REPRESENTATIONS.get(representation.name) is type(representation)
    settings = {"name": representation.name, "settings": representation.settings()}
    return Job(lambda texts: encode_texts(bare, texts), "encode" if known else "", settings)


class _Encoder:
    """One pass over a split; ids go to a spool as they come, all else is held (some 20 bytes a line)."""

    def __init__(
        self,
        corpus: Corpus,
        split: str,
        representation: AbstractRepresentation,
        reading: Reading,
        spool: IO[bytes],
    ):
        self._corpus, self._split, self._representation = corpus, split, representation
        self._reading, self._spool = reading, spool
        self._alphabet: dict[str, int] = {}
        self._counts = np.zeros(0, np.int64)
        self._lengths, self._lines, self._records = array.array("I"), array.array("I"), array.array("I")
        self._n_strings = 0
        self._remarked = False

    def write(self, out: IO[bytes], progress: Progress | None, n_workers: int | None) -> None:
        total = sum(self._corpus.n_strings.get(name, 0) for name in self._split.split("+"))
        total = min(total, self._corpus.max_lines or total)
        strings = ((line, text, ()) for line, text in self._corpus.strings(self._split, self._reading))
        for chunk, reply in map_chunks(_job(self._representation), chunked(strings), n_workers):
            self._add(chunk, *reply)
            if progress:
                progress(self._n_strings, total)
        record = {
            "alphabet": list(self._alphabet),
            "counts": self._counts.tolist(),
            "refusals": self._reading.refusals.to_dict(),
            "notes": self._reading.notes,
        }
        offsets = np.concatenate(([0], np.cumsum(np.array(self._lengths, dtype=np.int64))))
        arrays = {
            "offsets": [offsets],
            "lines": [np.array(self._lines, dtype=np.uint32)],
            "records": [np.array(self._records, dtype=np.uint32)],
            "ids": self._narrowed(),
        }
        write_entry(out, record, arrays)

    def _add(self, chunk: Chunk, reply: dict, blob: bytes) -> None:
        lengths = np.frombuffer(blob, np.int32, len(chunk.texts))
        local = np.frombuffer(blob, np.uint32, offset=lengths.nbytes)
        to_ours = [self._alphabet.setdefault(token, len(self._alphabet)) for token in reply["tokens"]]
        ids = np.array(to_ours, dtype=np.uint32)[local] if to_ours else local
        counts = np.bincount(ids, minlength=len(self._alphabet))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._spool.write(ids.tobytes())
        kept = np.flatnonzero(lengths >= 0)
        lines = np.array([line for line, _, _ in chunk.records], dtype=np.uint32)
        self._lengths.frombytes(lengths[kept].astype(np.uint32).tobytes())
        self._lines.frombytes(lines[kept].tobytes())
        self._records.frombytes((kept + self._n_strings).astype(np.uint32).tobytes())
        self._n_strings += len(chunk.texts)
        if reply["remark"] and not self._remarked:  # one is enough: each chunk names its own lines
            self._remarked = True
            self._reading.note(reply["remark"])
        for index, position, reason in reply["refused"]:
            line = chunk.records[index][0]
            self._reading.refused(refuse(line, self._corpus.name, position, reason, chunk.texts[index]))

    def _narrowed(self) -> Iterator[np.ndarray]:
        kind = smallest_type(len(self._alphabet))
        self._spool.seek(0)
        while data := self._spool.read(4 * _PIECE):
            yield np.frombuffer(data, np.uint32).astype(kind)


def _opened(path: Path, representation: AbstractRepresentation) -> EncodedSplit | None:
    entry = read_entry(path)
    if entry is None:
        return None
    record, arrays = entry
    return EncodedSplit(
        dataclasses.replace(representation, vocab=()),
        tuple(record["alphabet"]),
        np.array(record["counts"], dtype=np.int64),
        arrays["ids"],
        arrays["offsets"],
        arrays["lines"],
        arrays["records"],
        Refusals.from_dict(record["refusals"]),
        tuple(record["notes"]),
        path,
    )
