"""What the tokens of a vocabulary are to a SMILES in Kekule form, and how many bonds RDKit gives each atom."""

import dataclasses
import functools

from freerun.chemistry import parse
from freerun.constraints.base import EOS, PAD, SPECIALS
from freerun.grammars.smiles_syntax import AROMATIC_TOKEN, TOKEN

OTHER, ATOM, BOND, OPEN, CLOSE, RING, END = range(7)  # kinds of tokens; OTHER is never allowed
ORDERS = {"-": 1, "/": 1, "\\": 1, "=": 2, "#": 3}
# RDKit's clean-up writes O[I](=O)=O with charges, whatever charge the oxygen has: it then refuses O[I]=[OH+].
IODINE, OXONIUM = 1, 2
MOST_BONDS = 8  # RDKit bounds neither most metals nor `*`


@dataclasses.dataclass(frozen=True)
class Tokens:
    """One entry a token of the vocabulary, 0 where it does not apply.

    Args:
        kind: ATOM, BOND, OPEN `(`, CLOSE `)`, RING, END `<eos>` or OTHER.
        valence: Most bonds of an atom, double bonds counted twice.
        order: Of a bond.
        label: Of a ring number: its place in `labels`.
        pair: IODINE or OXONIUM, which no double bond may join; 0 of other atoms, and where there is only one of them.
        labels: The ring numbers that the vocabulary has.
        refused: Tokens (the special ones aside) that this form cannot say.
    """

    kind: tuple[int, ...]
    valence: tuple[int, ...]
    order: tuple[int, ...]
    label: tuple[int, ...]
    pair: tuple[int, ...]
    labels: tuple[int, ...]
    refused: tuple[str, ...]

    @property
    def greatest(self) -> int:
        """The greatest valence."""
        return max(self.valence)

    @property
    def builder(self) -> int:
        """The greatest valence of the atoms that any atom may be bonded to by a double bond."""
        return max((v for v, pair in zip(self.valence, self.pair, strict=True) if pair == 0), default=0)


@functools.cache
def tokens_of_kekule(vocab: tuple[str, ...]) -> Tokens:
    """Reads a vocabulary, special tokens first.

    Raises:
        ValueError: If it has no atom.
    """
    assert vocab[: len(SPECIALS)] == SPECIALS
    words = vocab[len(SPECIALS) :]
    valences = {word: bonds_of(word) for word in words if _is_atom(word)}
    numbers = {word: int(word.strip("%()")) for word in words if word[0] in "%0123456789" and TOKEN.fullmatch(word)}
    labels = tuple(sorted(set(numbers.values())))
    kinds = {word: ATOM for word, valence in valences.items() if valence is not None}
    kinds |= dict.fromkeys(ORDERS, BOND) | {"(": OPEN, ")": CLOSE} | dict.fromkeys(numbers, RING)
    if ATOM not in kinds.values():
        raise ValueError(
            f"none of the {len(words)} tokens is an atom of a SMILES in Kekule form ({' '.join(words[:8])} ...); "
            "fit the representation `smiles` with kekule = true"
        )
    kind = [OTHER] * len(SPECIALS) + [kinds.get(word, OTHER) for word in words]
    kind[EOS] = END
    pair = {word: _pair(word) for word, valence in valences.items() if valence is not None and valence > 1}
    if not {IODINE, OXONIUM} <= set(pair.values()):
        pair = {}
    assert kind[PAD] == OTHER
    return Tokens(
        kind=tuple(kind),
        valence=tuple(valences.get(word) or 0 for word in vocab),
        order=tuple(ORDERS.get(word, 0) for word in vocab),
        label=tuple(labels.index(numbers[word]) if word in numbers else 0 for word in vocab),
        pair=tuple(pair.get(word, 0) for word in vocab),
        labels=labels,
        refused=tuple(word for word in words if word not in kinds),
    )


def _is_atom(word: str) -> bool:
    return (word[0].isalpha() or word[0] in "[*") and not AROMATIC_TOKEN.match(word) and bool(TOKEN.fullmatch(word))


def bonds_of(atom: str) -> int | None:
    """The most single bonds that RDKit accepts on an atom as written, at most `MOST_BONDS`; None: not even alone.

    RDKit is asked, for its valences depend on charge, hydrogens and version. It fills the organic subset up with
    hydrogens, so every number below is accepted too.
    """
    accepted = [parse(atom + "(C)" * n) is not None for n in range(MOST_BONDS + 1)]
    return None if not accepted[0] else [*accepted, False].index(False) - 1


def _pair(atom: str) -> int:
    """Whether the atom is one of two that RDKit's clean-up of halogens cannot have joined by a double bond."""
    molecule = parse(atom)
    assert molecule is not None
    known = molecule.GetAtomWithIdx(0)
    element, charge = known.GetSymbol(), known.GetFormalCharge()
    if element in ("Cl", "Br", "I") and charge == 0:
        return IODINE
    return OXONIUM if element == "O" and charge > 0 else 0
