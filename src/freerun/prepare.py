"""From a configuration to what the training loop needs: corpus read and encoded, vocabulary fitted, budget known."""

import dataclasses
import functools
import importlib.metadata
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch

from freerun.conditions import Conditions
from freerun.config import Config, with_grammar
from freerun.config_files import to_toml
from freerun.constraints.base import AbstractConstraint
from freerun.corpora.batches import Batches
from freerun.corpora.corpus import Corpus
from freerun.corpora.encode import encode_split, fit
from freerun.corpora.masks import Split, StoredMasks
from freerun.corpora.store import EncodedSplit
from freerun.errors import FreerunError, UsageError
from freerun.files import write_text
from freerun.lending import lend
from freerun.masked_splits import N_REFUSALS_TOLD, Notify, Validation, masks_of, tell_forbidden, validation_of
from freerun.methods.base import World, unrolled
from freerun.objectives.objective import Objective
from freerun.objectives.permission import code_of
from freerun.paying import fitted_objective, opened_objective
from freerun.representations import guess_representation
from freerun.representations.base import AbstractRepresentation
from freerun.run_conditions import conditions_of, opened, values_of
from freerun.run_folder import RunFolder
from freerun.trained import compute_dtype, describe, find_device, read_config, representation_of

Work = Callable[[str, int, int], None]  # which part, how much of it is done, how much there is
N_LOOKED_AT = 1000  # lines from which the representation is chosen
HELD_OUT = "its few lines are held out; give more"
N_HELD_OUT = 2000  # sequences at most that critics are judged on


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What the loop reads: everything but the method's State.

    Args:
        train, valid: The encoded training and validation splits.
        columns: Of the training split, what the method asks for, as numbers.
        masks: Of the training split, where they are stored.
        validations: By the prefix of their names in the log: `valid`, and `valid_init` for the corpus of the run that
            lent its weights, where forgetting is seen.
    """

    config: Config
    folder: RunFolder
    corpus: Corpus
    representation: AbstractRepresentation
    constraint: AbstractConstraint
    budget: int
    train: EncodedSplit
    valid: EncodedSplit | None
    conditions: Conditions
    columns: Mapping[str, np.ndarray]
    masks: StoredMasks | None
    validations: dict[str, Validation]
    device: torch.device
    dtype: torch.dtype
    initial_weights: RunFolder | None
    objective: Objective | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends the processes of the objective."""
        if self.objective is not None:
            self.objective.__exit__(*exception)

    def training_batches(self) -> Batches:
        corpus, method = self.config.corpus, self.config.method
        return Batches(
            self.train,
            self.representation,
            method.batch_size,
            self.config.run.seed,
            by_length=corpus.by_length,
            augment=corpus.augment,
            max_tokens=self.budget,
            columns=self.columns,
            masks=self.masks,
        )

    def world(self, n_batches: int) -> World:
        masks = None if self.masks is None else self.masks.table.to(self.device)
        valid = self.validations.get("valid")
        return World(
            self.constraint,
            self.budget,
            self.config.model,
            n_batches,
            self.device,
            self.dtype,
            masks,
            self.conditions,
            self.objective,
            self.representation.decode_batch,
            None if valid is None else valid.batched.spread(N_HELD_OUT).tokens.to(self.device),
        )


def prepare(config: Config, folder: RunFolder, notify: Notify, work: Work | None = None) -> Prepared:
    """Reads the corpus of a new run and writes `config.toml` and `run.json`.

    Raises:
        UsageError: If the corpus is empty, or none of its lines can be read.
    """
    device = find_device(config.run.device)
    dtype = compute_dtype(config.run.precision, device)
    corpus = opened(config)
    for treatment in corpus.standardization():
        touched = ", ".join(f"{rule} {n:,}" for rule, n in treatment.n_touched.items())
        notify(f"{treatment.n_lines:,} lines standardised to {treatment.n_left:,} molecules; lines touched: {touched}")
    lender = RunFolder.found(config.run.init) if config.run.init else None
    config, unfitted = _representation(config, corpus, lender, notify)
    train, valid = _encoded(config, corpus, unfitted, notify, work)
    if len(train) == 0:
        raise _nothing_to_train_on(config, str(train.refusals) if train.refusals.count else HELD_OUT)
    representation = _fitted(unfitted, lender, train, valid, notify)
    if config.representation.get("name") == representation.name:  # a grammar's file is kept, and not read again
        config = dataclasses.replace(config, representation={"name": representation.name, **representation.settings()})
    config = dataclasses.replace(config, constraint=with_grammar(config.constraint))
    budget = _budget(config, lender, train, valid)
    splits = _splits(config, representation, train, valid, lender, notify)
    masks = masks_of(config.build_constraint(representation), budget, splits)
    for name in ("train", "valid"):
        if name in masks:
            tell_forbidden(splits[name], masks[name], config.corpus.strict, notify)
    batches = Batches(train, representation, config.method.batch_size, max_tokens=budget, masks=masks.get("train"))
    conditions = conditions_of(config, corpus, train, lender, notify, work)
    config = dataclasses.replace(config, objective=fitted_objective(config, corpus, notify))
    world = World(
        config.build_constraint(representation),
        budget,
        config.model,
        batches.n_batches,
        device,
        dtype,
        conditions=conditions,
    )
    try:
        state = config.method.init(world)
    except ValueError as error:
        raise UsageError(f"[method]: {error}") from error
    n_parameters = sum(weight.numel() for weight in state.networks.parameters())
    if lender is not None:
        for name in lend(lender, state):
            notify(f"the {name} starts fresh: that of {lender.path} is of another shape")
    elif all(phase.keep == "last" for phase in unrolled(config.method.phases(batches.n_batches))):
        notify(
            "the generator begins with random weights, and only a critic or a reward will teach it to write: "
            "give --init RUN, or method.n_mle steps of maximum likelihood first"
        )
    write_text(folder.config, _toml(config))
    folder.write_facts(
        {
            "freerun": _version(),
            "status": "running",
            "representation": describe(representation),
            "conditions": conditions.facts(),
            "code": code_of(config.objective),
            "budget": budget,
            "n_batches": batches.n_batches,
            "corpus": {**_facts(corpus, config, train, valid), "forbidden": batches.n_refused},
            "model": {"n_parameters": n_parameters},
            "device": str(device),
            "precision": str(dtype).removeprefix("torch."),
            "replayable": True,
            "seed": config.run.seed,
        }
    )
    try:
        return reopen(folder, lambda _: None, is_paid=True)
    except FreerunError:
        folder.facts.unlink()  # nothing was trained: what is mended may start here
        raise


def reopen(folder: RunFolder, notify: Notify, work: Work | None = None, *, is_paid: bool = False) -> Prepared:
    """The same from a run folder: what `resume` goes on with.

    Args:
        is_paid: Whether its objective is opened: for training alone, since it may be a program.

    Raises:
        FreerunError: If the folder is damaged, or the corpus has changed since.
    """
    config, facts = read_config(folder), folder.read_facts()
    corpus = opened(config)
    representation = representation_of(facts["representation"])
    if corpus.content_key("train") != facts["corpus"]["content_key"]:
        raise FreerunError(f"{config.corpus.name} is not the corpus that {folder.path} was started on; train a new run")
    train, valid = _encoded(config, corpus, representation, notify, work)
    device = find_device(config.run.device)
    lender = RunFolder.found(config.run.init) if config.run.init else None
    splits = _splits(config, representation, train, valid, lender, notify)
    constraint = config.build_constraint(representation)
    masks = masks_of(constraint, facts["budget"], splits)
    conditions = Conditions.of_facts(facts.get("conditions", []))
    values = {name: values_of(config, corpus, name, split, conditions) for name, split in splits.items()}
    del splits["train"]
    return Prepared(
        config=config,
        folder=folder,
        corpus=corpus,
        representation=representation,
        constraint=constraint,
        budget=facts["budget"],
        train=train,
        valid=valid,
        conditions=conditions,
        columns=values["train"],
        masks=masks.get("train"),
        validations={
            name: validation_of(config, facts["budget"], split, masks.get(name), values[name])
            for name, split in splits.items()
        },
        device=device,
        dtype=compute_dtype(facts["precision"], device),
        initial_weights=lender,
        objective=opened_objective(config, corpus, folder, representation) if is_paid else None,
    )


def _representation(
    config: Config, corpus: Corpus, lender: RunFolder | None, notify: Notify
) -> tuple[Config, AbstractRepresentation]:
    """That of the run that lends its weights; else the one that is named; else the one that fits the lines."""
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


def _encoded(
    config: Config, corpus: Corpus, representation: AbstractRepresentation, notify: Notify, work: Work | None
) -> tuple[EncodedSplit, EncodedSplit | None]:
    progress = None if work is None else functools.partial(work, "reading")
    train = encode_split(corpus, "train", representation, strict=config.corpus.strict, progress=progress)
    _tell_refusals(train, notify)
    for note in train.notes:
        notify(note)
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


def _fitted(
    unfitted: AbstractRepresentation,
    lender: RunFolder | None,
    train: EncodedSplit,
    valid: EncodedSplit | None,
    notify: Notify,
) -> AbstractRepresentation:
    fitted = fit(unfitted, train, *([valid] if valid else []))
    if lender is None:
        return fitted
    known = representation_of(lender.read_facts()["representation"])
    extended, new = known.extended(fitted.vocab[4:])
    if new:
        notify(f"{len(new)} tokens that {lender.path} did not know are appended: {' '.join(new)}")
    return extended


def _budget(config: Config, lender: RunFolder | None, train: EncodedSplit, valid: EncodedSplit | None) -> int:
    """Most tokens of a sequence, with <eos>: what the settings say, else the longest of the corpus."""
    if config.run.max_length:
        return config.run.max_length + 1
    longest = max(int(split.lengths.max()) for split in (train, valid) if split is not None)
    return max(longest + 1, lender.read_facts()["budget"] if lender else 0)


def _splits(
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


def _facts(corpus: Corpus, config: Config, train: EncodedSplit, valid: EncodedSplit | None) -> dict[str, Any]:
    return {
        **corpus.facts,
        "content_key": corpus.content_key("train"),
        "n_train": len(train),
        "n_valid": len(valid) if valid else 0,
        "refused": train.refusals.count,
        "refusals": [str(example) for example in train.refusals.examples],
    }


def _toml(config: Config) -> str:
    return "# The resolved configuration of this run.\n" + to_toml(config.tables())


def _version() -> str:
    return importlib.metadata.version("freerun")
