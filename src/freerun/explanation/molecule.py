"""The molecular graph of a string: read from its SMILES, whether or not a molecule comes of it."""

import dataclasses

from freerun.errors import InvalidSequence
from freerun.explanation.spanning_tree import SpanningTree, spanning_tree
from freerun.grammars.smiles_syntax import TOKEN, tokens_of
from freerun.representations.molecules import LONGEST, is_molecule, objection


@dataclasses.dataclass(frozen=True)
class Molecule:
    """The graph that a SMILES writes.

    Args:
        tokens: Of the SMILES; the explanation's own where the representation reads SMILES token by token.
        problem: Why RDKit reads no molecule from it, with the position of the atom that it names.
    """

    smiles: str
    tokens: tuple[str, ...]
    tree: SpanningTree
    problem: InvalidSequence | None


def molecule_of(smiles: str, certain: bool) -> Molecule | None:
    """The graph, or None for what is no SMILES.

    Args:
        certain: The string is meant as a SMILES, whether or not RDKit reads a molecule from it.
    """
    if len(smiles) > LONGEST or not (certain or (" " not in smiles and is_molecule(smiles))):
        return None
    try:
        tokens = tokens_of(smiles)
    except InvalidSequence:
        return None
    problem = None if is_molecule(smiles) else objection(smiles)
    return Molecule(smiles, tuple(tokens), spanning_tree(tokens), problem)


def why_no_smiles(text: str) -> tuple[str, ...]:
    """Why a string of nothing but symbols of SMILES is no SMILES: it was probably meant as one."""
    if "".join(TOKEN.findall(text)) != text:
        return ()
    try:
        tokens_of(text)
    except InvalidSequence as error:
        return (f"As a SMILES it cannot be read: {error}.",)
    return (f"As a SMILES it writes no molecule: {objection(text)}.",) if len(text) <= LONGEST else ()
