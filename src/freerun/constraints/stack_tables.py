"""The tables of a pushdown machine as tensors, with a column for each kind of token that can be told apart."""

import dataclasses
import functools

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import EOS, PAD
from freerun.grammars.left_corner import NEVER
from freerun.grammars.pushdown import Pushdown

AT_PAD, AT_EOS, FIRST_CLASS = 0, 1, 2  # columns; the last column is for tokens that are never written


@dataclasses.dataclass(frozen=True, eq=False)
class StackTables:
    """Args:
    column_of: Column of each token.
    extra: Fewest tokens by which reading a column makes the need of the stack grow, -1 or more; NEVER: not readable.
    outcome: What may come of a symbol that reads a column, in rows symbol * columns + column; 0: nothing more.
    effect: Of each outcome: the two symbols pushed, how many they are, the need of what is pushed.
    need: Fewest tokens that finish a symbol; 0 for the bottom, which is no token's to finish.
    nullable: The symbol may be popped unread.
    skips: In a cell: it must be popped unread, for it cannot read the column.
    """

    column_of: Int[Tensor, " vocab"]
    extra: Int[Tensor, "symbols columns"]
    outcome: Int[Tensor, "cells ways"]
    effect: Int[Tensor, "outcomes 4"]
    need: Int[Tensor, " symbols"]
    nullable: Bool[Tensor, " symbols"]
    skips: Bool[Tensor, " cells"]

    @property
    def n_columns(self) -> int:
        return self.extra.shape[1]


@functools.lru_cache(maxsize=64)
def stack_tables(machine: Pushdown, n_vocab: int, device: torch.device) -> StackTables:
    n_symbols, n_classes, n_ways = machine.outcome.shape
    n_columns = FIRST_CLASS + n_classes + 1
    column_of = np.full(n_vocab, n_columns - 1)
    column_of[PAD], column_of[EOS] = AT_PAD, AT_EOS
    for token, token_class in machine.of_token.items():
        column_of[token] = FIRST_CLASS + token_class
    outcome = np.zeros((n_symbols, n_columns, n_ways), np.int64)
    outcome[:, FIRST_CLASS:-1] = machine.outcome
    readable = (outcome > 0).any(2)
    extra = np.where(readable, machine.need_after[outcome].min(2) - machine.need[:, None], NEVER)
    nullable = machine.need == 0
    tables = (
        column_of,
        extra.astype(np.int32),
        outcome.reshape(-1, n_ways),
        np.concatenate([machine.pushed, machine.n_pushed[:, None], machine.need_after[:, None]], 1),
        np.where(machine.need < NEVER, machine.need, 0),
        nullable,
        (nullable[:, None] & ~readable).ravel(),
    )
    return StackTables(*(torch.from_numpy(table).to(device) for table in tables))
