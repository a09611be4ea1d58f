"""SMILES, atom by atom: as they stand, or in Kekule form."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from freerun.chemistry import canonical, parse, rdkit
from freerun.constraints.base import AbstractConstraint
from freerun.constraints.kekule import Kekule
from freerun.constraints.length import Anything
from freerun.errors import InvalidSequence
from freerun.grammars.smiles_syntax import AROMATIC_TOKEN, TOKEN, tokens_of
from freerun.representations.base import AbstractRepresentation
from freerun.representations.molecules import is_molecule, objection, refuse_long, rewritten


@dataclasses.dataclass(frozen=True)
class Smiles(AbstractRepresentation):
    """A bracket atom is one token, so is a two-letter element and a ring number such as `%10`; any element in brackets.

    As written, only the syntax of a line is checked, not its chemistry: RDKit is not asked. In Kekule form a line with
    aromatic symbols becomes RDKit's canonical SMILES with alternating bonds, if that reads back as the same molecule;
    a line without them stays as it is.
    """

    name: ClassVar[str] = "smiles"
    is_chemical: ClassVar[bool] = True

    kekule: bool = False  # write aromatic rings with single and double bonds

    @property
    def code_version(self) -> str:
        if not self.kekule:
            return "1"
        from rdkit import rdBase

        return f"1, rdkit {rdBase.rdkitVersion}"

    @property
    def separator(self) -> str:
        return ""

    def normalise(self, text: str) -> str:
        return "".join(self.tokenize(text))

    def tokenize(self, text: str) -> list[str]:
        text = text.strip()
        tokens = tokens_of(text)
        if self.kekule and any(map(AROMATIC_TOKEN.match, tokens)):
            return tokens_of(kekulized(text))
        return tokens

    def tokenize_prefix(self, text: str) -> list[str]:
        """As it stands: a prefix of a Kekule form must be written in that form."""
        tokens = TOKEN.findall(text)
        if "".join(tokens) != text:
            position = next(i for i, (a, b) in enumerate(zip("".join(tokens) + " ", text, strict=False)) if a != b)
            raise InvalidSequence(text, position, f"{text[position]!r} begins no token of a SMILES")
        return tokens

    def detokenize(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    def is_valid(self, text: str) -> bool:
        return is_molecule(text)

    def augment(self, text: str, rng: np.random.Generator) -> str:
        return rewritten(text.strip(), rng, kekule=self.kekule)

    def constraint(self) -> AbstractConstraint:
        """In Kekule form, molecules alone; as written, any token may follow."""
        return Kekule(self.vocab) if self.kekule else Anything(len(self.vocab))


def kekulized(text: str) -> str:
    """The same molecule without aromatic symbols.

    Raises:
        InvalidSequence: If RDKit reads no molecule, or another one from the Kekule form.
    """
    refuse_long(text)
    molecule = parse(text)
    if molecule is None:
        raise objection(text)
    chem = rdkit()
    other = chem.Mol(molecule)
    chem.Kekulize(other, clearAromaticFlags=True)
    kekule = chem.MolToSmiles(other, kekuleSmiles=True)
    # Most corpora hold canonical SMILES: then the first comparison decides, and the second costs nothing.
    back = canonical(kekule)
    if back != text and back != chem.MolToSmiles(molecule):
        raise InvalidSequence(text, 0, f"its Kekule form {kekule!r} is another molecule for RDKit ({back!r})")
    return kekule
