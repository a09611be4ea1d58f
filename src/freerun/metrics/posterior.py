"""What the codes of a latent model say of the strings, and how probable the strings are: what the ELBO alone hides.

    log w_k = log p(x|z_k) + log p(z_k) - log q(z_k|x),   z_k ~ q(z|x) = N(mean, exp(log_var)),   p(z) = N(0, I)
    -ELBO(x) = - E log w  >=  NLL_K(x) = - log 1/K sum_k w_k  >=  - log p(x)                                        (1)
    I(x; z) = E_x E_q(z|x) [log q(z|x) - log q(z)],   q(z) = 1/N sum_j q(z|x_j)                                      (2)
    E_x KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z))                                                              (3)

(1) is the importance-weighted bound: it falls towards -log p(x) as K grows. A model whose codes say nothing has an
I(x; z) of 0, whatever its ELBO; of N strings it is at most ln N.

Sources: Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, eq. (8), for (1); Hoffman & Johnson 2016, "ELBO surgery",
for (2) and (3).

An encoder that draws nothing (log_var = -inf) has no density: none of these is defined of it, and it is refused.
"""

import math

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from freerun.constraints.base import AbstractConstraint
from freerun.models.generator import AbstractGenerator
from freerun.noise import normal
from freerun.sampling.likelihood import n_tokens, token_log_prob

N_VALUES = 1 << 24  # that one piece may hold at once
LN_2_PI = math.log(2 * math.pi)


@torch.no_grad()
def log_weights(
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    budget: int,
    tokens: Int[Tensor, "batch time"],
    mean: Float[Tensor, "batch latent"],
    log_var: Float[Tensor, "batch latent"],
    condition: Float[Tensor, "batch condition"],
    *,
    n_samples: int,
    seed: int = 0,
) -> Float64[Tensor, "batch samples"]:
    """log w_k of (1), in nats. Sample k of row i is a function of (seed, i, k), whatever stands beside it.

    The masks are those of training. Strings of a length go through the generator together, in pieces of bounded memory.

    Args:
        budget: Most tokens of a sequence in training, `<eos>` included.
        tokens: Ids, `<eos>`, then `<pad>`.
        mean, log_var: Of the posteriors q(z|x).
        condition: What follows z in the generator's context; of width 0 where there is nothing.
        n_samples: Codes of each sequence, K.

    Returns:
        -inf in the rows of sequences that the constraint forbids.

    Raises:
        ValueError: If `n_samples` < 1, or a posterior has no density.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples = {n_samples} must be at least 1")
    _check(mean, log_var)
    generator, d_latent = generator.eval().frozen(), mean.shape[1]
    lengths = n_tokens(tokens)
    result = torch.zeros(len(tokens), n_samples, dtype=torch.float64, device=tokens.device)
    order = lengths.argsort(stable=True)
    for block in order.split(max(1, 2 * N_VALUES // (tokens.shape[1] * generator.n_vocab))):
        width = int(lengths[block].max())
        allowed = constraint.replay(tokens[block, :width], budget)  # once a sequence, for all its samples
        n_rows = max(1, N_VALUES // (width * (6 * generator.d_hidden + 2 * generator.n_vocab)))
        for pair in torch.arange(len(block) * n_samples, device=tokens.device).split(n_rows):
            place, k = pair // n_samples, pair % n_samples
            row = block[place]
            eps = normal(seed, row * n_samples + k, d_latent).double()
            z = mean[row].double() + (log_var[row].double() / 2).exp() * eps
            logits, _ = generator(tokens[row, :width], torch.cat([z.to(mean.dtype), condition[row]], 1))
            log_p = token_log_prob(logits, tokens[row, :width], allowed[place]).double().sum(1)
            log_ratio = (eps.square() + log_var[row].double() - z.square()).sum(1) / 2  # log p(z) - log q(z|x)
            result[row, k] = log_p + log_ratio
    return result


def importance_weighted_nll(log_w: Float64[Tensor, "batch samples"]) -> Float64[Tensor, " batch"]:
    """NLL_K of each sequence in nats (1), where K is the number of samples; inf for what the constraint forbids."""
    return math.log(log_w.shape[1]) - log_w.logsumexp(1)


def neg_elbo(log_w: Float64[Tensor, "batch samples"]) -> Float64[Tensor, " batch"]:
    """-ELBO of each sequence in nats (1), in the mean of the same samples."""
    return -log_w.mean(1)


def mutual_information(mean: Float[Tensor, "batch latent"], log_var: Float[Tensor, "batch latent"], seed: int) -> float:
    """I(x; z) in nats (2), with one z a string and q(z) the mixture over these strings themselves.

    At most ln N, which is reached where no two posteriors overlap: above it the strings are too few to tell.

    Raises:
        ValueError: If there is no string, or a posterior has no density.
    """
    if not len(mean):
        raise ValueError("the information of no string is not defined; give at least one")
    _check(mean, log_var)
    n, d_latent = mean.shape
    device = mean.device
    eps = normal(seed, torch.arange(n, device=device), d_latent).double()
    centred, log_var = mean.double() - mean.double().mean(0), log_var.double()
    z = centred + (log_var / 2).exp() * eps
    own = -(eps.square() + log_var + LN_2_PI).sum(1) / 2  # log q(z_i | x_i)
    precision = (-log_var).exp()
    scaled, constant = centred * precision, (log_var + LN_2_PI + centred.square() * precision).sum(1)
    marginal = []
    for rows in torch.arange(n, device=device).split(max(1, N_VALUES // n)):
        # log q(z_i | x_j) by the binomial formula, as two matrix products; its rounding matters at j = i alone
        log_q = z[rows] @ scaled.T - (z[rows].square() @ precision.T + constant) / 2
        log_q[torch.arange(len(rows), device=device), rows] = own[rows]
        marginal.append(log_q.logsumexp(1) - math.log(n))
    return float((own - torch.cat(marginal)).mean())


def principal_plane(
    means: Float[np.ndarray, "strings latent"],
) -> tuple[Float[np.ndarray, "strings 2"], Float[np.ndarray, " 2"]]:
    """The codes in the plane of their two widest directions (PCA), and the shares of the variance along these.

    Each direction points to where its largest entry is positive, so the same codes give the same picture.
    """
    centred = means.astype(np.float64) - means.mean(0, dtype=np.float64)
    if means.shape[1] == 1:
        centred = np.concatenate([centred, np.zeros_like(centred)], 1)
    _, values, directions = np.linalg.svd(centred.T @ centred)
    plane = directions[:2].copy()
    plane *= np.sign(plane[[0, 1], np.abs(plane).argmax(1)])[:, None]
    total = values.sum()
    return centred @ plane.T, values[:2] / total if total > 0 else np.zeros(2)


def _check(mean: Tensor, log_var: Tensor) -> None:
    if not (mean.isfinite().all() and log_var.isfinite().all()):
        raise ValueError("a posterior of no variance (log_var = -inf), or one that is not finite, has no density")
