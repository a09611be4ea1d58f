import torch
from torch import nn

from freerun.models.critic import Critic

NOTHING = torch.zeros(3, 0)


def linear(critic: Critic) -> list[nn.Linear]:
    return [layer for layer in critic.layers if isinstance(layer, nn.Linear)]


def build(d_latent: int = 4, widths: tuple[int, ...] = (8, 5), d_condition: int = 0) -> Critic:
    torch.manual_seed(0)
    return Critic(d_latent, widths, d_condition)


def test_it_gives_one_logit_a_code():
    assert build()(torch.randn(3, 4), NOTHING).shape == (3,)


def test_its_layers_are_linear_with_exponential_linear_units_between():
    critic, z = build(), torch.randn(3, 4)
    first, second, last = linear(critic)
    assert [type(layer) for layer in critic.layers] == [nn.Linear, nn.ELU, nn.Linear, nn.ELU, nn.Linear]
    h = nn.functional.elu(z @ first.weight.T + first.bias)
    h = nn.functional.elu(h @ second.weight.T + second.bias)
    torch.testing.assert_close(critic(z, NOTHING), (h @ last.weight.T + last.bias)[:, 0])


def test_the_default_widths_are_those_of_moses():
    assert [layer.out_features for layer in linear(Critic(128))] == [640, 256, 1]


def test_without_hidden_layers_it_is_linear():
    critic, z = build(widths=()), torch.randn(3, 4)
    (layer,) = linear(critic)
    assert len(critic.layers) == 1
    torch.testing.assert_close(critic(z, NOTHING), (z @ layer.weight.T + layer.bias)[:, 0])


def test_the_verdict_depends_on_the_condition():
    critic, z = build(d_condition=2), torch.randn(3, 4)
    here, there = critic(z, torch.zeros(3, 2)), critic(z, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    assert here[0] == there[0]
    assert (here[1:] != there[1:]).all()
