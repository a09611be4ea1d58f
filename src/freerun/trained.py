"""A run folder back into objects: what sampling, evaluation and fine-tuning start from."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from freerun.conditions import Conditions
from freerun.config import Config, resolve
from freerun.constraints.base import AbstractConstraint
from freerun.errors import FreerunError, UsageError
from freerun.methods.base import State, World
from freerun.models.generator import AbstractGenerator
from freerun.representations import REPRESENTATIONS
from freerun.representations.base import AbstractRepresentation
from freerun.run_folder import RunFolder, load_weights

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Trained:
    """A generator with all that it was trained with.

    Args:
        budget: Most tokens of a sequence in training, `<eos>` included.
    """

    folder: RunFolder
    config: Config
    representation: AbstractRepresentation
    constraint: AbstractConstraint
    state: State
    budget: int

    @property
    def generator(self) -> AbstractGenerator:
        return self.config.method.generator(self.state).eval()

    @classmethod
    def load(cls, folder: RunFolder, *, device: str = "auto", precision: str = "run", last: bool = False) -> "Trained":
        """The best weights of a run (or the last ones).

        Raises:
            FreerunError: If a file of the run is missing, damaged, or does not fit the others.
        """
        facts, config = folder.read_facts(), read_config(folder)
        representation = representation_of(facts["representation"])
        constraint = config.build_constraint(representation)
        dtype = compute_dtype(facts["precision"] if precision == "run" else precision, find_device(device))
        world = World(
            constraint,
            facts["budget"],
            config.model,
            facts["n_batches"],
            find_device(device),
            dtype,
            conditions=Conditions.of_facts(facts.get("conditions", [])),
        )
        state = config.method.init(world)
        path = folder.last if last else folder.best
        if not path.exists():
            raise FreerunError(f"{folder.path} has no weights yet; `freerun resume {folder.path}` goes on with it")
        put_weights(state, load_weights(path), path)
        return cls(folder, config, representation, constraint, state, facts["budget"])


def read_config(folder: RunFolder) -> Config:
    try:
        return resolve(tomllib.loads(folder.config.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise FreerunError(f"{folder.config} cannot be read: {error}") from error


def representation_of(facts: Mapping[str, Any]) -> AbstractRepresentation:
    """The fitted representation that `run.json` describes."""
    unfitted = REPRESENTATIONS[facts["name"]](**facts["settings"])
    return unfitted.with_vocab(facts["vocab"][4:])


def put_weights(state: State, weights: Mapping[str, torch.Tensor], path: Path, *, partly: bool = False) -> None:
    """Weights into networks of the same shape; a tied weight may stand in the file under one of its names.

    Args:
        partly: Networks of which the file holds nothing stay as they are.

    Raises:
        FreerunError: If names or shapes do not fit.
    """
    own = state.networks.state_dict()
    wrong = [name for name, value in weights.items() if name not in own or own[name].shape != value.shape]
    if wrong:
        raise FreerunError(f"{path} does not fit config.toml: {wrong[0]} is unknown or of another shape")
    covered = {own[name].data_ptr() for name in weights}
    held = {name.partition(".")[0] for name in weights}
    missing = [
        name
        for name, value in own.items()
        if value.data_ptr() not in covered and (name.partition(".")[0] in held or not partly)
    ]
    if missing:
        raise FreerunError(f"{path} does not fit config.toml: {missing[0]} is missing")
    state.networks.load_state_dict(dict(weights), strict=False)


def find_device(name: str) -> torch.device:
    """`auto` is the first of cuda, mps, cpu that this machine has.

    Raises:
        UsageError: If the machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"device {name!r} is not available here ({str(error).splitlines()[0]}); try --device auto"
        ) from error
    return device


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where the machine has instructions for it: elsewhere it would be slower, not faster."""
    if precision != "auto":
        return PRECISIONS[precision]
    native = (device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)) or (
        device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    )
    return torch.bfloat16 if native else torch.float32


def describe(representation: AbstractRepresentation) -> dict[str, Any]:
    """What `run.json` keeps of a representation; `representation_of` reads it."""
    name = next(name for name, kind in REPRESENTATIONS.items() if type(representation) is kind)
    settings = json.loads(json.dumps(representation.settings()))
    return {
        "name": name,
        "settings": settings,
        "vocab": list(representation.vocab),
        "is_chemical": representation.is_chemical,
    }
