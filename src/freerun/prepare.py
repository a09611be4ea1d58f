"""From a configuration to what the training loop needs: corpus read and encoded, vocabulary fitted, budget known."""

import dataclasses
import importlib.metadata
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch

from freerun.conditions import Conditions
from freerun.config import Config, with_grammar
from freerun.config_files import to_toml
from freerun.constraints.base import AbstractConstraint
from freerun.corpora.batches import Batches
from freerun.corpora.corpus import Corpus
from freerun.corpora.masks import StoredMasks
from freerun.corpora.store import EncodedSplit
from freerun.errors import FreerunError, UsageError
from freerun.files import write_text
from freerun.lending import lend
from freerun.masked_splits import Notify, Validation, masks_of, tell_forbidden, validation_of
from freerun.methods.base import World, unrolled
from freerun.objectives.objective import Objective
from freerun.objectives.permission import code_of
from freerun.paying import fitted_objective, opened_objective
from freerun.representations.base import AbstractRepresentation
from freerun.run_conditions import conditions_of, opened, values_of
from freerun.run_folder import RunFolder
from freerun.run_strings import Work, budget_of, chosen_representation, corpus_facts, encoded, fitted, splits_of
from freerun.trained import compute_dtype, describe, find_device, read_config, representation_of

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
    _tell_standardization(corpus, notify)
    lender = RunFolder.found(config.run.init) if config.run.init else None
    config, unfitted = chosen_representation(config, corpus, lender, notify)
    train, valid = encoded(config, corpus, unfitted, notify, work)
    representation = fitted(unfitted, lender, train, valid, notify)
    if config.representation.get("name") == representation.name:  # a grammar's file is kept, and not read again
        config = dataclasses.replace(config, representation={"name": representation.name, **representation.settings()})
    config = dataclasses.replace(config, constraint=with_grammar(config.constraint))
    budget = budget_of(config, lender, train, valid)
    splits = splits_of(config, representation, train, valid, lender, notify)
    masks = masks_of(config.build_constraint(representation), budget, splits)
    for name in ("train", "valid"):
        if name in masks:
            tell_forbidden(splits[name], masks[name], config.corpus.strict, notify)
    batches = Batches(train, representation, config.method.batch_size, max_tokens=budget, masks=masks.get("train"))
    conditions = conditions_of(config, corpus, train, lender, notify, work)
    config = dataclasses.replace(config, objective=fitted_objective(config, corpus, notify))
    constraint = config.build_constraint(representation)
    world = World(constraint, budget, config.model, batches.n_batches, device, dtype, conditions=conditions)
    n_parameters = _n_parameters(config, world, lender, notify)
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
            "corpus": {**corpus_facts(corpus, config, train, valid), "forbidden": batches.n_refused},
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
    train, valid = encoded(config, corpus, representation, notify, work)
    device = find_device(config.run.device)
    lender = RunFolder.found(config.run.init) if config.run.init else None
    splits = splits_of(config, representation, train, valid, lender, notify)
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


def _tell_standardization(corpus: Corpus, notify: Notify) -> None:
    for treatment in corpus.standardization():
        touched = ", ".join(f"{rule} {n:,}" for rule, n in treatment.n_touched.items())
        notify(f"{treatment.n_lines:,} lines standardised to {treatment.n_left:,} molecules; lines touched: {touched}")


def _n_parameters(config: Config, world: World, lender: RunFolder | None, notify: Notify) -> int:
    """How many weights there are. The networks are built once and go, so that what does not fit is told early.

    Raises:
        UsageError: If the method cannot be begun in this world, or the weights that are lent do not fit.
    """
    try:
        state = config.method.init(world)
    except ValueError as error:
        raise UsageError(f"[method]: {error}") from error
    if lender is not None:
        for name in lend(lender, state):
            notify(f"the {name} starts fresh: that of {lender.path} is of another shape")
    elif all(phase.keep == "last" for phase in unrolled(config.method.phases(world.n_batches))):
        notify(
            "the generator begins with random weights, and only a critic or a reward will teach it to write: "
            "give --init RUN, or method.n_mle steps of maximum likelihood first"
        )
    return sum(weight.numel() for weight in state.networks.parameters())


def _toml(config: Config) -> str:
    return "# The resolved configuration of this run.\n" + to_toml(config.tables())


def _version() -> str:
    return importlib.metadata.version("freerun")
