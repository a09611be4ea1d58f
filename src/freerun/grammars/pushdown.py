"""A pushdown machine that reads tokens: stacks of symbols, each of which stands for a finite set of strings.

The strings that may follow a prefix are the product of the sets on the stack. Reading a token replaces the top set Z by
its derivative, after popping those sets on top that may be empty and cannot read the token. The derivative is kept as a
product too: where a string X w of Z reads a token by X, what becomes of X is pushed on top of the tails w. So a
grammar whose next step is determined by its next token runs with one stack, as do many that are not LL(1):

- alternatives that read the same token are one set, told apart later;
- where "on with X" and "X is over, w begins" can both read a token, X w is not cut in two but kept whole (`glued`).

Both can grow without end where the language is not deterministic. Then the machine is built again with small sets: a
token may have several outcomes, and the reader follows a set of stacks. If these grow too, each set is one string: of
these there are finitely many. The language is the same.
"""

import dataclasses

import numpy as np
from jaxtyping import Int

from freerun.grammars.derivatives import Glued, Pushed, Strings, TooWide, Width, narrow_steps, need_of, wide_steps
from freerun.grammars.left_corner import NEVER, LeftCorner
from freerun.grammars.over_tokens import TokenGrammar

WIDTHS = (Width(256, 24, 40_000, is_strict=True), Width(8, 6, 5_000, is_strict=False))  # tried in this order
MOST_OUTCOMES = 300_000  # of any machine: half a minute, and tables of a gigabyte


@dataclasses.dataclass(frozen=True, eq=False)
class Pushdown:
    """Tables over stack symbols, token classes and outcomes. Symbol 0 is the bottom; outcome 0 is "cannot be read".

    Args:
        start: The stack before the first token: a symbol, or none where only the empty string is in the language.
        need: Fewest tokens that finish each symbol; 0: it may be popped unread.
        outcome: What may come of each symbol by each token class, filled up with 0.
        pushed: The two symbols that an outcome pushes in place of the top, bottom first; 0 where it pushes fewer.
        n_pushed: How many it pushes.
        need_after: Fewest tokens that finish what it pushes.
        of_token: Class of each token that can be written.
        is_deterministic: One stack is enough: never do two symbols on a stack read the same token.
    """

    start: tuple[int, ...]
    need: Int[np.ndarray, " symbols"]
    outcome: Int[np.ndarray, "symbols classes ways"]
    pushed: Int[np.ndarray, "outcomes 2"]
    n_pushed: Int[np.ndarray, " outcomes"]
    need_after: Int[np.ndarray, " outcomes"]
    of_token: dict[int, int]
    is_deterministic: bool


def pushdown(grammar: TokenGrammar, *, wide: bool = True) -> Pushdown:
    """The machine of a grammar over tokens, with one stack where that is possible.

    Args:
        wide: False: every set is one string.

    Raises:
        ValueError: If the tables would not fit into memory.
    """
    corner = LeftCorner(grammar)
    for width in WIDTHS if wide else ():
        glued: Glued = set()
        try:
            while True:
                machine = _explored(corner, glued, width)
                new = _conflicts(machine) - glued
                if not new:
                    return _tables(corner, machine)
                glued |= new
        except TooWide:
            continue
    return _tables(corner, _explored(corner, set(), None))


@dataclasses.dataclass(frozen=True)
class _Machine:
    """Outcomes of each set by each token class, with all sets that can come to stand on a stack."""

    start: Pushed
    steps: dict[Strings, dict[int, tuple[Pushed, ...]]]
    is_nullable: dict[Strings, bool]


def _explored(corner: LeftCorner, glued: Glued, width: Width | None) -> _Machine:
    """Every set that can come to stand on a stack; one string each where there is no width."""
    starts: Pushed = () if corner.start == () else (frozenset({corner.start}),)
    steps: dict[Strings, dict[int, tuple[Pushed, ...]]] = {}
    waiting = list(starts)
    n_strings = n_outcomes = 0
    while waiting:
        top = waiting.pop()
        if top in steps:
            continue
        steps[top] = wide_steps(corner, top, glued, width) if width else narrow_steps(corner, top)
        n_strings += len(top)
        n_outcomes += sum(map(len, steps[top].values()))
        if width and n_strings > width.in_all:
            raise TooWide
        if n_outcomes > MOST_OUTCOMES:
            raise ValueError(
                f"this grammar over these tokens has more than {MOST_OUTCOMES:,} moves: tokens that reach over several "
                "of its symbols multiply them; write it in characters, or in tokens that are symbols of the grammar"
            )
        waiting += [new for ways in steps[top].values() for way in ways for new in way if new not in steps]
    return _Machine(starts, steps, {top: need_of(corner, top) == 0 for top in steps})


def _conflicts(machine: _Machine) -> Glued:
    """The cuts (on, rest) at which some token could go on above the cut and begin what is below."""
    first = {top: frozenset(step) for top, step in machine.steps.items()}
    goes_on = _goes_on(machine)
    found = set()
    for step in machine.steps.values():
        for ways in step.values():
            for way in ways:
                if len(way) == 2 and goes_on[way[1]] & first[way[0]]:
                    found.add((way[1], way[0]))
    return found


def _goes_on(machine: _Machine) -> dict[Strings, frozenset[int]]:
    """Token classes that may come where the strings of a set could have ended: the least fixpoint."""
    goes_on = {top: frozenset(step) if machine.is_nullable[top] else frozenset() for top, step in machine.steps.items()}
    changed = True
    while changed:
        changed = False
        for top, step in machine.steps.items():
            new = set(goes_on[top])
            for ways in step.values():
                for way in ways:
                    if way:
                        new |= goes_on[way[0]]
                    if len(way) == 2 and machine.is_nullable[way[0]]:
                        new |= goes_on[way[1]]
            if len(new) > len(goes_on[top]):
                goes_on[top], changed = frozenset(new), True
    return goes_on


def _tables(corner: LeftCorner, machine: _Machine) -> Pushdown:
    number = {top: i for i, top in enumerate(machine.steps, 1)}
    outcomes: dict[Pushed | None, int] = {None: 0}
    n_ways = max((len(ways) for step in machine.steps.values() for ways in step.values()), default=1)
    outcome = np.zeros((len(number) + 1, len(corner.classes), n_ways), dtype=np.int64)
    for top, step in machine.steps.items():
        for token_class, ways in step.items():
            for i, way in enumerate(ways):
                outcome[number[top], token_class, i] = outcomes.setdefault(way, len(outcomes))
    need = np.array([NEVER] + [need_of(corner, top) for top in machine.steps], dtype=np.int64)
    pushed = np.zeros((len(outcomes), 2), dtype=np.int64)
    for way, i in outcomes.items():
        pushed[i, : len(way or ())] = [number[strings] for strings in way or ()]
    n_pushed = (pushed > 0).sum(1)
    need_after = np.where(pushed > 0, need[pushed], 0).sum(1)
    need_after[0] = NEVER
    return Pushdown(
        start=tuple(number[top] for top in machine.start),
        need=need,
        outcome=outcome,
        pushed=pushed,
        n_pushed=n_pushed,
        need_after=need_after,
        of_token=corner.classes.of_token,
        is_deterministic=n_ways == 1 and not _conflicts(machine),
    )
