"""Reading tokens with a set of stacks a row, all that the prefix leaves possible: any context-free grammar."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.constraints.stack_tables import AT_EOS, StackTables, stack_tables
from freerun.errors import UsageError
from freerun.grammars.pushdown import Pushdown
from freerun.rows import Rows

MOST_ENTRIES = 1 << 31  # 8 GB of stacks
HASH = 6364136223846793005  # an odd multiplier: the hash of a stack is a polynomial in it, modulo 2^64


@dataclasses.dataclass(frozen=True)
class StacksState(Rows):
    """What may still be due: the axis of stacks is as long as some row needs, to a power of two.

    Args:
        stack: Bottom first, symbol 0 the bottom; 0 from `height` on.
        height: 0: there is no such stack. A row without stacks has ended, or broken the rule.
        need: Fewest tokens that finish all of a stack.
        left: Tokens that may still be written.
    """

    stack: Int[Tensor, "batch stacks depth"]
    height: Int[Tensor, "batch stacks"]
    need: Int[Tensor, "batch stacks"]
    left: Int[Tensor, " batch"]

    def put(self, rows: Tensor, other: Rows) -> None:
        """As in `Rows`; the axis of stacks grows where the new rows have more of them."""
        assert isinstance(other, StacksState)
        n_stacks = max(self.height.shape[1], other.height.shape[1])
        grown = self.widened(n_stacks)
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, getattr(grown, field.name))
        Rows.put(self, rows, other.widened(n_stacks))

    def widened(self, n_stacks: int) -> "StacksState":
        """With places for more stacks."""
        n = n_stacks - self.height.shape[1]
        if n == 0:
            return self
        pad = torch.nn.functional.pad
        return StacksState(pad(self.stack, (0, 0, 0, n)), pad(self.height, (0, n)), pad(self.need, (0, n)), self.left)


@dataclasses.dataclass(frozen=True)
class ManyStacks:
    """For every machine; what is no longer possible, or no longer fits, is dropped, and equal stacks are one."""

    machine: Pushdown
    n_vocab: int

    def start(self, left: Int[Tensor, " batch"], most: int) -> StacksState:
        """The state of empty sequences of at most `most` tokens: a token makes a stack higher by one at most."""
        start = self.machine.start
        stack = torch.zeros(len(left), 1, most + 2, dtype=torch.int32, device=left.device)
        stack[:, 0, 1 : 1 + len(start)] = stack.new_tensor(start)
        need = sum(int(self.machine.need[symbol]) for symbol in start)
        column = left[:, None]
        return StacksState(stack, torch.full_like(column, 1 + len(start)), torch.full_like(column, need), left)

    def allowed(self, state: StacksState) -> Bool[Tensor, "batch vocab"]:
        tables = self._tables(state)
        row, stack, height, need = _present(state)
        spare = (state.left[row] - need - 2)[:, None]
        at = height - 1
        top = _symbol(stack, at)
        readable = tables.extra[top] <= spare
        may_pop = tables.nullable[top]
        while may_pop.any():
            at = at - may_pop.long()
            top = _symbol(stack, at)
            readable |= tables.extra[top] <= spare
            may_pop &= tables.nullable[top]
        n_readers = torch.zeros(len(state), tables.n_columns, dtype=torch.int32, device=row.device)
        columns = n_readers.index_add_(0, row, readable.int()) > 0
        columns[:, PAD] = True
        columns[row, PAD] = False
        columns[row[need == 0], AT_EOS] = True
        return columns.index_select(1, tables.column_of)

    def advance(self, state: StacksState, tokens: Int[Tensor, " batch"]) -> StacksState:
        tables = self._tables(state)
        row, stack, height, need = self._read(tables, state, tokens)
        n, depth = len(tokens), stack.shape[1]
        # Equal stacks of a row stand side by side once sorted by hash, then by row.
        powers = torch.full((depth,), HASH, device=row.device).cumprod(0)
        order = (stack * powers).sum(1).argsort()
        order = order[row[order].argsort(stable=True)]
        row, stack, height, need = row[order], stack[order], height[order], need[order]
        is_new = torch.ones_like(row, dtype=torch.bool)
        is_new[1:] = (row[1:] != row[:-1]) | (stack[1:] != stack[:-1]).any(1)
        row, stack, height, need = row[is_new], stack[is_new], height[is_new], need[is_new]
        count = row.bincount(minlength=n)
        place = torch.arange(len(row), device=row.device) - (count.cumsum(0) - count)[row]
        n_stacks = 1 << max(0, int(count.max()) - 1).bit_length() if len(row) else 1
        if n * n_stacks * depth > MOST_ENTRIES:
            raise UsageError(
                f"a prefix can be read in {int(count.max())} ways, too many for a batch of {n}: this grammar is too "
                "ambiguous over these tokens; write it with fewer ways to one string, or lower the maximum length"
            )
        new = StacksState(
            stack=stack.new_zeros(n, n_stacks, depth),
            height=height.new_zeros(n, n_stacks),
            need=need.new_zeros(n, n_stacks),
            left=state.left - 1,
        )
        new.stack[row, place], new.height[row, place], new.need[row, place] = stack, height, need
        return new

    def _read(
        self, tables: StackTables, state: StacksState, tokens: Int[Tensor, " batch"]
    ) -> tuple[Int[Tensor, " found"], Int[Tensor, "found depth"], Int[Tensor, " found"], Int[Tensor, " found"]]:
        """Every stack that the tokens may leave, within the budget: its row, itself, its height and its need."""
        row, stack, height, need = _present(state)
        column = tables.column_of[tokens][row]
        spare = (state.left[row] - need - 2)[:, None]
        at = height - 1
        reading = torch.ones_like(row, dtype=torch.bool)
        found = []
        while True:
            top = _symbol(stack, at)
            outcome = tables.outcome[top * tables.n_columns + column]
            extra = tables.effect[outcome, 3] - tables.need[top][:, None]
            which, way = ((extra <= spare) & reading[:, None]).nonzero(as_tuple=True)
            found.append((which, at[which], outcome[which, way], extra[which, way]))
            reading = reading & tables.nullable[top]
            if not reading.any():
                break
            at = at - reading.long()
        which, at, outcome, extra = (torch.cat(parts) for parts in zip(*found, strict=True))
        effect = tables.effect[outcome]
        height = at + effect[:, 2]
        stack = stack[which].scatter(1, torch.stack([at, at + 1], 1), effect[:, :2].to(stack.dtype))
        stack *= torch.arange(stack.shape[1], device=stack.device) < height[:, None]
        return row[which], stack, height, need[which] + extra

    def _tables(self, state: StacksState) -> StackTables:
        return stack_tables(self.machine, self.n_vocab, state.stack.device)


def _present(
    state: StacksState,
) -> tuple[Int[Tensor, " there"], Int[Tensor, "there depth"], Int[Tensor, " there"], Int[Tensor, " there"]]:
    """The stacks of all rows, without the empty places: their rows, themselves, heights and needs."""
    row, place = (state.height > 0).nonzero(as_tuple=True)
    return row, state.stack[row, place], state.height[row, place], state.need[row, place]


def _symbol(stack: Int[Tensor, "there depth"], at: Int[Tensor, " there"]) -> Int[Tensor, " there"]:
    return stack.gather(1, at[:, None])[:, 0].long()
