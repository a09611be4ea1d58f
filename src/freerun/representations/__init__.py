"""String <-> token ids: the representations by name."""

from freerun.representations.base import AbstractRepresentation
from freerun.representations.grammar import GrammarRules
from freerun.representations.guess import guess_representation
from freerun.representations.selfies import Selfies
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

REPRESENTATIONS: dict[str, type[AbstractRepresentation]] = {
    "text": Text,
    "smiles": Smiles,
    "selfies": Selfies,
    "grammar": GrammarRules,
}

__all__ = ["REPRESENTATIONS", "AbstractRepresentation", "guess_representation"]
