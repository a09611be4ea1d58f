"""What a run is paid by: the objective of its config, fitted to its corpus and opened in its folder."""

import dataclasses
import itertools
from collections.abc import Callable, Container

from freerun.chemistry import canonical
from freerun.config import Config
from freerun.corpora.corpus import Corpus
from freerun.errors import UsageError
from freerun.objectives.accounts import Read
from freerun.objectives.objective import Objective
from freerun.objectives.settings import ObjectiveSettings
from freerun.objectives.terms import absolute
from freerun.representations.base import AbstractRepresentation
from freerun.run_folder import RunFolder
from freerun.scores import split_weight

N_FITTED = 1000  # strings of the corpus whose values tell what a score can reach


def anchored(settings: ObjectiveSettings) -> ObjectiveSettings:
    """Files that the objective names by their whole path: a run can be resumed from any folder.

    Links are kept: the Python of a virtual environment is one, and what it points to knows nothing of its packages.
    """
    names = [split_weight(spec)[0] for spec in settings.scores]
    whole = {name: absolute(name) for name in [*names, *settings.shapes]}
    return dataclasses.replace(
        settings,
        scores=tuple(whole[name] + spec.removeprefix(name) for name, spec in zip(names, settings.scores, strict=True)),
        shapes={whole[name]: shape for name, shape in settings.shapes.items()},
    )


def fitted_objective(config: Config, corpus: Corpus, notify: Callable[[str], None]) -> ObjectiveSettings:
    """The table `[objective]` with a shape for every score that needs one.

    Raises:
        UsageError: If the method takes no objective and there is one, or needs one and there is none.
    """
    settings, method = config.objective, config.method
    if not settings.scores:
        if method.takes_objective and method.needs_objective:
            raise UsageError(
                "this method is taught by an objective; give --objective NAME, `freerun scores` lists them"
            )
        return settings
    if not method.takes_objective:
        raise UsageError(
            f"[objective]: {', '.join(settings.scores)} would pay nobody: this method is taught by no objective; "
            "organ, reinforce, reinvent and hill_climb are"
        )
    if settings.combine == "turns" and not method.takes_turns:
        raise UsageError(
            '[objective] combine = "turns" belongs to organ: this method would be paid by the first score alone'
        )
    lines = [text for _, text in itertools.islice(corpus.strings("train"), N_FITTED)]
    fitted = settings.fitted(lines)
    for name in fitted.shapes.keys() - settings.shapes.keys():
        shape = fitted.shapes[name]
        told = ", ".join(f"{key} = {value}" for key, value in shape.items())
        notify(f"{name} is paid as {told}: what {len(lines):,} strings of the corpus reach; [objective.shapes] decides")
    return fitted


def opened_objective(
    config: Config, corpus: Corpus, folder: RunFolder, representation: AbstractRepresentation
) -> Objective | None:
    """The objective, its ledger `scores.csv` in the run folder; None where the run has none."""
    if not config.objective.scores:
        return None
    known: Container[str] | None = None
    if "novelty" in (split_weight(spec)[0] for spec in config.objective.scores):
        read = reader(representation)
        known = {read(text)[0] for _, text in corpus.strings("train")}
    return config.objective.build(folder.path / "scores.csv", reader(representation), known)


def reader(representation: AbstractRepresentation) -> Read:
    """Canonical SMILES of molecules; any other string is known by itself."""

    def read(string: str) -> tuple[str, bool]:
        if not representation.is_chemical:
            return string, representation.is_valid(string)
        smiles = canonical(string)
        return smiles or string, smiles is not None

    return read
