import pytest
import torch
from torch import nn

from freerun.models.behaviour_critic import BehaviourCritic, BehaviourShape

LENGTHS = torch.tensor([5, 2, 1])


def build(widths: tuple[int, ...] = (6, 4)) -> BehaviourCritic:
    torch.manual_seed(0)
    return BehaviourShape(d_hidden=3, widths=widths).build(7).double()


def behaviours() -> torch.Tensor:
    return torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_each_sequence_is_judged_as_if_it_stood_alone():
    critic, x = build(), behaviours()
    for row, length, logit in zip(x, LENGTHS.tolist(), critic(x, LENGTHS), strict=True):
        states, _ = critic.reader.layers(row[None, :length])
        torch.testing.assert_close(logit, critic.layers(states.mean(1))[0, 0])


def test_what_lies_beyond_the_end_has_neither_value_nor_gradient():
    critic, x = build(), behaviours()
    wide = torch.cat([x, torch.full((3, 4, 7), 9.0).double()], 1)
    wide[1, 2:], wide[2, 1:] = 5.0, -5.0
    wide.requires_grad_()
    logits = critic(wide, LENGTHS)
    torch.testing.assert_close(logits, critic(x, LENGTHS))
    (gradient,) = torch.autograd.grad(logits.sum(), wide)
    beyond = torch.arange(9) >= LENGTHS[:, None]
    assert (gradient[beyond] == 0).all()
    assert (gradient[~beyond] != 0).any(-1).all()


def test_it_has_three_layers_unless_told_otherwise():
    n_linear = [sum(isinstance(layer, nn.Linear) for layer in build(widths).layers) for widths in [(6, 4), ()]]
    assert n_linear == [3, 1]


def test_a_layer_without_width_is_refused():
    with pytest.raises(ValueError, match=r"widths \(8, 0\) must be at least 1"):
        BehaviourShape(widths=(8, 0))
