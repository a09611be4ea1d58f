"""What a SMILES writes: a spanning tree of the molecular graph, atom after atom, and the bonds that were cut for it.

A graph with rings is no string. SMILES (Weininger 1988, doi:10.1021/ci00057a005) walks along a spanning tree, deepest
first: an atom is bonded to the one written before it, parentheses return to an earlier one, and each bond that the
tree leaves out is a number, written at both of its atoms.
"""

import dataclasses
from collections.abc import Sequence

from freerun.grammars.smiles_syntax import KINDS

BONDS = {
    "-": "single bond",
    "=": "double bond",
    "#": "triple bond",
    "$": "quadruple bond",
    ":": "aromatic bond",
    "/": "single bond, a side of the double bond beside it: up",
    "\\": "single bond, a side of the double bond beside it: down",
    "~": "any bond",
    "->": "dative bond",
    "<-": "dative bond",
}


@dataclasses.dataclass(frozen=True)
class TreeBond:
    """A bond that is written in sequence: `child` is the atom written later. Atoms are counted from 0."""

    parent: int
    child: int
    in_branch: bool


@dataclasses.dataclass(frozen=True)
class Closure:
    """A bond that was cut: `label` stands at both atoms.

    Args:
        tokens: The two tokens that are this label.
    """

    label: str
    opener: int
    closer: int
    tokens: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class SpanningTree:
    """The graph as the tokens of one SMILES write it.

    Args:
        atoms: Number of the token of each atom, in the order of writing.
        meanings: What each token says.
    """

    atoms: tuple[int, ...]
    bonds: tuple[TreeBond, ...]
    closures: tuple[Closure, ...]
    meanings: tuple[str, ...]


def spanning_tree(tokens: Sequence[str]) -> SpanningTree:
    """Read off the tokens alone; they must be in order (`tokens_of` checks them)."""
    atoms: list[int] = []
    bonds: list[TreeBond] = []
    closures: list[Closure] = []
    meanings: list[str] = []
    branches: list[int] = []
    opened: dict[int, tuple[int, int]] = {}  # ring number -> atom, token
    current: int | None = None
    for number, token in enumerate(tokens):
        if token == "(":
            assert current is not None
            branches.append(current)
            meanings.append(f"a branch from atom {current + 1}")
        elif token == ")":
            current = branches.pop()
            meanings.append(f"end of the branch, back to atom {current + 1}")
        elif token == ".":
            current = None
            meanings.append("no bond: another part begins")
        elif KINDS.get(token) == "bond":
            meanings.append(BONDS[token])
        elif token[0] in "%0123456789":
            assert current is not None
            label = token.strip("%()")
            opener = opened.pop(int(label), None)
            if opener is None:
                opened[int(label)] = (current, number)
                meanings.append(f"atom {current + 1} opens ring {label}")
            else:
                closures.append(Closure(label, opener[0], current, (opener[1], number)))
                meanings.append(f"closes ring {label}: bond of atoms {opener[0] + 1} and {current + 1}")
        else:
            if current is not None:
                bonds.append(TreeBond(current, len(atoms), bool(branches)))
            current = len(atoms)
            atoms.append(number)
            meanings.append(f"atom {current + 1}")
    return SpanningTree(tuple(atoms), tuple(bonds), tuple(closures), tuple(meanings))
