"""What the variational methods share: draws from the posterior, its divergence from the prior, the weight of that.

    ELBO(y) = E_q(z|y) log p(y|z) - KL(q(z|y) || N(0, I)) <= log p(y)                                    (1)
    KL = sum_j (mean_j^2 + exp(log_var_j) - 1 - log_var_j) / 2                                          (2)

Both are sums, over tokens and over latent axes: a mean over either is another objective.

Source: Kingma & Welling 2014, arXiv:1312.6114.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.conditions import Conditions
from freerun.constraints.base import UNK
from freerun.methods.base import Latent
from freerun.metrics.posterior import mutual_information

ACTIVE = 0.01  # variance of the posterior mean above which an axis says something


def drawn(latent: Latent, rng: torch.Generator) -> Float[Tensor, "batch latent"]:
    """z = mean + exp(log_var / 2) eps, eps ~ N(0, I): the gradient passes through mean and log_var."""
    eps = torch.randn(latent.mean.shape, generator=rng, device=latent.mean.device)
    return latent.mean + torch.exp(latent.log_var / 2) * eps


def conditioned(
    z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"]
) -> Float[Tensor, "batch context"]:
    """What the generator is led by: the code, then the conditions."""
    return torch.cat([z, condition], 1)


def dropped(tokens: Int[Tensor, "batch time"], share: float, rng: torch.Generator) -> Int[Tensor, "batch time"]:
    """Word dropout (Bowman et al. 2016, arXiv:1511.06349): each token is `<unk>` with probability `share`."""
    if not share:
        return tokens
    lost = torch.rand(tokens.shape, generator=rng, device=tokens.device) < share
    return tokens.masked_fill(lost, UNK)


def hidden(
    condition: Float[Tensor, "batch condition"], conditions: Conditions, share: float, rng: torch.Generator
) -> Float[Tensor, "batch condition"]:
    """Each condition of each row is missing with probability `share`: so any part of them can be asked for later."""
    if not share or not conditions.parts:
        return condition
    kept = torch.rand(len(condition), len(conditions.parts), generator=rng, device=condition.device) >= share
    widths = torch.tensor([part.width for part in conditions.parts], device=condition.device)
    return condition * kept.repeat_interleave(widths, 1)


def kl_per_axis(latent: Latent) -> Float[Tensor, "batch latent"]:
    """(2) before the sum, in nats."""
    return (latent.mean.square() + latent.log_var.exp() - 1 - latent.log_var) / 2


def beta_at(step: int, n_steps: int, n_cycles: int, rising: float) -> float:
    """Weight of the KL, from 0 to 1: in each of `n_cycles` equal parts of the training it rises linearly over the
    share `rising`, then stays at 1.

    One cycle is the linear annealing of Bowman et al. 2016, arXiv:1511.06349; four, half of each rising, are the
    schedule of Fu et al. 2019, arXiv:1903.10145.
    """
    if rising == 0:
        return 1.0
    place = step * n_cycles / n_steps % 1.0  # of the present cycle
    return min(1.0, place / rising)


def active_units(latent: Latent) -> Float[Tensor, ""]:
    """Axes whose posterior mean varies over the batch by more than 0.01 (Burda et al. 2016, arXiv:1509.00519)."""
    return (latent.mean.var(0, correction=0) > ACTIVE).sum().float()


def information(latent: Latent) -> Float[Tensor, ""]:
    """I(x; z) of a batch in nats (`metrics/posterior.py`), its own strings standing for all: at most ln(batch)."""
    return torch.tensor(mutual_information(latent.mean.detach().float(), latent.log_var.detach().float(), 0))


def bound_measures(
    objective: Float[Tensor, ""], nll: Float[Tensor, " batch"], latent: Latent, n_tokens: Int[Tensor, " batch"]
) -> dict[str, tuple[Tensor, Tensor]]:
    """What is descended, then the negative of (1), in nats, and its two parts, as (sum, count).

    The objective stands first, for it chooses the best weights. The bound would not do: where the KL is weighed less
    than 1, the best bound belongs to early weights whose codes say nothing.

    Args:
        objective: Its sum over the batch, with the KL at its full weight.
        nll: -log p(y|z) of each sequence, at one draw of z.
        n_tokens: Of each sequence, `<eos>` included.
    """
    kl = kl_per_axis(latent).sum()
    count, n = n_tokens.sum(), torch.tensor(len(nll))
    return {
        "objective_per_token": (objective, count),
        "neg_elbo_per_token": (nll.sum() + kl, count),
        "reconstruction_nll_per_token": (nll.sum(), count),
        "kl_per_sequence": (kl, n),
        "mutual_information": (information(latent) * n, n),
        "active_units": (active_units(latent) * n, n),
    }
