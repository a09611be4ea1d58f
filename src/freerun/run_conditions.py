"""The corpus of a run, and the conditions that its columns, or scores, tell of each string."""

from collections.abc import Callable

import numpy as np

from freerun.columns import columns_of
from freerun.conditions import Conditions, fitted
from freerun.config import Config
from freerun.corpora.corpus import Corpus, open_corpus
from freerun.corpora.masks import Split
from freerun.corpora.store import EncodedSplit
from freerun.masked_splits import Notify
from freerun.run_folder import RunFolder
from freerun.trained import read_config

Work = Callable[[str, int, int], None]  # which part, how much of it is done, how much there is


def opened(config: Config) -> Corpus:
    settings = config.corpus
    return open_corpus(
        settings.name,
        column=settings.column or None,
        columns=settings.columns,
        standardize=settings.standardize,
        max_lines=settings.max_lines or None,
        seed=config.run.seed,
    )


def conditions_of(
    config: Config, corpus: Corpus, train: EncodedSplit, lender: RunFolder | None, notify: Notify, work: Work | None
) -> Conditions:
    """Fitted on the training strings; those of the run that lends its weights, where they are the same."""
    names = config.method.columns
    columns = columns_of(corpus, "train", train, names, notify, work)
    if lender is not None:
        known = Conditions.of_facts(lender.read_facts().get("conditions", []))
        if known.names == names:
            return known
    return fitted(columns, config.method.labels)


def values_of(config: Config, corpus: Corpus, name: str, split: Split, conditions: Conditions) -> dict[str, np.ndarray]:
    """The conditions of one split, as numbers; those of a run that lent its weights are of its own corpus."""
    if not conditions.parts:
        return {}
    theirs = opened(read_config(RunFolder.found(config.run.init))) if name == "valid_init" else corpus
    part = "train" if name == "train" else "valid"
    return conditions.numbers(columns_of(theirs, part, split.encoded, conditions.names, lambda _: None))
