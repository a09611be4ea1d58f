import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freerun.constraints.base import EOS, PAD
from freerun.models.sequence_critic import CriticShape, MaxOverTime, MeanOfStates, SequenceCritic

SMALL = {
    "convolutional": CriticShape(d_embedding=3, widths=(1, 2, 5), filters=(4, 3, 2), dropout=0.0),
    "recurrent": CriticShape(kind="recurrent", d_embedding=3, d_hidden=5, dropout=0.0),
}
KINDS = pytest.mark.parametrize("kind", SMALL)
TOKENS = torch.tensor([[4, 5, 6, 7, 4, 6, EOS], [5, 5, EOS, PAD, PAD, PAD, PAD], [EOS] + [PAD] * 6])


def build(kind: str, **changes) -> SequenceCritic:
    torch.manual_seed(0)
    return dataclasses.replace(SMALL[kind], **changes).build(8).double()


def one_hot(tokens: Tensor) -> Tensor:
    return F.one_hot(tokens, 8).double()


def convolved_by_hand(critic: SequenceCritic, tokens: list[int]) -> Tensor:
    """One sequence, one window and one bank at a time, in the words of the paper."""
    reader = critic.reader
    assert isinstance(reader, MaxOverTime)
    peaks = []
    for bank in reader.banks:
        assert isinstance(bank, nn.Conv2d)
        assert bank.bias is not None
        width = bank.weight.shape[-1]
        x = critic.embedding.weight[tokens]
        x = torch.cat([x, x.new_zeros(max(0, width - len(x)), x.shape[1])])
        windows = [x[i : i + width] for i in range(len(x) - width + 1)]
        c = [torch.einsum("td,fdt->f", window, bank.weight[:, :, 0]) + bank.bias for window in windows]
        peaks.append(torch.stack(c).relu().max(0).values)
    h = torch.cat(peaks)
    gate, transform = reader.gate, reader.transform
    t = torch.sigmoid(gate.weight @ h + gate.bias)
    h = t * torch.relu(transform.weight @ h + transform.bias) + (1 - t) * h
    return (critic.last.weight @ h + critic.last.bias)[0]


def test_the_convolutional_critic_is_the_papers_one_window_at_a_time():
    critic = build("convolutional")
    for row, logit in zip(TOKENS.tolist(), critic(TOKENS), strict=True):
        own = [token for token in row if token != PAD]
        torch.testing.assert_close(logit, convolved_by_hand(critic, own))


def test_the_recurrent_critic_averages_both_directions_over_the_own_steps():
    critic = build("recurrent")
    reader = critic.reader
    assert isinstance(reader, MeanOfStates)
    for row, logit in zip(TOKENS.tolist(), critic(TOKENS), strict=True):
        own = [token for token in row if token != PAD]
        states, _ = reader.layers(critic.embedding.weight[own][None])
        torch.testing.assert_close(logit, critic.last(states[0].mean(0))[0])


@KINDS
def test_one_hot_rows_give_what_ids_give(kind):
    critic = build(kind)
    torch.testing.assert_close(critic(one_hot(TOKENS)), critic(TOKENS))


@KINDS
def test_a_distribution_is_read_as_the_mean_embedding(kind):
    critic = build(kind)
    halves = (one_hot(TOKENS) + one_hot(torch.where(TOKENS > EOS, 5, TOKENS))) / 2
    mixed = build(kind)
    with torch.no_grad():  # a word that stands for the half and half of 6 and 5
        mixed.embedding.weight[3] = (critic.embedding.weight[6] + critic.embedding.weight[5]) / 2
    swapped = torch.tensor([[5, 6, 6, EOS]])
    named = torch.tensor([[5, 3, 3, EOS]])
    torch.testing.assert_close(critic((one_hot(swapped) + one_hot(torch.tensor([[5, 5, 5, EOS]]))) / 2), mixed(named))
    assert critic(halves).isfinite().all()


@KINDS
@pytest.mark.parametrize("extra", [1, 9])
def test_the_verdict_does_not_depend_on_how_far_a_batch_is_padded(kind, extra):
    critic = build(kind)
    torch.testing.assert_close(critic(F.pad(TOKENS, (0, extra), value=PAD)), critic(TOKENS))
    torch.testing.assert_close(critic(TOKENS[1:2, :3]), critic(TOKENS)[1:2])
    torch.testing.assert_close(critic(TOKENS[2:, :1]), critic(TOKENS)[2:])


@KINDS
def test_padding_has_no_gradient(kind):
    critic, x = build(kind), one_hot(TOKENS).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x)
    written = TOKENS != PAD
    assert (gradient[~written] == 0).all()
    assert (gradient[written] != 0).any(-1).all()
    critic(x.detach()).sum().backward()
    assert critic.embedding.weight.grad is not None
    assert (critic.embedding.weight.grad[PAD] == 0).all()


@KINDS
def test_the_gradient_itself_has_a_gradient(kind):
    """What a penalty on the slope of a Wasserstein critic needs."""
    critic, x = build(kind), one_hot(TOKENS).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert critic.embedding.weight.grad is not None
    assert critic.embedding.weight.grad.isfinite().all()
    assert (critic.embedding.weight.grad != 0).any()


@KINDS
def test_the_penalty_is_the_squared_norm_of_the_last_layer(kind):
    critic = build(kind, l2=0.5)
    numbers = torch.cat([critic.last.weight.flatten(), critic.last.bias])
    torch.testing.assert_close(critic.penalty(), 0.5 * numbers @ numbers)
    assert build(kind, l2=0.0).penalty() == 0


@KINDS
def test_features_are_dropped_in_training_alone(kind):
    critic = build(kind, dropout=0.5)
    torch.manual_seed(1)
    assert not torch.equal(critic(TOKENS), critic(TOKENS))
    critic.eval()
    assert torch.equal(critic(TOKENS), critic(TOKENS))


def test_spectral_norm_holds_the_largest_singular_value_of_each_layer_at_one():
    critic = build("convolutional", spectral=True)
    for _ in range(200):  # each forward pass in training is one power iteration
        critic(TOKENS)
    layers = [layer for layer in critic.modules() if isinstance(layer, nn.Embedding | nn.Linear | nn.Conv2d)]
    assert len(layers) == 7
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        torch.testing.assert_close(largest, torch.ones_like(largest), rtol=0, atol=1e-4)


def test_the_default_has_the_weights_of_the_published_critic():
    """5,000 x 64; 64 x (widths . filters) + filters; two of 1720 x 1720 + 1720; one logit for two."""
    shape = CriticShape()
    inside = sum(width * n for width, n in zip(shape.widths, shape.filters, strict=True))
    assert (inside, sum(shape.filters)) == (12500, 1720)
    n_weights = sum(weight.numel() for weight in shape.build(5000).parameters())
    assert n_weights == 5000 * 64 + 64 * 12500 + 1720 + 2 * (1720 * 1720 + 1720) + 1720 + 1


@KINDS
def test_it_learns_which_of_two_words_comes_first(kind):
    torch.manual_seed(0)
    critic = dataclasses.replace(SMALL[kind], l2=0.0).build(8)
    optimiser = torch.optim.Adam(critic.parameters(), 0.02)
    real = torch.randint(4, 8, (64, 6))
    fake = real.clone()
    real[:, 2:4], fake[:, 2:4] = torch.tensor([6, 7]), torch.tensor([7, 6])
    for _ in range(150):
        loss = F.softplus(-critic(real)).mean() + F.softplus(critic(fake)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert ((critic(real) > 0).sum() + (critic(fake) < 0).sum()) / 128 > 0.7


@pytest.mark.parametrize(
    "wrong", [{"widths": (1, 2)}, {"widths": (), "filters": ()}, {"widths": (0,), "filters": (3,)}]
)
def test_a_shape_of_no_network_is_refused(wrong):
    with pytest.raises(ValueError, match="widths"):
        CriticShape(**wrong)
