"""The strings of a run: how they are written as tokens, which are trained on, and how long they may become."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

from freerun.config import Config
from freerun.corpora.corpus import Corpus
from freerun.corpora.encode import encode_split, fit
from freerun.corpora.masks import Split
from freerun.corpora.store import EncodedSplit
from freerun.errors import FreerunError, UsageError
from freerun.masked_splits import N_REFUSALS_TOLD, Notify
from freerun.representations import guess_representation
from freerun.representations.base import AbstractRepresentation
from freerun.run_conditions import opened
from freerun.run_folder import RunFolder
from freerun.trained import read_config, representation_of

Work = Callable[[str, int, int], None]  # which part, how much of it is done, how much there is
N_LOOKED_AT = 1000  # lines from which the representation is chosen
HELD_OUT = "its few lines are held out; give more"


def chosen_representation(
    config: Config, corpus: Corpus, lender: RunFolder | None, notify: Notify
) -> tuple[Config, AbstractRepresentation]:
    """That of the run that lends its weights; else the one that is named; else the one that fits the lines.

    Raises:
        UsageError: If there is no line to look at.
    """
    if lender is not None:
        facts = lender.read_facts()["representation"]
        table = {"name": facts["name"], **facts["settings"]}
        model = read_config(lender).model
        other = {key: value for key, value in vars(model).items() if value != vars(config.model)[key]}
        if other:
            told = ", ".join(f"{key} = {value!r}" for key, value in other.items())
            notify(f"the network is that of {lender.path}: [model] {told}")
        config = dataclasses.replace(config, representation=table, model=model)
    elif config.representation.get("name", "auto") == "auto":
        lines = [text for _, text in itertools.islice(corpus.strings("train"), N_LOOKED_AT)]
        if not lines:
            raise _nothing_to_train_on(config, HELD_OUT)
        chosen, reason = guess_representation(lines)
        notify(f"representation: {reason}")
        config = dataclasses.replace(config, representation={"name": chosen.name, **chosen.settings()})
    return config, config.build_representation()


def _nothing_to_train_on(config: Config, why: str) -> UsageError:
    return UsageError(f"{config.corpus.name} holds no usable line for training: {why}")


def encoded(
    config: Config, corpus: Corpus, representation: AbstractRepresentation, notify: Notify, work: Work | None
) -> tuple[EncodedSplit, EncodedSplit | None]:
    """The training split, and the validation split where a line of it is left.

    Raises:
        UsageError: If there is nothing to train on.
    """
    progress = None if work is None else functools.partial(work, "reading")
    train = encode_split(corpus, "train", representation, strict=config.corpus.strict, progress=progress)
    _tell_refusals(train, notify)
    for note in train.notes:
        notify(note)
    if len(train) == 0:
        raise _nothing_to_train_on(config, str(train.refusals) if train.refusals.count else HELD_OUT)
    if "valid" not in corpus.splits:
        return train, None
    try:
        valid = encode_split(corpus, "valid", representation, strict=config.corpus.strict)
    except FreerunError:
        if config.corpus.strict:
            raise
        return train, None  # every held-out line was refused: those of the training split are told already
    _tell_refusals(valid, notify)
    return train, valid if len(valid) else None


def _tell_refusals(split: EncodedSplit, notify: Notify) -> None:
    """How many lines were skipped, and why the first of them were."""
    if split.refusals.count:
        lines = "lines are" if split.refusals.count > 1 else "line is"
        notify(f"{split.refusals.count:,} {lines} skipped:")
        for example in split.refusals.examples[:N_REFUSALS_TOLD]:
            notify(f"  {example}")


def fitted(
    unfitted: AbstractRepresentation,
    lender: RunFolder | None,
    train: EncodedSplit,
    valid: EncodedSplit | None,
    notify: Notify,
) -> AbstractRepresentation:
    """With the vocabulary of these strings; where weights are lent, theirs, and what it lacks behind it."""
    known_here = fit(unfitted, train, *([valid] if valid else []))
    if lender is None:
        return known_here
    known = representation_of(lender.read_facts()["representation"])
    extended, new = known.extended(known_here.vocab[4:])
    if new:
        notify(f"{len(new)} tokens that {lender.path} did not know are appended: {' '.join(new)}")
    return extended


def budget_of(config: Config, lender: RunFolder | None, train: EncodedSplit, valid: EncodedSplit | None) -> int:
    """Most tokens of a sequence, with <eos>: what the settings say, else the longest of the corpus."""
    if config.run.max_length:
        return config.run.max_length + 1
    longest = max(int(split.lengths.max()) for split in (train, valid) if split is not None)
    return max(longest + 1, lender.read_facts()["budget"] if lender else 0)


def splits_of(
    config: Config,
    representation: AbstractRepresentation,
    train: EncodedSplit,
    valid: EncodedSplit | None,
    lender: RunFolder | None,
    notify: Notify,
) -> dict[str, Split]:
    """What is trained on and validated on, by the names under which the log knows it."""
    found = {"train": Split(config.corpus.name, train, representation)}
    if valid is not None:
        found["valid"] = Split(config.corpus.name, valid, representation)
    if lender is not None:
        theirs = read_config(lender)
        try:
            split = encode_split(opened(theirs), "valid", representation)
            found["valid_init"] = Split(theirs.corpus.name, split, representation)
        except FreerunError as error:
            notify(f"how much of {lender.path} is forgotten cannot be measured: {error}")
    return found


def corpus_facts(corpus: Corpus, config: Config, train: EncodedSplit, valid: EncodedSplit | None) -> dict[str, Any]:
    """What `run.json` tells of the strings."""
    return {
        **corpus.facts,
        "content_key": corpus.content_key("train"),
        "n_train": len(train),
        "n_valid": len(valid) if valid else 0,
        "refused": train.refusals.count,
        "refusals": [str(example) for example in train.refusals.examples],
    }
