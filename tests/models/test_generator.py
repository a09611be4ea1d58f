import copy

import pytest
import torch

from freerun.constraints.base import BOS
from freerun.models.generator import Generator

SHAPES = [
    {"cell": "lstm"},
    {"cell": "gru"},
    {"cell": "lstm", "n_layers": 3},
    {"cell": "gru", "n_layers": 2, "d_context": 3},
    {"cell": "lstm", "tied": True, "d_context": 2},
    {"cell": "lstm", "n_layers": 2, "d_context": 3, "context_at": "start"},
    {"cell": "gru", "d_context": 3, "context_at": "both"},
    {"cell": "lstm", "d_embedding": 0},
]
TOKENS = torch.tensor([[4, 5, 6, 2, 0], [7, 4, 4, 4, 2]])


def build(shape, dtype=torch.float32) -> Generator:
    torch.manual_seed(0)
    return Generator(8, **{"d_embedding": 5, "d_hidden": 6, **shape}, compute_dtype=dtype).eval()


def context_of(network: Generator) -> torch.Tensor | None:
    return torch.randn(2, network.d_context) if network.d_context else None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_teacher_forcing_agrees_with_repeated_steps(shape, dtype):
    network = build(shape, dtype)
    context = context_of(network)
    logits, hidden = network(TOKENS, context)
    state, token = network.start(2, context), torch.full((2,), BOS)
    for t in range(TOKENS.shape[1]):
        step, state = network.step(token, state)
        torch.testing.assert_close(step, logits[:, t], rtol=0, atol=1e-5 if dtype == torch.float32 else 4e-3)
        torch.testing.assert_close(state.h[:, -1], hidden[:, t], rtol=0, atol=1e-5 if dtype == torch.float32 else 8e-3)
        token = TOKENS[:, t]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bfloat16_products_stay_near_float32(shape):
    context = context_of(build(shape))
    exact, _ = build(shape)(TOKENS, context)
    rounded, _ = build(shape, torch.bfloat16)(TOKENS, context)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.02)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gradients_in_bfloat16_point_where_those_in_float32_do(cell):
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        network = build({"cell": cell, "n_layers": 2}, dtype)
        network(TOKENS)[0].square().mean().backward()
        gradients.append(torch.cat([w.grad.flatten() for w in network.parameters() if w.grad is not None]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.999


def test_a_one_hot_input_is_the_token():
    network = build({})
    by_id, _ = network.step(torch.tensor([4, 7]), network.start(2))
    by_distribution, _ = network.step(torch.nn.functional.one_hot(torch.tensor([4, 7]), 8).float(), network.start(2))
    torch.testing.assert_close(by_id, by_distribution)


def test_states_of_a_batch_are_those_of_its_rows():
    network = build({"n_layers": 2})
    _, state = network.step(torch.tensor([4, 7]), network.start(2))
    _, alone = network.step(torch.tensor([7]), network.start(1))
    torch.testing.assert_close(state[1:].h, alone.h)


def test_weights_changed_by_the_fused_optimiser_are_seen_in_bfloat16():
    network = build({}, torch.bfloat16)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1, fused=True)
    with torch.no_grad():
        before, _ = network(TOKENS)
    network(TOKENS)[0].sum().backward()
    optimiser.step()
    with torch.no_grad():
        after, _ = network(TOKENS)
        fresh = copy.deepcopy(network)
        torch.testing.assert_close(after, fresh(TOKENS)[0], rtol=0, atol=0)
    assert not torch.equal(before, after)


def test_a_frozen_network_gives_the_same_numbers_and_does_not_follow_later_changes():
    network = build({"n_layers": 2}, torch.bfloat16)
    frozen = network.frozen()
    with torch.no_grad():
        assert torch.equal(frozen(TOKENS)[0], network(TOKENS)[0])
        assert frozen.start(1).h.dtype == torch.float32
        network.recurrent.layers.all_weights[0][0].mul_(3)
        assert not torch.equal(frozen(TOKENS)[0], network(TOKENS)[0])


def test_a_context_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match="context of width 3, not 0"):
        build({"d_context": 3}).start(2)


def test_all_weights_begin_with_the_standard_deviation_that_is_asked_for():
    network = Generator(500, d_embedding=64, d_hidden=64, init_std=0.1)
    for name, weight in network.named_parameters():
        tolerance = 5 * 0.1 / (2 * weight.numel()) ** 0.5  # five standard errors of a standard deviation
        assert abs(float(weight.detach().std()) - 0.1) < tolerance, name
