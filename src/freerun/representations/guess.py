"""Which representation fits a file that names none."""

from collections.abc import Sequence

from freerun.errors import FreerunError
from freerun.representations.base import AbstractRepresentation
from freerun.representations.molecules import is_molecule
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

N_LINES = 1000
MOLECULES = 0.8  # of the lines: a file of molecules may hold some junk
WORDS_PER_LINE, USES_PER_WORD = 3.0, 5.0


def guess_representation(lines: Sequence[str]) -> tuple[AbstractRepresentation, str]:
    """By looking at up to 1,000 lines, empty ones aside.

    SMILES if four lines of five parse as molecules; else text: words if a line has three or more and a word comes five
    times on average, so that a vocabulary of words would be learnt; else characters.

    Returns:
        The representation, not yet fitted, and the reason as a sentence.

    Raises:
        FreerunError: If there is no line with anything on it.
    """
    seen = [line.strip() for line in lines[:N_LINES] if line.strip()]
    if not seen:
        raise FreerunError("no representation can be chosen: there is no line with anything on it")
    share = sum(" " not in line and is_molecule(line) for line in seen) / len(seen)
    parse_as = f"{100 * share:.1f} % of the first {len(seen):,} lines parse as molecules"
    if share >= MOLECULES:
        return Smiles(), f"smiles: {parse_as}"
    words = [word for line in seen for word in line.split()]
    per_line, uses = len(words) / len(seen), len(words) / len(set(words))
    unit = "word" if per_line >= WORDS_PER_LINE and uses >= USES_PER_WORD else "character"
    return Text(unit=unit), (
        f"text by {unit}s: {parse_as}; a line has {per_line:.1f} words, a word comes {uses:.1f} times"
    )
