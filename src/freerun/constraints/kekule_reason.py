"""Why a token may not come next in a SMILES in Kekule form, in words."""

import dataclasses

import torch

from freerun.constraints.kekule_masks import masks
from freerun.constraints.kekule_state import (
    AFTER_ATOM,
    AFTER_CLOSE,
    AFTER_OPEN,
    ATOM_BOND,
    CLOSE_BOND,
    OPEN_BOND,
    START,
    KekuleState,
)
from freerun.constraints.kekule_tables import Tables
from freerun.constraints.kekule_tokens import ATOM, BOND, CLOSE, END, OPEN, OTHER, RING, Tokens

ANY_ATOM = {ATOM: "an atom"}
PART = ANY_ATOM | {BOND: "a bond", OPEN: "'('", CLOSE: "')'", END: "the end"}
FOLLOWS = {  # what may follow what
    START: ANY_ATOM,
    AFTER_ATOM: PART | {RING: "a ring number"},
    ATOM_BOND: ANY_ATOM | {RING: "a ring number"},
    AFTER_OPEN: ANY_ATOM | {BOND: "a bond"},
    OPEN_BOND: ANY_ATOM,
    AFTER_CLOSE: PART,
    CLOSE_BOND: ANY_ATOM,
}
SPARE_TOKENS = 100  # how far beyond the budget the tokens that are needed are counted


def objection(state: KekuleState, token: int, vocab: tuple[str, ...], tokens: Tokens, tables: Tables) -> str:
    """One clause for a word, or `<eos>`, that a state of one row forbids."""
    word, kind, phase = vocab[token], tokens.kind[token], int(state.phase)
    if kind == OTHER:
        return f"{word!r} is no token of a SMILES in Kekule form"
    if kind not in FOLLOWS[phase]:
        return f"{word!r} stands where {' or '.join(FOLLOWS[phase].values())} is expected"
    return (
        _unfinished(state, kind, tokens)
        or _ring(state, token, tokens)
        or _valence(state, token, word, tokens)
        or _budget(state, token, tables)
    )


def _unfinished(state: KekuleState, kind: int, tokens: Tokens) -> str:
    if kind == CLOSE and int(state.depth) == 0:
        return "no branch is open"
    if kind == END and int(state.depth):
        return "a branch is open"
    if kind == END:
        number = tokens.labels[int((state.rings.order[0] > 0).int().argmax())]
        return f"ring {number} is open"
    return ""


def _ring(state: KekuleState, token: int, tokens: Tokens) -> str:
    """What is wrong with a ring number, its bond aside."""
    if tokens.kind[token] != RING:
        return ""
    place, rings, order = tokens.label[token], state.rings, int(state.order)
    number, known = tokens.labels[place], int(rings.order[0, place])
    if known == 0:
        return "a ring number opens with a single or a double bond" if order > 2 else ""
    if rings.opener[0, place] == state.current[0]:
        return f"ring {number} was opened at this very atom"
    if rings.bonded[0, place]:
        return f"ring {number} was opened at an atom that this one is bonded to"
    stated = int(rings.stated[0, place])
    if stated and order and stated != order:
        return f"ring {number} was opened with another bond"
    if order - known > int(rings.spare[0, place]):
        return f"the atom that opened ring {number} has too few free valences"
    return ""


def _valence(state: KekuleState, token: int, word: str, tokens: Tokens) -> str:
    kind, bond = tokens.kind[token], int(state.order)
    if kind == ATOM and int(state.phase) != START and tokens.valence[token] < max(bond, 1):
        return f"{word} takes bonds of order {tokens.valence[token]} in all, this one needs {max(bond, 1)}"
    known = int(state.rings.order[0, tokens.label[token]]) if kind == RING else 0
    wanted = {BOND: tokens.order[token], OPEN: 1, ATOM: max(bond, 1), RING: max(bond, known, 1)}.get(kind, 0)
    if int(state.phase) != START and wanted > int(state.free):
        n = int(state.free)
        return f"the atom has {n} free valence{'' if n == 1 else 's'}, {word!r} needs {wanted}"
    return ""


def _budget(state: KekuleState, token: int, tables: Tables) -> str:
    more = torch.arange(SPARE_TOKENS, dtype=torch.int32, device=state.left.device)
    roomy = dataclasses.replace(state[torch.zeros_like(more).long()], left=state.left + more)
    fits = masks(roomy, tables)[:, token]
    if not fits.any():
        return "some bond or ring could never be completed"
    left = int(state.left)
    return f"needs {left + int(fits.int().argmax())} tokens with <eos>, {left} are left"
