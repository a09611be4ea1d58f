"""Samples that are each asked for values of their own, and what came of it."""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.chemistry import canonical
from freerun.columns import score_of
from freerun.errors import InvalidSequence
from freerun.noise import mix
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.trained import Trained

Columns = Mapping[str, np.ndarray]
"""Conditions by name, one value a row, as `Conditions.numbers` gives them: NaN is not asked for."""


@dataclasses.dataclass(frozen=True)
class Written:
    """The valid ones of some samples: their numbers, and what they are in the form of the training strings."""

    n: int
    rows: Int[np.ndarray, " valid"]
    strings: tuple[str, ...]

    def values(self, name: str) -> Float[np.ndarray, " valid"]:
        """By the score of this name; NaN without one, or where it fails."""
        score = score_of(name)
        if score is None or score.program or score.scope == "batch":
            return np.full(len(self.strings), math.nan)
        return score(self.strings)


def written(trained: Trained, asked: Columns, n: int, seed: int = 0, temperature: float = 1.0) -> Written:
    """n samples, the i-th asked for the i-th value of each column; a condition without a column is free.

    Where all are asked for the same, these are the samples of `Wanted(n, seed, Decoding(temperature), given=...)`.
    """
    run = FreeRun(
        trained.generator,
        trained.constraint,
        trained.budget,
        seed,
        Decoding(temperature=temperature),
        context=lambda index: led(trained, asked, index, seed),
    )
    forms = [_form(trained, text) for text in trained.representation.decode_batch(run(n).tokens)]
    rows = [row for row, form in enumerate(forms) if form is not None]
    return Written(n, np.array(rows, dtype=np.int64), tuple(form for form in forms if form is not None))


def led(trained: Trained, asked: Columns, index: Int[Tensor, " batch"], seed: int) -> Float[Tensor, "batch context"]:
    """The context of the samples with these numbers: the method's own, with what is asked for put into its last
    entries, the conditions. (What is not asked for is as the method has it: a class may be drawn, say.)"""
    conditions = trained.state.world.conditions
    own = trained.config.method.context(trained.state, index, {}, mix(seed, 1))
    assert own is not None
    values = {name: torch.from_numpy(column).float().to(index.device)[index] for name, column in asked.items()}
    nothing = torch.full((len(index),), math.nan, device=index.device)
    is_asked = [~values.get(part.name, nothing).isnan()[:, None].expand(-1, part.width) for part in conditions.parts]
    encoded = conditions.encoded(values, len(index), index.device)
    z, condition = own.split([own.shape[1] - conditions.width, conditions.width], 1)
    return torch.cat([z, torch.where(torch.cat(is_asked, 1), encoded, condition)], 1)


def _form(trained: Trained, text: str) -> str | None:
    """A sample as the training strings are written; None of what is not valid."""
    representation = trained.representation
    string = canonical(text) if representation.is_chemical else text if representation.is_valid(text) else None
    if string is None:
        return None
    try:
        return representation.normalise(string)
    except InvalidSequence:  # no string of this form: it cannot stand in the training set
        return string
