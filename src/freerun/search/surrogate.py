"""How well a Gaussian process on codes knows a score."""

import math

import numpy as np
import torch
from jaxtyping import Float64

from freerun.search.sparse_gp import fit_sparse


def gp_quality(
    z: Float64[np.ndarray, "codes latent"], y: Float64[np.ndarray, " codes"], seed: int = 0, n_inducing: int = 500
) -> tuple[float, float]:
    """How well a sparse Gaussian process on codes predicts a score: nine tenths known, one tenth held out.

    Returns:
        Mean log density of the held-out values, and the root of their mean squared error; both in units of y, so a y
        divided by its standard deviation gives those of a standardised target.
    """
    order = np.random.default_rng(seed).permutation(len(z))
    known, held_out = np.split(order, [len(z) * 9 // 10])
    codes = (z - z[known].mean(0)) / np.maximum(z[known].std(0), 1e-9)
    mean, scale = y[known].mean(), max(float(y[known].std()), 1e-12)
    gp = fit_sparse(codes[known], (y[known] - mean) / scale, n_inducing=n_inducing, seed=seed)
    predicted, variance = gp.predict(torch.from_numpy(codes[held_out]))
    total = (variance + gp.noise).numpy()
    errors = (y[held_out] - mean) / scale - predicted.numpy()
    log_density = -0.5 * (np.log(2 * math.pi * total) + errors**2 / total) - math.log(scale)
    return float(log_density.mean()), scale * float(np.sqrt(np.mean(errors**2)))
