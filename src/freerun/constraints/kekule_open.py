"""What is open in a prefix of a SMILES in Kekule form: its rings, counted in the ways in which the masks need them.

The batch is the last axis here: there a tensor operation is several times as fast.
"""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.kekule_state import KekuleState


@dataclasses.dataclass(frozen=True)
class Open:
    """What is open in a row: counts, and flags of each ring.

    Args:
        order, opener, stated, same_singles, spare: Of each ring, as `Rings` has them (`same_singles`: its `singles`).
        singles, doubles: Open rings of order 1 and 2.
        own: Rings that the current atom opened.
        openers: Atoms that opened a ring.
        single_openers: Atoms that opened one of order 1.
        alike, top, all_differ, clean, cleanable: As in `Site`, of a new atom.
        is_alone: No other open ring has its opener.
        is_anchor: Its opener waits for its branch to end and may get a bond.
        near: The current atom may close it: it is neither the opener nor bonded to it.
        near_singles, near_doubles, all_near, top_near: As in `Site`, of the current atom.
    """

    order: Int[Tensor, "rings batch"]
    opener: Int[Tensor, "rings batch"]
    stated: Int[Tensor, "rings batch"]
    same_singles: Int[Tensor, "rings batch"]
    spare: Int[Tensor, "rings batch"]
    singles: Int[Tensor, " batch"]
    doubles: Int[Tensor, " batch"]
    own: Int[Tensor, " batch"]
    own_singles: Int[Tensor, " batch"]
    openers: Int[Tensor, " batch"]
    single_openers: Int[Tensor, " batch"]
    alike: Int[Tensor, " batch"]
    top: Int[Tensor, " batch"]
    all_differ: Bool[Tensor, " batch"]
    clean: Int[Tensor, " batch"]
    cleanable: Int[Tensor, " batch"]
    near_singles: Int[Tensor, " batch"]
    near_doubles: Int[Tensor, " batch"]
    near_cleanable: Int[Tensor, " batch"]
    all_near: Bool[Tensor, " batch"]
    top_near: Bool[Tensor, " batch"]
    is_open: Bool[Tensor, "rings batch"]
    is_single: Bool[Tensor, "rings batch"]
    is_top: Bool[Tensor, "rings batch"]
    is_alone: Bool[Tensor, "rings batch"]
    is_anchor: Bool[Tensor, "rings batch"]
    is_cleanable: Bool[Tensor, "rings batch"]
    near: Bool[Tensor, "rings batch"]


def count(flags: Bool[Tensor, "places batch"]) -> Int[Tensor, " batch"]:
    """How many hold in each row."""
    return flags.sum(0, dtype=torch.int32)


def open_things(state: KekuleState) -> Open:
    """What is open in each row."""
    rings = state.rings
    order, opener, stated = rings.order.T.contiguous(), rings.opener.T.contiguous(), rings.stated.T.contiguous()
    singles, doubles, spare = rings.singles.T.contiguous(), rings.doubles.T.contiguous(), rings.spare.T.contiguous()
    is_open, is_single = order > 0, order == 1
    is_own = is_open & (opener == state.current)
    of_opener = singles + doubles
    alike = torch.where(is_single, singles, 0).amax(0)
    is_top = is_single & (singles == alike)
    is_anchor = is_open & rings.branched.T.contiguous() & (spare > 0)
    is_alone = of_opener == 1
    is_cleanable = is_anchor & is_alone & is_single
    near = is_open & ~is_own & ~rings.bonded.T.contiguous()
    # An opener of n rings counts 1/n in each: the sum over rings counts the openers.
    share, single_share = 1 / of_opener.clamp(min=1), 1 / singles.clamp(min=1)

    def openers(flags: Tensor, share: Tensor) -> Tensor:
        return (share * flags).sum(0).round().int()

    near_singles = openers(near & is_single, single_share)
    return Open(
        order=order,
        opener=opener,
        stated=stated,
        same_singles=singles,
        spare=spare,
        singles=count(is_single),
        doubles=count(order == 2),
        own=count(is_own),
        own_singles=count(is_own & is_single),
        openers=openers(is_open, share),
        single_openers=openers(is_single, single_share),
        alike=alike,
        top=openers(is_top, single_share),
        all_differ=~(of_opener > 1).any(0),
        clean=state.anchors - openers(is_anchor, share),
        cleanable=count(is_cleanable),
        near_singles=near_singles,
        near_doubles=openers(near, share) - near_singles,
        near_cleanable=count(is_cleanable & near),
        all_near=(near == is_open).all(0),
        top_near=~(is_top & ~near).any(0),
        is_open=is_open,
        is_single=is_single,
        is_top=is_top,
        is_alone=is_alone,
        is_anchor=is_anchor,
        is_cleanable=is_cleanable,
        near=near,
    )
