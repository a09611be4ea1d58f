"""The critic of codes: how much a code looks like a draw from the prior."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Critic(nn.Module):
    """Linear layers with exponential linear units between, and one number at the end.

    Args:
        d_latent: Width of the code.
        widths: Of the hidden layers; the default is that of MOSES (Polykovskiy et al. 2020, arXiv:1811.12823).
        d_condition: Width of the conditions that it is told beside the code; 0: none.
    """

    def __init__(self, d_latent: int, widths: Sequence[int] = (640, 256), d_condition: int = 0):
        super().__init__()
        layers: list[nn.Module] = []
        for d_in, d_out in itertools.pairwise((d_latent + d_condition, *widths)):
            layers += [nn.Linear(d_in, d_out), nn.ELU()]
        self.layers = nn.Sequential(*layers, nn.Linear((d_latent + d_condition, *widths)[-1], 1))

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"]
    ) -> Float[Tensor, " batch"]:
        """The logit of "drawn from the prior": of the best critic, log p(z) - log q(z), q being how codes lie."""
        return self.layers(torch.cat([z, condition], 1))[:, 0]
