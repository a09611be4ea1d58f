"""What a critic and its generator descend.

    standard       L_D = 1/2 E softplus(-D(x)) + 1/2 E softplus(D(y)),   L_G = E softplus(-D(y))          (1)
    relativistic   L_D = E softplus(D(y) - D(x)),   L_G = E softplus(D(x) - D(y))                         (2)
    wasserstein    L_D = E D(y) - E D(x),   L_G = - E D(y)                                                (3)
    penalty        E (|dD(u x + (1 - u) y)| - 1)^2,   u uniform, one a sequence                           (4)

x is real, y drawn; softplus(d) = log(1 + e^d). (1) is that of Goodfellow et al. 2014, arXiv:1406.2661, with the loss of
the generator that does not saturate; (2) that of Jolicoeur-Martineau 2018, arXiv:1807.00734, pairs by their place in
the batch; (3) that of Arjovsky et al. 2017, arXiv:1701.07875, whose D must be Lipschitz: by (4), or by spectral
normalisation; (4) that of Gulrajani et al. 2017, arXiv:1704.00028, where a row between a token and `<pad>` counts as
written, and one that is `<pad>` in both is none.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.models.sequence_critic import MeanOfStates, SequenceCritic

Loss = Literal["standard", "relativistic", "wasserstein"]


def critic_loss(kind: Loss, real: Float[Tensor, " batch"], fake: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """L_D, of the critic's logits."""
    match kind:
        case "standard":
            return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        case "relativistic":
            return F.softplus(fake - real).mean()
        case "wasserstein":
            return fake.mean() - real.mean()


def generator_loss(kind: Loss, real: Float[Tensor, " batch"], fake: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """L_G."""
    match kind:
        case "standard":
            return F.softplus(-fake).mean()
        case "relativistic":
            return F.softplus(real - fake).mean()
        case "wasserstein":
            return -fake.mean()


def accuracy(kind: Loss, real: Float[Tensor, " reals"], fake: Float[Tensor, " fakes"]) -> Float[Tensor, ""]:
    """Share of logits on the right side of 0; where 0 means nothing, of all pairs in the right order."""
    if kind == "standard":
        return ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2
    return (real[:, None] > fake).float().mean()


def interpolated(
    real: Int[Tensor, "batch time"], probs: Float[Tensor, "batch wide vocab"], u: Float[Tensor, "batch 1 1"]
) -> Float[Tensor, "batch longest vocab"]:
    """u x + (1 - u) y of (4), as wide as the wider of the two."""
    width = max(real.shape[1], probs.shape[1])
    x = F.one_hot(F.pad(real, (0, width - real.shape[1]), value=PAD), probs.shape[2]).to(probs)
    padding = x.new_zeros(len(x), width - probs.shape[1], x.shape[2])
    padding[..., PAD] = 1
    return torch.lerp(torch.cat([probs.detach(), padding], 1), x, u)


def gradient_penalty(critic: SequenceCritic, x: Float[Tensor, "batch time vocab"]) -> Float[Tensor, ""]:
    """(4) at given interpolates."""
    x = x.detach().requires_grad_()
    # A recurrent layer of cuDNN has no second gradient.
    with torch.backends.cudnn.flags(enabled=not isinstance(critic.reader, MeanOfStates)):
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
