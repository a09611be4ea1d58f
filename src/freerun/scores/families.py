"""Scores that need an argument: likeness to a molecule, a pattern, the fit of a formula, any descriptor of RDKit."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freerun.chemistry import rdkit
from freerun.errors import UsageError, excerpt
from freerun.scores.base import Family, Score, nearest
from freerun.scores.beside import novelty
from freerun.scores.command import found
from freerun.scores.molecules import descriptor, descriptors, molecule, of_strings
from freerun.scores.ratings import people
from freerun.scores.regression import TARGET, WORST, Points, fit

BITS = 2048


def similarity(smiles: str) -> Score:
    """Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits, no counts) to one molecule, from 0 to 1.

    Raises:
        UsageError: If the argument is no molecule.
    """
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    target = molecule(smiles)
    if target is None:
        raise UsageError(f"similarity needs the SMILES of a molecule, and {excerpt(smiles)} is none")
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=BITS)
    fingerprint = generator.GetFingerprint(target)

    def likeness(mol: Any) -> float:
        return DataStructs.TanimotoSimilarity(generator.GetFingerprint(mol), fingerprint)

    return Score(
        name=f"similarity:{smiles}",
        about=f"Tanimoto similarity of Morgan fingerprints to {excerpt(smiles)}",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=of_strings(likeness),
        domain="molecule",
    )


def smarts(pattern: str) -> Score:
    """1 if the pattern occurs in the molecule, else 0; hydrogens are implicit, unless the SMILES writes them.

    Raises:
        UsageError: If the argument is no pattern.
    """
    query = rdkit().MolFromSmarts(pattern) if pattern.isascii() else None
    if query is None or not query.GetNumAtoms():
        raise UsageError(f"smarts needs a SMARTS pattern, and {excerpt(pattern)} is none")
    return Score(
        name=f"smarts:{pattern}",
        about=f"1 if the pattern {excerpt(pattern)} occurs, else 0",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=of_strings(lambda mol: mol.HasSubstructMatch(query)),
        domain="molecule",
    )


def expression(target: str) -> Score:
    """How badly a formula fits another one, or the points of a csv file (an argument that ends in `.csv`).

    Raises:
        UsageError: If the argument is no formula, or the file cannot be read.
    """
    is_table = target.lower().endswith(".csv")
    points = Points.of_table(Path(target)) if is_table else Points.of_formula(target)
    return Score(
        name=f"expression:{target}",
        about=f"log(1 + mean squared error) of a formula against {excerpt(target)}, squares cut at 1,000",
        direction="lower",
        range=(0.0, WORST),
        worst=WORST,
        function=fit(points),
        domain="formula",
    )


def rdkit_descriptor(name: str) -> Score:
    """A descriptor of RDKit.

    Raises:
        UsageError: If RDKit has none of this name.
    """
    if name not in descriptors():
        raise UsageError(
            f"RDKit has no descriptor {excerpt(name)}{nearest(name, descriptors())}; "
            f"there are {len(descriptors())}, among them TPSA, MolWt, RingCount, HeavyAtomCount, BertzCT"
        )
    return Score(
        name=f"rdkit:{name}",
        about=f"RDKit's descriptor {name}",
        direction="higher",
        range=(-math.inf, math.inf),
        worst=-100.0,
        function=of_strings(descriptor(name)),
        domain="molecule",
    )


def command(argument: str) -> Score:
    """The numbers that a program prints. Only a `Guarded` score runs it: a name in a file starts nothing.

    Raises:
        UsageError: If there is no such program.
    """
    found(argument)

    def refuse(strings: Sequence[str]) -> np.ndarray:
        raise UsageError(f"command:{argument} starts a program, which only an objective does: --objective NAME")

    return Score(
        name=f"command:{argument}",
        about=f"what the program {excerpt(argument)} prints",
        direction="higher",
        range=(-math.inf, math.inf),
        worst=-100.0,
        function=refuse,
        program=f"command:{argument}",
    )


FAMILIES: dict[str, Family] = {
    "similarity": Family(
        "similarity", "SMILES", "Tanimoto similarity of Morgan fingerprints to a molecule, 0 to 1", similarity
    ),
    "smarts": Family("smarts", "PATTERN", "1 if the SMARTS pattern occurs in the molecule, else 0", smarts),
    "expression": Family(
        "expression",
        "FORMULA|FILE.csv",
        f"log(1 + mean squared error) of a formula against a target, by itself {TARGET}; or points with columns x, y",
        expression,
        default=TARGET,
    ),
    "rdkit": Family("rdkit", "NAME", "any descriptor of RDKit by its name there, as rdkit:BertzCT", rdkit_descriptor),
    "command": Family(
        "command",
        "PROGRAM ARG...",
        "a program, given strings on its input, one a line, that prints a number for each; for objectives only",
        command,
    ),
    "novelty": Family("novelty", "FILE", "1 if the string does not stand in the file, in any writing, else 0", novelty),
    "ratings": Family("ratings", "FILE.csv", "what people would rate it, by the ratings that they gave", people),
}
