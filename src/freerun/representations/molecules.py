"""What the molecular representations share: random writings, and where RDKit objects to a SMILES."""

from typing import Any

import numpy as np

from freerun.chemistry import canonical, parse, rdkit
from freerun.errors import InvalidSequence
from freerun.grammars.smiles_syntax import TOKEN

STEREO = frozenset("@/\\")
LONGEST = 5_000  # characters: RDKit follows a chain by recursion, and one of 20,000 atoms overflows its stack


def refuse_long(text: str) -> None:
    """Raises InvalidSequence before RDKit, given too long a chain, ends the process."""
    if len(text) > LONGEST:
        raise InvalidSequence(text, LONGEST, f"RDKit is asked about {LONGEST:,} characters at most (cut the line here)")


def is_molecule(text: str) -> bool:
    return len(text) <= LONGEST and parse(text) is not None


def rewritten(text: str, rng: np.random.Generator, *, kekule: bool) -> str:
    """A random SMILES of the same molecule, stereo kept; the text itself where RDKit cannot read it."""
    molecule = parse(text) if len(text) <= LONGEST else None
    if molecule is None:
        return text
    if kekule:
        rdkit().Kekulize(molecule, clearAromaticFlags=True)
    seed = int(rng.integers(1, 2**31 - 1))
    (other,) = rdkit().MolToRandomSmilesVect(molecule, 1, randomSeed=seed, kekuleSmiles=kekule)
    if STEREO.isdisjoint(text):
        return other
    # A random order of ring closures can cost a double bond its direction.
    return other if canonical(other) == canonical(text) else text


def objection(text: str) -> InvalidSequence:
    """Why RDKit reads no molecule from a SMILES of good syntax, with the position of the atom it names."""
    molecule = unsanitized(text)
    problems = rdkit().DetectChemistryProblems(molecule) if molecule is not None else ()
    if not problems:
        return InvalidSequence(text, 0, "RDKit reads no molecule (does a ring bond join an atom to its neighbour?)")
    problem = problems[0]
    atom = problem.GetAtomIndices()[0] if problem.GetType() == "KekulizeException" else problem.GetAtomIdx()
    return InvalidSequence(text, atom_position(text, atom), f"not a molecule ({problem.Message()})")


def unsanitized(text: str) -> Any:
    """The graph as written, atoms in the order of writing, unchecked; None if RDKit reads no graph."""
    params = rdkit().SmilesParserParams()
    params.sanitize, params.removeHs = False, False
    return rdkit().MolFromSmiles(text, params)


def atom_position(text: str, number: int) -> int:
    """Where the atom of this number stands, counted in the order of writing."""
    starts = [match.start() for match in TOKEN.finditer(text) if match[0][0].isalpha() or match[0][0] in "[*"]
    return starts[number]
