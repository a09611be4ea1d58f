import math

import pytest
import torch

from freerun.methods.descent import Descent, Optimiser


def test_schedules_at_hand_worked_points():
    assert Descent(lr=2.0).lr_at(70, 100) == 2.0
    assert Descent(lr=2.0, n_warmup=10).lr_at(4, 100) == 1.0
    cosine = Descent(lr=2.0, schedule="cosine", n_warmup=20, lr_end=0.1)
    assert cosine.lr_at(60, 100) == pytest.approx(2.0 * (0.1 + 0.9 * 0.5))
    assert cosine.lr_at(100, 100) == pytest.approx(0.2)
    assert Descent(lr=2.0, schedule="linear").lr_at(25, 100) == pytest.approx(1.5)
    assert Descent(lr=2.0, schedule="step", every=10, factor=0.5).lr_at(35, 100) == pytest.approx(0.25)


def network() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1, bias=False)


def test_one_adam_step_is_the_closed_form():
    layer = network()
    before = layer.weight.detach().clone()
    x = torch.tensor([[1.0, -2.0, 0.5]])
    Optimiser(layer, Descent(lr=0.1, clip=0.0), 10).descend(layer(x).sum())
    # the first step of Adam is lr * g / (|g| + eps)
    torch.testing.assert_close(layer.weight.detach(), before - 0.1 * x.sign(), rtol=1e-4, atol=1e-6)


def test_clipping_bounds_the_norm_and_logs_what_it_was():
    layer = network()
    logs = Optimiser(layer, Descent(clip=0.5), 10).descend(layer(torch.full((1, 3), 4.0)).sum())
    assert logs["grad_norm"].item() == pytest.approx(4 * math.sqrt(3))
    assert layer.weight.grad is not None
    assert layer.weight.grad.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_a_gradient_that_is_not_finite_changes_no_weight():
    layer = network()
    before = layer.weight.detach().clone()
    with pytest.raises(FloatingPointError, match=r"lower its learning rate"):
        Optimiser(layer, Descent(), 10).descend((layer(torch.ones(1, 3)) * math.inf).sum())
    assert torch.equal(layer.weight, before)
