import dataclasses

import torch
from torch import Tensor

from freerun.rows import Rows, concat


@dataclasses.dataclass(frozen=True)
class Inner(Rows):
    value: Tensor


@dataclasses.dataclass(frozen=True)
class Outer(Rows):
    inner: Inner
    number: Tensor
    absent: Tensor | None = None


def outer(*numbers: float) -> Outer:
    values = torch.tensor(numbers)
    return Outer(Inner(values[:, None] * torch.ones(3)), values)


def test_indexing_reaches_nested_rows_and_leaves_none_alone():
    chosen = outer(1, 2, 3)[torch.tensor([2, 0])]
    assert chosen.number.tolist() == [3, 1]
    assert chosen.inner.value[:, 0].tolist() == [3, 1]
    assert chosen.absent is None


def test_concat_keeps_the_order():
    assert concat([outer(1), outer(2, 3)]).inner.value[:, 1].tolist() == [1, 2, 3]


def test_put_writes_rows_in_place():
    target = outer(1, 2, 3)
    target.put(torch.tensor([1]), outer(9))
    assert target.number.tolist() == [1, 9, 3]
    assert target.inner.value[:, 2].tolist() == [1, 9, 3]
