"""The molecular graph with its spanning tree, as SVG: what is written in sequence, and what was cut and numbered."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from freerun.chemistry import rdkit
from freerun.explanation.molecule import Molecule
from freerun.representations.molecules import atom_position, unsanitized

MAX_ATOMS = 200
SCALE = 38.0  # pixels for one unit of RDKit's coordinates; a bond is 1.5 units
RADIUS, MARGIN = 11.5, 30.0
COLOURS = ("s2", "s1", "s3", "s5", "s4", "s7", "s6", "s8")
DASHES = ("6 4", "2.5 3.5", "9 3 2 3", "1.5 5")
APART = {"SINGLE": (0.0,), "DOUBLE": (-2.6, 2.6), "TRIPLE": (-4.2, 0.0, 4.2), "QUADRUPLE": (-6.0, -2.0, 2.0, 6.0)}

Point = tuple[float, float]


def closure_colour(number: int) -> str:
    """The CSS variable of a cut bond: eight, then again from the first; dashes and labels tell them apart, too."""
    return COLOURS[number % len(COLOURS)]


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Where atoms stand in the picture, and what RDKit says of the bonds between them."""

    points: list[Point]
    width: float
    height: float
    bonds: dict[frozenset[int], str]

    def inner(self, a: int, b: int) -> Point:
        """The side of a bond on which the other bonds of its atoms lie: there the second stroke of a ring bond stands.

        Returns:
            A vector of length 1 at a right angle to the bond.
        """
        (ax, ay), (bx, by) = self.points[a], self.points[b]
        length = math.dist(self.points[a], self.points[b]) or 1.0
        ux, uy = (ay - by) / length, (bx - ax) / length
        lean = 0.0
        for bond, order in self.bonds.items():
            if order == "AROMATIC" and len(bond & {a, b}) == 1:
                x, y = self.points[next(iter(bond - {a, b}))]
                lean += ux * (x - ax) + uy * (y - ay)
        return (ux, uy) if lean >= 0 else (-ux, -uy)


def graph_svg(molecule: Molecule, prefix: str = "k") -> Markup | None:
    """The drawing, `class="k7"` on whatever belongs to token 7 of the SMILES, counted from 0; None where RDKit cannot
    lay it out, or the graph is too large to be read."""
    if len(molecule.tree.atoms) > MAX_ATOMS:
        return None
    layout = _layout(molecule)
    if layout is None:
        return None
    parts = [
        *_tree_bonds(molecule, layout, prefix),
        *_closures(molecule, layout, prefix),
        *_atoms(molecule, layout, prefix),
    ]
    size = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" style="--width:{layout.width:.0f}px"'
    return Markup(f'<svg class="graph" {size}>{"".join(parts)}</svg>')


def _layout(molecule: Molecule) -> _Layout | None:
    from rdkit.Chem import rdDepictor

    chem = rdkit()
    mol: Any = unsanitized(molecule.smiles)
    if mol is None or mol.GetNumAtoms() != len(molecule.tree.atoms):
        return None
    written = [str(bond.GetBondType()) for bond in mol.GetBonds()]
    if molecule.problem is None:
        chem.SanitizeMol(mol)
    else:
        mol.UpdatePropertyCache(strict=False)
        chem.FastFindRings(mol)
    rdDepictor.Compute2DCoords(mol)
    rdDepictor.StraightenDepiction(mol)
    conformer = mol.GetConformer()
    places = [conformer.GetAtomPosition(i) for i in range(mol.GetNumAtoms())]
    left, top = min(place.x for place in places), max(place.y for place in places)
    points = [(MARGIN + SCALE * (place.x - left), MARGIN + SCALE * (top - place.y)) for place in places]
    # As written: RDKit would make the bonds of a Kekule form aromatic. Between aromatic atoms it knows better, though.
    bonds = {
        frozenset((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())): str(bond.GetBondType())
        if kind == "AROMATIC"
        else kind
        for bond, kind in zip(mol.GetBonds(), written, strict=True)
    }
    return _Layout(points, MARGIN + max(x for x, _ in points), MARGIN + max(y for _, y in points), bonds)


def _tree_bonds(molecule: Molecule, layout: _Layout, prefix: str) -> list[str]:
    parts = []
    for bond in molecule.tree.bonds:
        order = layout.bonds.get(frozenset((bond.parent, bond.child)), "SINGLE")
        title = f"{order.lower()} bond of atoms {bond.parent + 1} and {bond.child + 1}, written one after the other"
        where = "branch" if bond.in_branch else "chain"
        key = f"{prefix}{molecule.tree.atoms[bond.child]}"
        lines = _lines(layout, bond.parent, bond.child, order)
        parts.append(f'<g class="bond {where} {key}"><title>{escape(title)}</title>{lines}</g>')
    return parts


def _closures(molecule: Molecule, layout: _Layout, prefix: str) -> list[str]:
    parts = []
    for number, closure in enumerate(molecule.tree.closures):
        a, b = layout.points[closure.opener], layout.points[closure.closer]
        order = layout.bonds.get(frozenset((closure.opener, closure.closer)), "SINGLE")
        title = f"{order.lower()} bond of atoms {closure.opener + 1} and {closure.closer + 1}, cut: both bear ring "
        title += closure.label
        x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        keys = " ".join(f"{prefix}{token}" for token in closure.tokens)
        style = f"--colour:var(--{closure_colour(number)});--dash:{DASHES[number % len(DASHES)]}"
        half = 4.0 + 3.2 * len(closure.label)
        badge = f'<rect x="{x - half:.1f}" y="{y - 7.5:.1f}" width="{2 * half:.1f}" height="15" rx="7.5"/>'
        badge += f'<text x="{x:.1f}" y="{y + 3.8:.1f}">{escape(closure.label)}</text>'
        parts.append(
            f'<g class="bond closure {keys}" style="{style}"><title>{escape(title)}</title>'
            f"{_lines(layout, closure.opener, closure.closer, order)}{badge}</g>"
        )
    return parts


def _atoms(molecule: Molecule, layout: _Layout, prefix: str) -> list[str]:
    wrong = -1
    if molecule.problem is not None:
        starts = [atom_position(molecule.smiles, atom) for atom in range(len(molecule.tree.atoms))]
        wrong = starts.index(molecule.problem.position) if molecule.problem.position in starts else -1
    beside: list[list[Point]] = [[] for _ in layout.points]
    for a, b in map(tuple, layout.bonds):
        beside[a].append(layout.points[b])
        beside[b].append(layout.points[a])
    parts = []
    for atom, token in enumerate(molecule.tree.atoms):
        text = molecule.tokens[token].strip("[]")
        x, y = layout.points[atom]
        half = max(RADIUS, 4.0 + 4.2 * len(text))
        kind = " first" if atom == 0 else ""
        kind += " wrong" if atom == wrong else ""
        title = f"atom {atom + 1}: {molecule.tokens[token]}, token {token + 1}, {len(beside[atom])} neighbours"
        dx, dy = _free_direction((x, y), beside[atom])
        nx, ny = x + dx * (half + 7), y + dy * (RADIUS + 7) + 3.5
        parts.append(
            f'<g class="atom {prefix}{token}{kind}"><title>{escape(title)}</title>'
            f'<rect x="{x - half:.1f}" y="{y - RADIUS:.1f}" width="{2 * half:.1f}" height="{2 * RADIUS:.0f}" '
            f'rx="{RADIUS}"/><text x="{x:.1f}" y="{y + 4.2:.1f}">{escape(text)}</text>'
            f'<text class="number" x="{nx:.1f}" y="{ny:.1f}">{atom + 1}</text></g>'
        )
    return parts


def _lines(layout: _Layout, a: int, b: int, order: str) -> str:
    """The strokes of one bond, side by side; an aromatic one has a dotted second, inside its ring."""
    (ax, ay), (bx, by), (ux, uy) = layout.points[a], layout.points[b], layout.inner(a, b)
    strokes = []
    for i, shift in enumerate((0.0, 5.0) if order == "AROMATIC" else APART.get(order, (0.0,))):
        dx, dy = ux * shift, uy * shift
        kind = ' class="half"' if order == "AROMATIC" and i else ""
        strokes.append(f'<line{kind} x1="{ax + dx:.1f}" y1="{ay + dy:.1f}" x2="{bx + dx:.1f}" y2="{by + dy:.1f}"/>')
    return "".join(strokes)


def _free_direction(point: Point, neighbours: Sequence[Point]) -> Point:
    """The middle of the widest angle between bonds: there the atom's number stands."""
    angles = sorted(math.atan2(y - point[1], x - point[0]) for x, y in neighbours)
    if not angles:
        return 0.0, -1.0
    gaps = [(after - before, before) for before, after in zip(angles, [*angles[1:], angles[0] + math.tau], strict=True)]
    width, start = max(gaps)
    return math.cos(start + width / 2), math.sin(start + width / 2)
