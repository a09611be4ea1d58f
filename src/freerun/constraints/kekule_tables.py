"""The tables of a vocabulary for SMILES in Kekule form, as tensors."""

import dataclasses
import functools

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import EOS, PAD
from freerun.constraints.kekule_tokens import ATOM, BOND, CLOSE, OPEN, RING, Tokens, tokens_of_kekule

NEVER = 1000  # more atoms than any budget has room for
MOST_ALIKE = 8  # open rings of one order at one atom, at most

# What a row may write besides atoms and ring numbers: the bits of `Tables.masks`.
SINGLE, DOUBLE, TRIPLE, OPENS, CLOSES, ENDS, PADS = (1 << i for i in range(7))
BITS = SINGLE, DOUBLE, TRIPLE, OPENS, CLOSES, ENDS, PADS
N_CODES = 1 << len(BITS)
ORDERS = 3  # a bond is single, double or triple


@dataclasses.dataclass(frozen=True)
class Tables:
    """Args:
    tokens: Kind, valence, order, label and pair of each token.
    phase_after: What was written last, by kind of token (a bond apart: it depends on what it follows).
    fewest: Atoms that must be written to close rings; see `fewest_atoms`. Flattened.
    masks: The mask without ring numbers, by (least valence of an atom * 3 + pair that is barred) * N_CODES + bits.
    bits: BITS, a column.
    orders: 1 to ORDERS, a column.
    spare: Bonds to spare of the new atoms that the masks ask about: 0 to the greatest valence; those of a builder
        after a bond of each order, and at the beginning of a branch.
    ring_tokens: The ring numbers among the tokens.
    ring_labels: Their places among the labels.
    n_labels: Places for open rings.
    greatest: Greatest valence of an atom.
    builder: The same of those that any atom may be bonded to: completions are built of these.
    """

    tokens: Int[Tensor, "vocab 5"]
    phase_after: Int[Tensor, " kinds"]
    fewest: Int[Tensor, " entries"]
    masks: Bool[Tensor, "codes vocab"]
    bits: Int[Tensor, "bits 1"]
    orders: Int[Tensor, "orders 1"]
    spare: Int[Tensor, "atoms 1"]
    ring_tokens: Int[Tensor, " ring_tokens"]
    ring_labels: Int[Tensor, " ring_tokens"]
    n_labels: int
    greatest: int
    builder: int

    def entry(self, singles: Tensor, doubles: Tensor, all_differ: Tensor) -> Tensor:
        """Where `fewest` has these counts, with no ring at the opener that has most."""
        width = self.n_labels + 1
        return all_differ.int() * (2 * width * width) + singles * width + doubles

    def entry_more(self, rounds: Tensor, at_opener: Tensor | bool) -> Tensor:
        """What the other arguments of `fewest_atoms` add to that."""
        width = self.n_labels + 1
        return rounds * (4 * width * width) + at_opener * (width * width)

    @property
    def entry_of_opener(self) -> int:
        """What a chain that is bonded to an opener adds: the flag, and a round more."""
        return 5 * (self.n_labels + 1) ** 2


@functools.cache
def tables_of(vocab: tuple[str, ...], device: torch.device) -> Tables:
    """The tables on a device."""
    tokens = tokens_of_kekule(vocab)
    rings = [i for i, kind in enumerate(tokens.kind) if kind == RING]
    n_labels = max(1, len(tokens.labels))  # a place at least, so that no tensor is empty
    after_bond = [tokens.builder - order for order in range(1, ORDERS + 1)]
    spare = [*range(tokens.greatest + 1), *after_bond, tokens.builder - 1]
    return Tables(
        tokens=torch.tensor(
            [tokens.kind, tokens.valence, tokens.order, tokens.label, tokens.pair], dtype=torch.int32
        ).T.to(device),
        # OTHER ATOM BOND OPEN CLOSE RING END, in the phases of `kekule_state`
        phase_after=torch.tensor([7, 1, 0, 3, 5, 1, 7], dtype=torch.int32, device=device),
        fewest=_fewest(n_labels, tokens.builder).to(device),
        masks=_masks(tokens).to(device),
        bits=torch.tensor(BITS, dtype=torch.int32, device=device)[:, None],
        orders=torch.arange(1, ORDERS + 1, dtype=torch.int32, device=device)[:, None],
        spare=torch.tensor(spare, dtype=torch.int32, device=device)[:, None],
        ring_tokens=torch.tensor(rings, dtype=torch.int64, device=device),
        ring_labels=torch.tensor([tokens.label[i] for i in rings], dtype=torch.int64, device=device),
        n_labels=n_labels,
        greatest=tokens.greatest,
        builder=tokens.builder,
    )


def _masks(tokens: Tokens) -> Bool[Tensor, "codes vocab"]:
    """By least valence (0 to the greatest + 1: no atom), pair that is barred (0: none), and bits."""
    kind, valence, order, pair = (
        torch.tensor(each) for each in (tokens.kind, tokens.valence, tokens.order, tokens.pair)
    )
    n_valences = tokens.greatest + 2
    least, barred = torch.arange(n_valences)[:, None, None, None], torch.arange(3)[:, None, None]
    is_fit = (kind == ATOM) & (valence >= least) & ((pair == 0) | (pair != barred))
    masks = is_fit.expand(n_valences, 3, N_CODES, -1).clone()
    code = torch.arange(N_CODES)[:, None]
    for i, bit in enumerate((SINGLE, DOUBLE, TRIPLE), start=1):
        masks |= ((code & bit) > 0) & (kind == BOND) & (order == i)
    masks |= (((code & OPENS) > 0) & (kind == OPEN)) | (((code & CLOSES) > 0) & (kind == CLOSE))
    masks[..., EOS] = ((code & ENDS) > 0)[:, 0]
    masks[..., PAD] = ((code & PADS) > 0)[:, 0]
    return masks.flatten(0, 2)


def fewest_atoms(
    singles: int, doubles: int, rounds: int, all_differ: bool, greatest: int, *, at_opener: bool = False
) -> int:
    """How many atoms a chain needs that closes these rings.

    Either one atom closes all; or each atom closes as many single rings of different openers as it can, or if there
    are none left, double ones. With at most two rings this is the least number; with more it may be too great, never
    too small. What makes dead ends impossible: after the first atom of such a chain one atom less is owed.

    Args:
        rounds: Atoms that the single rings of one opener need: as many as they are, and one more if the chain is
            bonded to that opener.
        all_differ: No atom opened two rings.
        greatest: Valence of the atoms of the chain.
        at_opener: The chain is bonded to an atom that opened one of the rings; its first atom cannot close that one.

    Returns:
        NEVER where there is no such chain.
    """
    n = singles + doubles
    if (n <= 1 or all_differ) and singles + 2 * doubles < greatest:
        return min(n, 1) + at_opener
    between = greatest - 2  # bonds to spare inside the chain; its last atom has one more
    if between < 1 or n == 1 or (between == 1 and doubles > 1):
        return NEVER
    if singles == 0 or doubles == 0:
        if singles:
            return max(-(-(singles - 1) // between), min(rounds, singles + at_opener))
        return doubles + (at_opener and not all_differ)  # if all differ, the first atom closes another one
    if between == 1:  # only the last atom can close the double ring
        return singles + 1 + at_opener
    return doubles + max(-(-singles // between), min(rounds, singles)) + at_opener


def _fewest(n_labels: int, greatest: int) -> Int[Tensor, " entries"]:
    """`fewest_atoms` by `rounds` (0 to MOST_ALIKE + 1), `all_differ`, `at_opener`, singles, doubles (to all labels)."""
    counts = range(n_labels + 1)
    entries = [
        fewest_atoms(singles, doubles, rounds, all_differ, greatest, at_opener=at_opener)
        for rounds in range(MOST_ALIKE + 2)
        for all_differ in (False, True)
        for at_opener in (False, True)
        for singles in counts
        for doubles in counts
    ]
    return torch.tensor(entries, dtype=torch.int32)
