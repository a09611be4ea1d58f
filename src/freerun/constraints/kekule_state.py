"""Where a SMILES in Kekule form stands, row by row, and how a token moves it on."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.kekule_tables import Tables
from freerun.constraints.kekule_tokens import ATOM, BOND, CLOSE, END, RING
from freerun.rows import Rows

# What was written last; a bond is one above what it follows. A branch begins with an atom, or a bond and an atom.
START, AFTER_ATOM, ATOM_BOND, AFTER_OPEN, OPEN_BOND, AFTER_CLOSE, CLOSE_BOND, ENDED = range(8)
NOBODY = -1
PAIR = 3  # the bits of an atom's number that tell its pair


@dataclasses.dataclass(frozen=True)
class Rings(Rows):
    """The open rings: one place a ring number.

    Args:
        opener: The atom at which it was opened; NOBODY where it is not open.
        order: Of its bond, as far as known: 1 or 2; 0 where it is not open.
        stated: The order that was written where it was opened; 0: none.
        singles: Open rings of order 1 that the same atom opened, this one included; 0 where it is not open.
        doubles: The same of order 2.
        spare: Bonds that its opener may still get.
        bonded: Whether its opener is bonded to the current atom.
        branched: Whether its opener waits for its branch to end.
    """

    opener: Int[Tensor, "batch rings"]
    order: Int[Tensor, "batch rings"]
    stated: Int[Tensor, "batch rings"]
    singles: Int[Tensor, "batch rings"]
    doubles: Int[Tensor, "batch rings"]
    spare: Int[Tensor, "batch rings"]
    bonded: Bool[Tensor, "batch rings"]
    branched: Bool[Tensor, "batch rings"]


@dataclasses.dataclass(frozen=True)
class KekuleState(Rows):
    """A prefix. An atom bears the number 4 * atoms before it + its `pair` (see `kekule_tokens`).

    Args:
        phase: What was written last: START to ENDED.
        order: Of the bond that was written last and not used yet; 0: none.
        current: The atom that the next one is bonded to; NOBODY at the start.
        free: Bonds that the current atom may still get.
        n_atoms: Atoms written.
        depth: Atoms that wait for their branch to end.
        anchors: How many of these may still get a bond.
        left: Tokens that may still be written, `<eos>` included.
        stack: The atoms that wait, the outermost first; meaningless from `depth` on.
        stack_free: Bonds that each of them may still get.
        rings: The open rings.
        allowed: The tokens that may come next.
    """

    phase: Int[Tensor, " batch"]
    order: Int[Tensor, " batch"]
    current: Int[Tensor, " batch"]
    free: Int[Tensor, " batch"]
    n_atoms: Int[Tensor, " batch"]
    depth: Int[Tensor, " batch"]
    anchors: Int[Tensor, " batch"]
    left: Int[Tensor, " batch"]
    stack: Int[Tensor, "batch depth"]
    stack_free: Int[Tensor, "batch depth"]
    rings: Rings
    allowed: Bool[Tensor, "batch vocab"]


def empty(n: int, left: Int[Tensor, " batch"], n_labels: int, n_vocab: int) -> KekuleState:
    """Rows that have written nothing; `allowed` is still to be filled in."""
    device = left.device
    # A branch costs three tokens at least, `C(` and `)`, and an atom and <eos> are written besides.
    # One place more: `moved` writes there.
    deepest = (int(left.max()) - 2) // 3 + 1 if n else 1

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(n, *shape, dtype=torch.int32, device=device)

    none = [zeros(n_labels) for _ in range(6)]
    no = [zeros(n_labels).bool() for _ in range(2)]
    return KekuleState(
        phase=zeros(),
        order=zeros(),
        current=zeros() + NOBODY,
        free=zeros(),
        n_atoms=zeros(),
        depth=zeros(),
        anchors=zeros(),
        left=left.to(torch.int32),
        stack=zeros(deepest),
        stack_free=zeros(deepest),
        rings=Rings(none[0] + NOBODY, *none[1:], *no),
        allowed=torch.zeros(n, n_vocab, dtype=torch.bool, device=device),
    )


def moved(state: KekuleState, tokens: Int[Tensor, " batch"], tables: Tables) -> KekuleState:
    """The state after `tokens`, `allowed` as it was; a row ends with `<eos>` and with a forbidden token."""
    permitted = state.allowed.gather(1, tokens[:, None])[:, 0]
    kind, valence, order, label, pair = tables.tokens.index_select(0, tokens).unbind(1)
    kind = torch.where(permitted, kind, END)
    atom, bond, closes, ring = (kind == each for each in (ATOM, BOND, CLOSE, RING))
    owed, opener, spare = _ring_at(state.rings, label, ring)
    closing = owed > 0
    # An order that is stated at one end alone holds for both; a bond without one is single.
    used = torch.maximum(state.order, owed).clamp(min=1)
    extra = torch.where(closing, used - owed, 0)
    rest = state.free - torch.where(atom | ring, used, 0)

    # From `depth` on the stack is meaningless, so this may be written whether or not the atom has to wait.
    at = state.depth.long()[:, None]
    stack = state.stack.scatter(1, at, state.current[:, None])
    stack_free = state.stack_free - torch.where(state.stack == opener[:, None], extra[:, None], 0)
    stack_free = stack_free.scatter(1, at, rest[:, None])
    pushed = atom & ((state.phase == AFTER_OPEN) | (state.phase == OPEN_BOND))
    depth = state.depth + pushed.int() - closes.int()
    top = depth.long()[:, None]
    popped, popped_free = stack.gather(1, top)[:, 0], stack_free.gather(1, top)[:, 0]
    current = torch.where(atom, 4 * state.n_atoms + pair, torch.where(closes, popped, state.current))
    free = torch.where(atom, valence - torch.where(state.phase == START, 0, used), rest)

    rings, own = _rings_after(state, label, ring, opener, owed, used, rest)
    return KekuleState(
        phase=torch.where(bond, state.phase + 1, tables.phase_after.index_select(0, kind)),
        order=torch.where(bond, order, 0),
        current=current,
        free=torch.where(closes, popped_free, free),
        n_atoms=state.n_atoms + atom.int(),
        depth=depth,
        anchors=state.anchors
        + (pushed & (rest > 0)).int()
        - (closes & (popped_free > 0)).int()
        - ((extra > 0) & (spare == extra)).int(),
        left=state.left - 1,
        stack=stack,
        stack_free=stack_free,
        rings=dataclasses.replace(
            rings,
            bonded=torch.where(atom[:, None], own, rings.bonded),
            branched=(rings.branched | (own & pushed[:, None]))
            & ~(closes[:, None] & (rings.opener == current[:, None])),
        ),
        allowed=state.allowed,
    )


def _ring_at(rings: Rings, label: Tensor, ring: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the ring number that is written: order of its bond so far (0: it is opened, or none is written), opener
    (below NOBODY: none), and bonds that the opener may still get if it waits for its branch to end (else 0)."""
    at = label.long()[:, None]
    order, opener, spare, branched = (
        each.gather(1, at)[:, 0] for each in (rings.order, rings.opener, rings.spare, rings.branched)
    )
    closing = ring & (order > 0)
    return torch.where(closing, order, 0), torch.where(closing, opener, NOBODY - 1), torch.where(branched, spare, 0)


def _rings_after(
    state: KekuleState, label: Tensor, ring: Tensor, opener: Tensor, owed: Tensor, used: Tensor, rest: Tensor
) -> tuple[Rings, Bool[Tensor, "batch rings"]]:
    """The open rings after a token, and which of them belong to the atom that was the current one."""
    rings, closing = state.rings, owed > 0
    chosen = ring[:, None] & (label[:, None] == torch.arange(rings.order.shape[1], device=label.device))
    same = rings.opener == opener[:, None]
    openers = torch.where(chosen, torch.where(closing, NOBODY, state.current)[:, None], rings.opener)
    order = torch.where(chosen, torch.where(closing, 0, used)[:, None], rings.order)
    is_open = order > 0
    own = is_open & (openers == state.current[:, None])
    singles = (own & (order == 1)).sum(1, keepdim=True, dtype=torch.int32)
    doubles = (own & (order == 2)).sum(1, keepdim=True, dtype=torch.int32)
    extra = (used - owed)[:, None]
    return (
        Rings(
            opener=openers,
            order=order,
            stated=torch.where(chosen, torch.where(closing, 0, state.order)[:, None], rings.stated),
            singles=torch.where(own, singles, rings.singles - (same & (owed == 1)[:, None]).int()) * is_open,
            doubles=torch.where(own, doubles, rings.doubles - (same & (owed == 2)[:, None]).int()) * is_open,
            spare=torch.where(own, rest[:, None], rings.spare - torch.where(same, extra, 0)),
            bonded=rings.bonded | same,
            branched=rings.branched & ~chosen,
        ),
        own,
    )
