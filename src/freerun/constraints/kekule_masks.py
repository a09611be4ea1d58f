"""What may come next in a SMILES in Kekule form: syntax, free valences, rings, and what fits into the budget.

Inside, the batch is the last axis: there a tensor operation is several times as fast.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from freerun.constraints.kekule_open import Open, count, open_things
from freerun.constraints.kekule_owed import Site, atoms_owed
from freerun.constraints.kekule_state import (
    AFTER_ATOM,
    AFTER_CLOSE,
    AFTER_OPEN,
    ATOM_BOND,
    ENDED,
    OPEN_BOND,
    PAIR,
    START,
    KekuleState,
)
from freerun.constraints.kekule_tables import (
    MOST_ALIKE,
    N_CODES,
    NEVER,
    ORDERS,
    Tables,
)
from freerun.constraints.kekule_tokens import IODINE, OXONIUM


def masks(state: KekuleState, tables: Tables) -> Bool[Tensor, "batch vocab"]:
    """The tokens that may come next."""
    phase, free, depth = state.phase, state.free, state.depth
    things = open_things(state)
    in_branch = (phase == AFTER_OPEN) | (phase == OPEN_BOND)
    after_part = (phase == AFTER_ATOM) | (phase == AFTER_CLOSE)
    n_open = things.singles + things.doubles
    # Atoms that may be owed, if a new atom is written next: <eos>, the atom, each ring and each branch want a token.
    slack = state.left - 2 - n_open - depth - in_branch.int()

    bond = state.order.clamp(min=1)
    owed = _owed_by_atom(state, things, in_branch, bond, tables)
    n_valences = tables.greatest + 1
    # With more bonds to spare never more atoms are owed, so the atoms that fit are those of a least valence.
    started = phase > START
    least = count(owed[:n_valences] > slack) + torch.where(started, bond, 0)
    can_bond = ~started | ((phase < ENDED) & (free >= bond))
    least = torch.where(can_bond, least.clamp(max=n_valences), n_valences)

    closing, digits = _owed_by_closing(state, things, tables)  # (orders, rings, batch), (rings, batch)
    may_open = (_owed_by_opening(state, things, bond, tables) < slack) & (free >= bond) & (bond <= 2)
    # A double ring bond that one of a pair opened could not be closed at the other, which is not counted anywhere.
    may_open &= (bond < 2) | (state.current & PAIR == 0)
    ring = (~things.is_open & may_open) | (digits <= slack + 1)
    ring &= (phase == AFTER_ATOM) | (phase == ATOM_BOND)

    by_bond = torch.where(phase == AFTER_ATOM, closing.amin(1), NEVER)  # (orders, batch)
    by_bond = torch.minimum(by_bond, owed[n_valences : n_valences + ORDERS] + 1)
    bonds = (after_part | (phase == AFTER_OPEN)) & (free >= tables.orders) & (by_bond <= slack)
    opens = after_part & (free > 0) & (owed[-1] + 2 <= slack)
    closes = after_part & (depth > 0) & (_owed_by_ending_branch(state, things, tables) <= slack + 1)
    ends = after_part & (n_open + depth == 0)

    flags = torch.cat([bonds, torch.stack([opens, closes, ends, phase == ENDED])])
    barred = torch.where(state.order == 2, (2 * (state.current & PAIR)) % 3, 0)  # the other of the pair
    code = (least * 3 + barred) * N_CODES + (flags * tables.bits).sum(0, dtype=torch.int32)
    allowed = tables.masks.index_select(0, code)
    return allowed.index_copy_(1, tables.ring_tokens, ring.T.index_select(1, tables.ring_labels))


def _owed_by_atom(state: KekuleState, things: Open, in_branch: Tensor, bond: Tensor, tables: Tables) -> Tensor:
    """Atoms owed after a new atom: with 0 to the greatest valence bonds to spare; after a bond of order 1, 2, 3 first;
    as the first of a new branch."""
    # Its parent waits, if the atom begins a branch: then that is an anchor more.
    waits = [in_branch & (state.free > bond), in_branch & (state.free > tables.orders), state.free > 1]
    more = torch.cat([waits[0].expand(tables.greatest + 1, -1), waits[1], waits[2][None]]).int()
    site = Site(
        free=tables.spare,
        singles=things.singles,
        doubles=things.doubles,
        near_singles=things.single_openers - (things.own_singles > 0).int(),
        near_doubles=things.openers - things.single_openers - ((things.own > 0) & (things.own_singles == 0)).int(),
        all_near=(things.own == 0) & things.all_differ,
        own=torch.zeros_like(things.own),
        own_singles=torch.zeros_like(things.own),
        anchors=state.anchors + more,
        clean=things.clean + more * (things.own == 0),
        cleanable=things.cleanable > 0,
        alike=things.alike,
        top=things.top,
        top_near=things.own_singles < things.alike,
        all_differ=things.all_differ,
    )
    return atoms_owed(site, tables).masked_fill(tables.spare < 0, NEVER)


def _owed_by_closing(state: KekuleState, things: Open, tables: Tables) -> tuple[Tensor, Tensor]:
    """Atoms owed after closing each ring, by the order of its bond, and with the order that is due now; NEVER where it
    may not be closed so."""
    order = tables.orders[:, None]
    known, stated, spare = things.order, things.stated, things.spare
    extra = order - known  # (orders, rings, batch)
    is_barred = (things.opener & PAIR) + (state.current & PAIR) == IODINE + OXONIUM
    fits = things.near & ~(is_barred & (order == 2))
    fits &= (extra >= 0) & (extra <= spare) & ((stated == 0) | (stated == order)) & (order <= state.free)
    lost = things.is_anchor & (extra > 0) & (extra == spare)
    has_singles = (things.same_singles > 0).int()
    site = Site(
        free=state.free - order,
        # Places without a ring are never read, but must stay inside the table.
        singles=(things.singles - things.is_single.int()).clamp(min=0),
        doubles=(things.doubles - 1 + things.is_single.int()).clamp(min=0),
        near_singles=(things.near_singles - has_singles).clamp(min=0),
        near_doubles=(things.near_doubles - 1 + has_singles).clamp(min=0),
        all_near=things.all_near & things.all_differ,
        own=things.own,
        own_singles=things.own_singles,
        anchors=state.anchors - lost.int(),
        clean=things.clean + (things.is_anchor & things.is_alone & ~lost).int(),
        cleanable=things.near_cleanable > things.is_cleanable.int(),
        alike=things.alike,
        top=things.top - things.is_top.int(),
        # Closing a double ring of a top opener keeps its single ones away from this atom.
        top_near=things.top_near & (things.is_single | (things.alike > things.same_singles)),
        all_differ=things.all_differ,
    )
    owed = torch.where(fits, atoms_owed(site, tables), NEVER)
    due = torch.where(state.phase == ATOM_BOND, state.order, known).clamp(min=1)
    return owed, owed.gather(0, (due - 1).long()[None])[0]


def _owed_by_opening(state: KekuleState, things: Open, bond: Tensor, tables: Tables) -> Tensor:
    """Atoms owed after the current atom opens a ring with a bond of this order."""
    is_single = (bond == 1).int()
    own_singles = things.own_singles + is_single
    site = Site(
        free=state.free - bond,
        # With no place left for a ring nothing is read, but the index must stay inside the table.
        singles=(things.singles + is_single).clamp(max=tables.n_labels),
        doubles=(things.doubles + 1 - is_single).clamp(max=tables.n_labels),
        near_singles=things.near_singles,
        near_doubles=things.near_doubles,
        all_near=torch.zeros_like(things.all_near),
        own=things.own + 1,
        own_singles=own_singles,
        anchors=state.anchors,
        clean=things.clean,
        cleanable=things.near_cleanable > 0,
        alike=torch.maximum(things.alike, own_singles).clamp(max=MOST_ALIKE),
        top=things.top,
        top_near=things.top_near & (own_singles < things.alike),
        all_differ=things.all_differ & (things.own == 0),
    )
    return atoms_owed(site, tables)


def _owed_by_ending_branch(state: KekuleState, things: Open, tables: Tables) -> Tensor:
    """Atoms owed after `)`: the current atom is left behind, and one that waits has to begin the chain."""
    not_clean = things.clean <= 0
    entry = tables.entry(things.singles, things.doubles, things.all_differ)
    entry = entry + tables.entry_more(things.alike + not_clean.int(), not_clean)
    owed = tables.fewest.index_select(0, entry).masked_fill(state.anchors <= 0, NEVER)
    return owed.masked_fill(things.singles + things.doubles == 0, 0)
