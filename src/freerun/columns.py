"""Columns of a corpus, one value a row of an encoded split: those of the file, and those that a score computes."""

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Sequence

import numpy as np

from freerun.corpora.corpus import Corpus
from freerun.corpora.reading import Reading, listed
from freerun.corpora.store import EncodedSplit
from freerun.errors import UsageError
from freerun.files import cache_folder, written_aside
from freerun.scores import SCORES, find_score
from freerun.scores.base import Score, nearest
from freerun.scores.parallel import values_of

N_AT_ONCE = 100_000  # strings that are held together while a score is computed
Notify = Callable[[str], None]
Work = Callable[[str, int, int], None]  # which part, how much of it is done, how much there is


def score_of(name: str) -> Score | None:
    """The score that computes a column of this name, `logP` being `logp`; None where there is none."""
    spelled = {each.lower(): each for each in SCORES}
    try:
        score = find_score(spelled.get(name.lower(), name))
    except UsageError:
        return None
    return None if score.program or score.scope == "batch" else score  # a program asks leave; neighbours are chance


def columns_of(
    corpus: Corpus, split: str, encoded: EncodedSplit, names: Sequence[str], notify: Notify, work: Work | None = None
) -> dict[str, np.ndarray]:
    """float64 with NaN where missing, or labels as objects, in the order of `names`.

    Args:
        encoded: That split of the corpus.
        notify: Told what is missing, and what is computed.

    Raises:
        UsageError: If the corpus has no such column and no score has this name.
    """
    present = {name for reader, _ in corpus.parts for name in reader.column_names()}
    read, reading = [name for name in names if name in present], Reading()
    found = {}
    if read:
        with_columns = dataclasses.replace(corpus, property_columns=tuple(read))
        found = encoded.align(with_columns.columns(split, reading))
        for note in reading.notes:
            if note.startswith("column "):
                notify(note)
    for name in names:
        if name not in found:
            found[name] = _computed(corpus, split, encoded, name, _needed(name, corpus, present), notify, work)
    return {name: found[name] for name in names}


def _needed(name: str, corpus: Corpus, present: set[str]) -> Score:
    score = score_of(name)
    if score is None:
        there = f"its columns are {listed(sorted(present))}" if present else "it holds one string a line"
        raise UsageError(
            f"{corpus.name} has no column {name!r} ({there}), and no score has this name"
            f"{nearest(name, [*present, *SCORES])} (`freerun scores` lists them)"
        )
    return score


def _computed(
    corpus: Corpus, split: str, encoded: EncodedSplit, name: str, score: Score, notify: Notify, work: Work | None
) -> np.ndarray:
    """The score of each row; kept, where it depends on the string alone."""
    path = cache_folder() / "columns" / f"{_key(corpus, split, encoded, score)}.npy"
    if path.exists() and not score.program:
        return np.load(path, allow_pickle=False)
    notify(
        f"{name} is no column of {corpus.name}{_other_case(name, corpus)}: the score {score.name} of "
        f"{len(encoded):,} strings is computed"
    )
    parts = []
    for start in range(0, len(encoded), N_AT_ONCE):
        strings = encoded.strings(range(start, min(start + N_AT_ONCE, len(encoded))))
        parts.append(values_of(score.name, strings))
        if work is not None:
            work(name, start + len(strings), len(encoded))
    values = np.concatenate([np.zeros(0), *parts])
    if not score.program:
        with written_aside(path) as file:
            np.save(file, values, allow_pickle=False)
    return values


def _other_case(name: str, corpus: Corpus) -> str:
    """Where only capitals keep a column from being the one that is asked for, that is worth a word."""
    alike = [each for reader, _ in corpus.parts for each in reader.column_names() if each.lower() == name.lower()]
    return f" (it has {alike[0]!r})" if alike else ""


def _key(corpus: Corpus, split: str, encoded: EncodedSplit, score: Score) -> str:
    form = encoded.representation
    made_of = [
        corpus.content_key(split),
        [form.name, form.settings(), form.code_version],
        [score.name, importlib.metadata.version("freerun"), importlib.metadata.version("rdkit")],
    ]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:40]
