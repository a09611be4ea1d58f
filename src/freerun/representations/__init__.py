"""String <-> token ids: the representations by name."""

from freerun.representations.base import AbstractRepresentation
from freerun.representations.guess import guess_representation
from freerun.representations.selfies import Selfies
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

REPRESENTATIONS: dict[str, type[AbstractRepresentation]] = {
    "text": Text,
    "smiles": Smiles,
    "selfies": Selfies,
}

__all__ = ["REPRESENTATIONS", "AbstractRepresentation", "guess_representation"]
