"""Drawings of molecules as small inline SVG, and the reason why a string is none."""

import dataclasses
import re
from typing import Any

from markupsafe import Markup

from freerun.chemistry import rdkit
from freerun.scores.molecules import logp, molecule, qed, value

WIDTH, HEIGHT = 190, 140
MAX_ATOMS = 150
MAX_CHARACTERS = 2000
_PATH = re.compile(r"<path\b([^>]*)/>")
_D = re.compile(r"\bd='([MLQCZz0-9 .,\n-]*)'")
_COLOUR = re.compile(r"(fill|stroke)[:=]'?(#[0-9A-Fa-f]{6})")
_FOREIGN = re.compile(r"[^A-Za-z0-9@+\-\[\]()=#$:/\\.%*~>]")
_STROKE_WIDTH = re.compile(r"stroke-width:([0-9.]+)")

# RDKit's colours of the elements -> classes of report.css; everything else takes the ink of the page.
ELEMENTS = {
    "#0000FF": "N",
    "#FF0000": "O",
    "#33CCCC": "F",
    "#00CC00": "Cl",
    "#7F4C19": "Br",
    "#A01EEF": "I",
    "#CCCC00": "S",
    "#FF7F00": "P",
}


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One string of a grid: a drawing with its measures, or the reason why there is none."""

    string: str
    svg: Markup | None
    note: str


def drawing(smiles: str) -> Drawing:
    """What the report shows of one SMILES string; never raises on a string."""
    if len(smiles) > MAX_CHARACTERS:
        return Drawing(smiles, None, f"not drawn: {len(smiles):,} characters")
    mol = molecule(smiles)
    if mol is None:
        return Drawing(smiles, None, why_invalid(smiles))
    if mol.GetNumAtoms() > MAX_ATOMS:
        return Drawing(smiles, None, f"a molecule, too large to draw: {mol.GetNumAtoms()} atoms")
    note = f"logP {value(logp, mol):.1f} \u00b7 QED {value(qed, mol):.2f}".replace("-", "\u2212")
    return Drawing(smiles, to_svg(mol), note)


def to_svg(mol: Any) -> Markup:
    """The molecule at one scale (large ones shrink to fit), a few kilobytes: one path a colour and a width of line."""
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    rdDepictor.Compute2DCoords(mol)
    rdDepictor.StraightenDepiction(mol)
    canvas = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options = canvas.drawOptions()
    options.clearBackground = False
    options.bondLineWidth = 1.3
    options.fixedBondLength = 21
    options.baseFontSize = 0.72
    options.minFontSize = 10
    options.padding = 0.02
    canvas.DrawMolecule(mol)
    canvas.FinishDrawing()
    return Markup(_compact(canvas.GetDrawingText()))


def _compact(svg: str) -> str:
    """Only paths are kept, and of them only shape and colour, so no string of a file can come through."""
    joined: dict[str, list[str]] = {}
    for attributes in _PATH.findall(svg):
        shape, colours = _D.search(attributes), dict(_COLOUR.findall(attributes))
        if shape is None:
            continue
        element = ELEMENTS.get((colours.get("stroke") or colours.get("fill", "")).upper(), "")
        style = f' class="{element}"' if element else ""
        if "stroke" in colours:
            width = _STROKE_WIDTH.search(attributes)
            style += f' stroke="currentColor" stroke-width="{width.group(1) if width else 1}"'
        style += ' fill="currentColor"' if "fill" in colours else ' fill="none"'
        path = re.sub(r"\s*([MLQCZz,])\s*", r"\1", re.sub(r"\s+", " ", shape.group(1)).strip())
        joined.setdefault(style, []).append(path.replace(".0,", ",").replace(".0L", "L"))
    paths = "".join(f'<path{style} d="{"".join(shapes)}"/>' for style, shapes in joined.items())
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">{paths}</svg>'


def why_invalid(smiles: str) -> str:
    """One short line: what keeps the string from being a molecule."""
    if not smiles.strip():
        return "empty string"
    try:
        mol = rdkit().MolFromSmiles(smiles, sanitize=False)
    except UnicodeEncodeError:
        return "not valid Unicode"
    if mol is None:
        return _syntax_problem(smiles)
    problems = rdkit().DetectChemistryProblems(mol)
    if not problems:
        return "not a molecule"
    message = problems[0].Message().strip().removesuffix(",")
    valence = re.search(r"atom # (\d+) (\w+), (\d+), is greater than permitted", message)
    if valence:
        return f"{valence.group(2)} with {valence.group(3)} bonds (atom {int(valence.group(1)) + 1})"
    if "kekulize" in message.lower():
        return "aromatic ring that has no alternating bonds"
    return message.splitlines()[0][:80]


def _syntax_problem(smiles: str) -> str:
    """The first of the usual faults of grammar: foreign characters, brackets, branches, ring labels."""
    foreign = _FOREIGN.search(smiles)
    if foreign:
        return f"{foreign.group()!r} is no character of SMILES"
    plain = re.sub(r"\[[^\[\]]*\]", "*", smiles)
    if "[" in plain or "]" in plain:
        return "bracket left open"
    depth = 0
    for character in plain:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return "branch closed that was never opened"
    if depth:
        return "branch left open"
    labels = re.findall(r"%\d\d|\d", plain)
    still_open = sorted({label for label in labels if labels.count(label) % 2})
    if still_open:
        return f"ring {still_open[0].removeprefix('%')} left open"
    return "a symbol out of place"
