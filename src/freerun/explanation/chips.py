"""Tokens in a row, as the page shows them: with their meaning, the colour of a ring label, or shaded by surprise."""

import dataclasses
import math

from freerun.explanation.explanation import Explanation
from freerun.explanation.graph import closure_colour
from freerun.explanation.molecule import Molecule
from freerun.explanation.steps import Step

N_ROWS = 500  # tokens of a row, and rows of any table
DARKEST = 4.6  # nats of surprise at which a token is shaded most: p = 0.01


@dataclasses.dataclass(frozen=True)
class Chip:
    """A token in a row of tokens.

    Args:
        key: Class that ties it to what else on the page belongs to it.
        colour: Of the cut bond whose label it is; empty for all others.
        heat: How strongly it is shaded, in per cent.
        below: What stands under it.
        is_forbidden: The constraint does not let it come here.
    """

    text: str
    key: str
    title: str
    colour: str = ""
    heat: int = 0
    below: str = ""
    is_forbidden: bool = False


def chips(told: Explanation) -> list[Chip]:
    """The tokens of the string."""
    colours = _label_colours(told.molecule) if told.meanings else {}
    meanings = told.meanings or ("",) * len(told.tokens)
    rows = zip(told.tokens[:N_ROWS], told.ids, meanings, strict=False)
    return [
        Chip(
            visible(token),
            f"k{i}",
            f"token {i + 1}, id {number}" + (f": {meaning}" if meaning else ""),
            colours.get(i, ""),
        )
        for i, (token, number, meaning) in enumerate(rows)
    ]


def smiles_chips(molecule: Molecule, prefix: str) -> list[Chip]:
    """The tokens of the SMILES, where they are not those of the string."""
    colours = _label_colours(molecule)
    rows = zip(molecule.tokens, molecule.tree.meanings, strict=True)
    return [Chip(token, f"{prefix}{i}", meaning, colours.get(i, "")) for i, (token, meaning) in enumerate(rows)]


def _label_colours(molecule: Molecule | None) -> dict[int, str]:
    """Colours of the tokens that are ring labels."""
    closures = () if molecule is None else molecule.tree.closures
    return {token: closure_colour(i) for i, closure in enumerate(closures) for token in closure.tokens}


def heated(step: Step, number: int) -> Chip:
    """The token of one step, shaded by its surprise, its probability below."""
    title = f"probability {step.probability:.3g}, rank {step.rank} of {step.n_allowed} allowed"
    return Chip(
        visible(step.token),
        f"k{number}",
        title if step.rank else "forbidden by the constraint",
        heat=heat(step.probability),
        below=_share(step.probability),
        is_forbidden=not step.rank,
    )


def heat(probability: float) -> int:
    """Surprise, -log p, as a percentage of the darkest shade."""
    return round(100 * min(1.0, -math.log(probability) / DARKEST)) if probability > 0 else 100


def _share(probability: float) -> str:
    """.81; two digits at least of what is rare."""
    return "1" if probability >= 0.995 else f"{probability:.2g}".removeprefix("0") if probability > 1e-4 else "<.0001"


def visible(token: str) -> str:
    """White space that can be seen; the blanks inside a rule are left alone."""
    if token == token.strip():
        return token or "\u03b5"
    return token.replace(" ", "\u2423").replace("\n", "\u21b5").replace("\t", "\u21e5")
