"""SELFIES: every string of tokens is a molecule. Reading and writing by the selfies library.

Source: Krenn et al. 2020, arXiv:1905.13741; Lo et al. 2023, arXiv:2302.03620 (version 2).
"""

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import ClassVar, Literal

import numpy as np
import selfies

from freerun.chemistry import canonical, parse
from freerun.errors import InvalidSequence
from freerun.grammars.smiles_syntax import tokens_of
from freerun.representations.base import AbstractRepresentation
from freerun.representations.molecules import (
    atom_position,
    is_molecule,
    objection,
    refuse_long,
    rewritten,
    unsanitized,
)

SYMBOL = re.compile(r"\[[^\]]*\]|\.")


@dataclasses.dataclass(frozen=True)
class Selfies(AbstractRepresentation):
    """Takes SMILES and gives SMILES; in between stand the tokens of the selfies library.

    A line is refused if the library cannot write it, or if what comes back is another molecule (canonical SMILES with
    stereo). `constraints` names one of the library's tables of how many bonds an atom may have; they
    are in force only while this class reads or writes.
    """

    name: ClassVar[str] = "selfies"
    is_chemical: ClassVar[bool] = True

    constraints: Literal["default", "hypervalent"] = "default"

    @property
    def code_version(self) -> str:
        return f"1, selfies {version('selfies')}"

    @property
    def separator(self) -> str:
        return ""

    def normalise(self, text: str) -> str:
        return self._translated(text)[1]

    def tokenize(self, text: str) -> list[str]:
        return SYMBOL.findall(self._translated(text)[0])

    def tokenize_prefix(self, text: str) -> list[str]:
        """SELFIES tokens, as they stand: `[C][=C]`."""
        tokens = re.findall(r"\[[^\[\]]+\]|\.", text)
        if "".join(tokens) != text:
            raise InvalidSequence(text, 0, "a prefix is given in SELFIES tokens, such as [C][=C][Branch1],")
        return tokens

    def detokenize(self, tokens: Sequence[str]) -> str:
        with bonds_allowed(self.constraints):
            return str(selfies.decoder("".join(tokens)))

    def is_valid(self, text: str) -> bool:
        return is_molecule(text)

    def augment(self, text: str, rng: np.random.Generator) -> str:
        return rewritten(text.strip(), rng, kekule=False)

    def _translated(self, text: str) -> tuple[str, str]:
        """The SELFIES, and the SMILES that it decodes to."""
        text = text.strip()
        tokens_of(text)
        refuse_long(text)
        with bonds_allowed(self.constraints):
            try:
                written = str(selfies.encoder(text))
                back = str(selfies.decoder(written))
            except Exception as error:  # its own two, and IndexError, KeyError ... on what it did not think of
                raise refusal(text, error) from error
        # Most corpora hold canonical SMILES: then the first comparison decides, and the second costs nothing.
        molecule = canonical(back)
        if molecule != text and (molecule is None or molecule != canonical(text)):
            if parse(text) is None:
                raise objection(text)
            reason = f"as SELFIES it is another molecule ({molecule!r} instead of {canonical(text)!r})"
            raise InvalidSequence(text, 0, reason)
        return written, back


@contextlib.contextmanager
def bonds_allowed(constraints: str) -> Iterator[None]:
    """The library's global table of bonds is `constraints` inside, and what it was outside."""
    before, wanted = selfies.get_semantic_constraints(), selfies.get_preset_constraints(constraints)
    if before == wanted:
        yield
        return
    selfies.set_semantic_constraints(wanted)
    try:
        yield
    finally:
        selfies.set_semantic_constraints(before)


def refusal(text: str, error: Exception) -> InvalidSequence:
    """Why the library cannot write a SMILES of good syntax, with the position."""
    if parse(text) is None:
        return objection(text)
    if isinstance(error.__cause__, selfies.exceptions.SMILESParserError):
        return InvalidSequence(text, error.__cause__.idx, f"SELFIES cannot say it: {error.__cause__.reason}")
    if too_many := re.search(r"\[(\S+) with (\d+)\S* bond\(s\) - a max\. of (\d+)", str(error)):
        atom, n_bonds, n_allowed = too_many[1], int(too_many[2]), int(too_many[3])
        reason = (
            f"{atom} has {n_bonds} bonds, SELFIES allow it {n_allowed} (write its charges, as in [N+](=O)[O-], "
            "or choose other constraints)"
        )
        return InvalidSequence(text, crowded_atom(text, atom, n_bonds), reason)
    reason = (str(error) or type(error).__name__).strip().partition("\n")[0]
    return InvalidSequence(text, 0, f"SELFIES cannot say it: {reason} (RDKit's canonical SMILES may do)")


def crowded_atom(text: str, atom: str, n_bonds: int) -> int:
    """Position of the first atom of this element with so many bonds."""
    element = atom.lstrip("[0123456789")
    for number, found in enumerate(unsanitized(text).GetAtoms()):
        bonds = sum(bond.GetBondTypeAsDouble() for bond in found.GetBonds())
        if element.startswith(found.GetSymbol()) and bonds >= n_bonds:
            return atom_position(text, number)
    return 0
