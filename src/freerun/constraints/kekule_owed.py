"""How many atoms a prefix of a SMILES in Kekule form still owes: those without which its open rings cannot close."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.kekule_tables import NEVER, Tables


@dataclasses.dataclass(frozen=True)
class Site:
    """The current atom of a prefix, and what is open; tensors whose shapes broadcast.

    Args:
        free: Bonds that the atom may still get; below 0: there is no such prefix.
        singles: Open rings of order 1.
        doubles: Open rings of order 2.
        near_singles: Openers of a single ring that the atom may close: other atoms, not bonded to it.
        near_doubles: Such openers with double rings only.
        all_near: The atom may close each open ring, one after the other, if it has the bonds.
        own: Open rings that the atom opened itself.
        own_singles: Those of order 1.
        anchors: Atoms that wait for their branch to end and may still get a bond.
        clean: How many of these opened no ring that is still open.
        cleanable: One of the others opened one only, of order 1, and the atom may close it.
        alike: Most single rings of one opener.
        top: How many openers have that many.
        top_near: Each of these is near.
        all_differ: No atom opened two rings.
    """

    free: Int[Tensor, "..."]
    singles: Int[Tensor, "..."]
    doubles: Int[Tensor, "..."]
    near_singles: Int[Tensor, "..."]
    near_doubles: Int[Tensor, "..."]
    all_near: Bool[Tensor, "..."]
    own: Int[Tensor, "..."]
    own_singles: Int[Tensor, "..."]
    anchors: Int[Tensor, "..."]
    clean: Int[Tensor, "..."]
    cleanable: Bool[Tensor, "..."]
    alike: Int[Tensor, "..."]
    top: Int[Tensor, "..."]
    top_near: Bool[Tensor, "..."]
    all_differ: Bool[Tensor, "..."]


def atoms_owed(site: Site, tables: Tables) -> Int[Tensor, "..."]:
    """The fewest further atoms, NEVER or more where no completion is known.

    Three ways, the best of which counts: the current atom closes all rings; it closes some, keeps a bond, and a chain
    of new atoms that begins there closes the others; it closes some, and the chain begins at an atom that waits for
    its branch to end. A chain that begins at the opener of a ring needs an atom more, for its first cannot close it.
    """
    own = site.own > 0
    # Closing a ring of each top opener here leaves each one ring less.
    alike, eased = site.alike, (site.alike - site.top_near.int()).clamp(min=0)
    start = tables.entry(site.singles, site.doubles, site.all_differ)
    rounds = [each + (own & (site.own_singles >= each)).int() for each in (alike, eased)]
    ahead = _by_chain(site, site.free - 1, [start + tables.entry_more(each, own) for each in rounds], None, tables)
    starts = [start + tables.entry_more(each, False) for each in (alike, eased)]
    aside = _by_chain(site, site.free, starts, site.clean <= 0, tables)
    owed = torch.minimum(ahead.masked_fill(site.free <= 0, NEVER), aside.masked_fill(site.anchors <= 0, NEVER))
    return owed.masked_fill(site.all_near & (site.singles + 2 * site.doubles <= site.free), 0)


def _by_chain(
    site: Site, bonds: Tensor, starts: list[Tensor], at_opener: Tensor | None, tables: Tables
) -> Int[Tensor, "..."]:
    """Atoms of the chain after the current atom has closed as many rings as it can with so many bonds.

    Args:
        starts: The entry of the table before that; the same for top openers that have one ring less.
        at_opener: No atom that waits is fit to begin the chain as things are; None: the current atom begins it.
    """
    bonds = bonds.clamp(min=0)
    n_singles = torch.minimum(bonds, site.near_singles)
    n_doubles = torch.minimum((bonds - n_singles) >> 1, site.near_doubles)
    entry = torch.where(site.top <= n_singles, starts[1], starts[0])
    entry = entry.sub(n_singles, alpha=tables.n_labels + 1).sub(n_doubles)
    if at_opener is not None:
        # Closing its ring makes an opener fit to begin the chain; the rings of the top openers are closed besides.
        besides = torch.where(site.alike > 1, site.top, 0)
        at_opener = at_opener & ~(site.cleanable & (n_singles > besides))
        entry = entry + at_opener * tables.entry_of_opener
    return tables.fewest.index_select(0, entry.flatten()).view(entry.shape)
