"""Reading tokens with one stack a row."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.constraints.stack_tables import AT_EOS, StackTables, stack_tables
from freerun.grammars.left_corner import NEVER
from freerun.grammars.pushdown import Pushdown
from freerun.rows import Rows


@dataclasses.dataclass(frozen=True)
class StackState(Rows):
    """What is still due, the next on top.

    Args:
        stack: Bottom first, symbol 0 the bottom; what stands from `height` on means nothing.
        need: Fewest tokens that finish all of the stack.
        left: Tokens that may still be written.
        closed: The row has ended, or broken the rule.
    """

    stack: Int[Tensor, "batch depth"]
    height: Int[Tensor, " batch"]
    need: Int[Tensor, " batch"]
    left: Int[Tensor, " batch"]
    closed: Bool[Tensor, " batch"]


@dataclasses.dataclass(frozen=True)
class OneStack:
    """For machines that are deterministic."""

    machine: Pushdown
    n_vocab: int

    def start(self, left: Int[Tensor, " batch"], most: int) -> StackState:
        """The state of empty sequences of at most `most` tokens: a token makes a stack higher by one at most."""
        start = self.machine.start
        stack = torch.zeros(len(left), most + 2, dtype=torch.int32, device=left.device)
        stack[:, 1 : 1 + len(start)] = stack.new_tensor(start)
        need = sum(int(self.machine.need[symbol]) for symbol in start)
        closed = torch.zeros_like(left, dtype=torch.bool)
        return StackState(stack, torch.full_like(left, 1 + len(start)), torch.full_like(left, need), left, closed)

    def allowed(self, state: StackState) -> Bool[Tensor, "batch vocab"]:
        tables = self._tables(state)
        spare = _spare(state)[:, None]
        at = state.height - 1
        top = _symbol(state, at)
        columns = tables.extra.index_select(0, top) <= spare
        may_pop = tables.nullable[top]
        while may_pop.any():
            at = at - may_pop.long()
            top = _symbol(state, at)
            columns |= tables.extra.index_select(0, top) <= spare
            may_pop &= tables.nullable[top]
        columns[:, PAD] = state.closed
        columns[:, AT_EOS] = (state.need == 0) & ~state.closed
        return columns.index_select(1, tables.column_of)

    def advance(self, state: StackState, tokens: Int[Tensor, " batch"]) -> StackState:
        tables = self._tables(state)
        column = tables.column_of[tokens]
        at = state.height - 1
        cell = _symbol(state, at) * tables.n_columns + column
        while (skips := tables.skips[cell]).any():
            at = at - skips.long()
            cell = _symbol(state, at) * tables.n_columns + column
        extra = tables.extra.view(-1)[cell]
        reads = extra <= _spare(state)
        effect = tables.effect.index_select(0, tables.outcome[cell, 0])
        places = torch.stack([at, at + 1], 1)
        return StackState(
            stack=state.stack.scatter(1, places, effect[:, :2].to(state.stack.dtype)),
            height=torch.where(reads, at + effect[:, 2], state.height),
            need=torch.where(reads, state.need + extra, state.need),
            left=state.left - 1,
            closed=~reads,
        )

    def _tables(self, state: StackState) -> StackTables:
        return stack_tables(self.machine, self.n_vocab, state.stack.device)


def _symbol(state: StackState, at: Int[Tensor, " batch"]) -> Int[Tensor, " batch"]:
    return state.stack.gather(1, at[:, None])[:, 0].long()


def _spare(state: StackState) -> Int[Tensor, " batch"]:
    """Tokens beyond the cheapest way to the end, once one more is read and `<eos>` is written; none in closed rows."""
    return torch.where(state.closed, -NEVER, state.left - state.need - 2)
