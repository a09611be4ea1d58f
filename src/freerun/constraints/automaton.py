"""Strings of a regular language: of a regular expression over what the tokens spell, or of a table over tokens."""

import dataclasses
import functools
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import EOS, PAD, SPECIALS, AbstractConstraint, budgets
from freerun.constraints.spelling import compact, spelled
from freerun.grammars.regular import NEVER, distance
from freerun.rows import Rows


@dataclasses.dataclass(frozen=True)
class AutomatonState(Rows):
    """Where in the automaton a row is (its last state, behind all others: closed), and tokens that may be written."""

    at: Int[Tensor, " batch"]
    left: Int[Tensor, " batch"]


@dataclasses.dataclass(frozen=True)
class Tables:
    """What one step looks up, on one device; the last state is the closed one.

    A state has a mask for each number of tokens from which on more is allowed, `since`; they stand together in `masks`,
    from row `first` on.
    """

    following: Int[Tensor, "states vocab"]
    since: Int[Tensor, "states changes"]
    first: Int[Tensor, " states"]
    masks: Bool[Tensor, "masks vocab"]


@dataclasses.dataclass(frozen=True)
class Automaton(AbstractConstraint[AutomatonState]):
    """Exactly the strings of a regular language that the vocabulary can spell inside the budget.

    A token is allowed where the shortest completion after it, in tokens of this vocabulary, still fits. Words of a
    text are joined by `separator` before the pattern is matched: `"the (cat|dog)( sleeps)?"` over words and `" "`.

    Args:
        vocab: Tokens, the four special ones first.
        pattern: A regular expression (see `grammars/regular.py` for what is supported) that matches whole strings.
        separator: What stands between two tokens of a decoded string.
        moves: Instead of a pattern: the state after each token, one row a state, -1 where there is none; state 0 is
            the start. Columns of the special tokens are not read.
        ends: With `moves`: which states may end a string.

    Raises:
        PatternError: If the pattern is wrong or not supported.
        ValueError: If there is neither pattern nor table, or no string of the language can be spelled in `vocab`.
    """

    vocab: tuple[str, ...]
    pattern: str = ""
    separator: str = ""
    moves: tuple[tuple[int, ...], ...] = ()
    ends: tuple[bool, ...] = ()

    def __post_init__(self):
        if bool(self.pattern) == bool(self.moves):
            raise ValueError("an automaton has either a pattern or moves: set one of them")
        if len(self.moves) != len(self.ends) or any(len(row) != len(self.vocab) for row in self.moves):
            raise ValueError(f"moves must have one row a state ({len(self.ends)}) of {len(self.vocab)} tokens each")
        assert self.distance[0] < NEVER  # compiled here, so that what is wrong is said here

    @classmethod
    def of_table(
        cls,
        vocab: tuple[str, ...],
        moves: Int[np.ndarray, "states vocab"],
        ends: Bool[np.ndarray, " states"],
    ) -> Self:
        """From arrays, as `token_moves` and `accepting` of other automata are."""
        return cls(vocab, moves=tuple(map(tuple, moves.tolist())), ends=tuple(ends.tolist()))

    @property
    def n_vocab(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return len(self.vocab)

    @property
    def token_moves(self) -> Int[np.ndarray, "states vocab"]:
        """The state after each token; -1: none. Start 0; minimal; every state lies on a way to an accepting one."""
        return self._compiled[0]

    @property
    def accepting(self) -> Bool[np.ndarray, " states"]:
        """Where a string may end."""
        return self._compiled[1]

    @functools.cached_property
    def distance(self) -> Int[np.ndarray, " states"]:
        """Fewest tokens from each state to an accepting one, `<eos>` not counted."""
        return distance(self.token_moves, self.accepting)

    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> AutomatonState:
        left = budgets(budget, n, int(self.distance[0]) + 1, device)
        return AutomatonState(torch.zeros_like(left), left)

    def allowed(self, state: AutomatonState) -> Bool[Tensor, "batch vocab"]:
        return self._tables(state.at.device).masks[self._mask_index(state)]

    def advance(self, state: AutomatonState, tokens: Int[Tensor, " batch"]) -> AutomatonState:
        tables = self._tables(state.at.device)
        following = tables.following[state.at, tokens]
        closed = len(self.accepting)
        at = torch.where(tables.masks[self._mask_index(state), tokens], following, closed)
        return AutomatonState(at, state.left - 1)

    def _mask_index(self, state: AutomatonState) -> Int[Tensor, " batch"]:
        tables = self._tables(state.at.device)
        return tables.first[state.at] + (tables.since[state.at] <= state.left.unsqueeze(1)).sum(1)

    def replay(
        self, tokens: Int[Tensor, "batch time"], budget: int | Int[Tensor, " batch"]
    ) -> Bool[Tensor, "batch time vocab"]:
        """As the base says; states are walked, and all masks are looked up at once."""
        state = self.start(len(tokens), budget, tokens.device)
        states = []
        for column in tokens.unbind(1):
            states.append(state)
            state = self.advance(state, column)
        at = torch.stack([state.at for state in states], 1).flatten()
        left = torch.stack([state.left for state in states], 1).flatten()
        return self.allowed(AutomatonState(at, left)).unflatten(0, tokens.shape)

    def _objection(self, state: AutomatonState, token: int) -> str:
        at, left, word = int(state.at[0]), int(state.left[0]), self.vocab[token]
        needed = int(self.needed[at, token])
        if needed < NEVER:
            return f"{word!r} and the shortest completion are {needed} tokens with <eos>, the budget leaves {left}"
        following = [repr(self.vocab[index]) for index in np.flatnonzero(self.token_moves[at] >= 0)]
        more = [f"{len(following) - 5} more"] if len(following) > 5 else []
        instead = ", ".join(following[:5] + more)
        if token == EOS:
            return f"the string cannot end here (what goes on: {instead})"
        return f"no string of the language goes on with {word!r} here (what does: {instead or 'the end'})"

    @functools.cached_property
    def needed(self) -> Int[np.ndarray, "states vocab"]:
        """Fewest tokens that a string takes from each state if this token is the next, it and `<eos>` counted."""
        needed = np.where(self.token_moves >= 0, self.distance[self.token_moves] + 2, NEVER)
        needed[:, EOS] = np.where(self.accepting, 1, NEVER)
        return needed

    @functools.cached_property
    def _compiled(self) -> tuple[Int[np.ndarray, "states vocab"], Bool[np.ndarray, " states"]]:
        if self.pattern:
            moves, ends = spelled(self.vocab, self.pattern, self.separator)
        else:
            moves, ends = np.array(self.moves), np.array(self.ends)
        moves[:, : len(SPECIALS)] = -1
        return compact(moves, ends, f"{self.pattern!r}" if self.pattern else "the table")

    def _tables(self, device: torch.device) -> Tables:
        if device not in self._on:
            self._on[device] = self._tabulated(device)
        return self._on[device]

    @functools.cached_property
    def _on(self) -> dict[torch.device, Tables]:
        return {}

    def _tabulated(self, device: torch.device) -> Tables:
        closed, n_vocab = len(self.accepting), len(self.vocab)
        changes = [np.unique(row[row < NEVER]) for row in self.needed]
        since = np.full((closed + 1, max(map(len, changes)) - 1), NEVER)
        masks = []
        for state, counts in enumerate(changes):
            since[state, : len(counts) - 1] = counts[1:]  # the first holds in any row that is alive
            masks.append(self.needed[state] <= counts[:, None])
        masks.append(np.arange(n_vocab)[None] == PAD)
        first = np.cumsum([0, *map(len, changes)])
        following = np.full((closed + 1, n_vocab), closed)
        following[:-1] = np.where(self.token_moves >= 0, self.token_moves, closed)
        arrays = (following, since, first, np.concatenate(masks))
        return Tables(*(torch.from_numpy(array).to(device) for array in arrays))
