"""A sparse Gaussian process in closed form: what a few hundred inducing points know of thousands of values.

    K_nn ~ Q_nn = K_nm K_mm^-1 K_mn                                             (1)
    log p(y) >= log N(y; 0, Q_nn + s^2 I) - tr(K_nn - Q_nn) / (2 s^2)           (2)
    mean(*) = K_*m S K_mn y / s^2,  S = (K_mm + K_mn K_nm / s^2)^-1             (3)
    var(*)  = k_** - K_*m K_mm^-1 K_m* + K_*m S K_m*                            (4)

Source: Titsias 2009, "Variational learning of inducing variables in sparse Gaussian processes". Squared-exponential
kernel with a length a dimension. The inducing points are rows of the data, drawn at random, and stay; lengths, variance
and noise maximise (2). The best q(u) is in (3) and (4), so there is no stochastic gradient to wait for.
"""

import dataclasses
import math

import numpy as np
import scipy.optimize
import torch
from jaxtyping import Float64
from torch import Tensor

JITTER = 1e-6  # on the diagonal of K_mm, times the variance
LARGEST_LOG = 8.0  # hyperparameters stay within e^-8 .. e^8 of their first values


@dataclasses.dataclass(frozen=True)
class SparseGP:
    """The posterior; `with_points` adds values without fitting again.

    Args:
        inducing: The points u.
        lengths: Of the kernel.
        variance: Of the kernel.
        noise: Its variance, s^2.
        root: L with L L' = K_mm.
        inner: B = I + A A' with A = L^-1 K_mn / s.
        target: A y / s.
    """

    inducing: Float64[Tensor, "inducing latent"]
    lengths: Float64[Tensor, " latent"]
    variance: Float64[Tensor, ""]
    noise: Float64[Tensor, ""]
    root: Float64[Tensor, "inducing inducing"]
    inner: Float64[Tensor, "inducing inducing"]
    target: Float64[Tensor, " inducing"]

    @classmethod
    def conditioned(
        cls,
        z: Float64[Tensor, "codes latent"],
        y: Float64[Tensor, " codes"],
        inducing: Float64[Tensor, "inducing latent"],
        lengths: Float64[Tensor, " latent"],
        variance: Float64[Tensor, ""],
        noise: Float64[Tensor, ""],
    ) -> "SparseGP":
        own = kernel(inducing, inducing, lengths, variance)
        identity = torch.eye(len(inducing), dtype=z.dtype)
        empty = cls(
            inducing,
            lengths,
            variance,
            noise,
            torch.linalg.cholesky(own + JITTER * variance * identity),
            identity,
            torch.zeros(len(inducing), dtype=z.dtype),
        )
        return empty.with_points(z, y)

    def with_points(self, z: Float64[Tensor, "codes latent"], y: Float64[Tensor, " codes"]) -> "SparseGP":
        a = self._projected(z) / self.noise.sqrt()
        return dataclasses.replace(self, inner=self.inner + a @ a.T, target=self.target + a @ y / self.noise.sqrt())

    def predict(
        self, z: Float64[Tensor, "codes latent"]
    ) -> tuple[Float64[Tensor, " codes"], Float64[Tensor, " codes"]]:
        """Mean and variance of the function, without noise: (3), (4)."""
        root = torch.linalg.cholesky(self.inner)
        first = self._projected(z)
        second = torch.linalg.solve_triangular(root, first, upper=False)
        weights = torch.linalg.solve_triangular(root, self.target[:, None], upper=False)[:, 0]
        variance = self.variance - first.square().sum(0) + second.square().sum(0)
        return weights @ second, variance.clamp_min(1e-12)

    def bound(self, y: Float64[Tensor, " codes"]) -> Float64[Tensor, ""]:
        """The lower bound (2) of log p(y), where y are all the values that were put in."""
        n = len(y)
        root = torch.linalg.cholesky(self.inner)
        weights = torch.linalg.solve_triangular(root, self.target[:, None], upper=False)[:, 0]
        explained = self.inner.diagonal().sum() - len(self.inner)  # tr(A A')
        return (
            -0.5 * n * (math.log(2 * math.pi) + self.noise.log())
            - root.diagonal().log().sum()
            - 0.5 * (y @ y / self.noise - weights @ weights)
            - 0.5 * (n * self.variance / self.noise - explained)
        )

    def _projected(self, z: Float64[Tensor, "codes latent"]) -> Float64[Tensor, "inducing codes"]:
        """L^-1 K_m*."""
        cross = kernel(self.inducing, z, self.lengths, self.variance)
        return torch.linalg.solve_triangular(self.root, cross, upper=False)


def kernel(
    a: Float64[Tensor, "one latent"],
    b: Float64[Tensor, "two latent"],
    lengths: Float64[Tensor, " latent"],
    variance: Float64[Tensor, ""],
) -> Float64[Tensor, "one two"]:
    """variance exp(-|a - b|^2 / 2), distances in lengths."""
    a, b = a / lengths, b / lengths
    squared = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    return variance * torch.exp(-0.5 * squared.clamp_min(0.0))


def fit_sparse(
    z: Float64[np.ndarray, "codes latent"],
    y: Float64[np.ndarray, " codes"],
    *,
    n_inducing: int = 500,
    n_steps: int = 40,
    seed: int = 0,
) -> SparseGP:
    """Hyperparameters at a maximum of the bound, by L-BFGS from lengths sqrt(latent), variance 1, noise 0.1.

    Args:
        z: Codes of about unit variance on each axis.
        y: Values of mean 0 and variance 1.
        n_steps: Most iterations.
    """
    rows = np.random.default_rng(seed).permutation(len(z))[:n_inducing]
    codes, values = torch.from_numpy(z), torch.from_numpy(y)
    inducing, d = codes[torch.from_numpy(rows)], z.shape[1]
    first = np.concatenate([np.full(d, 0.5 * math.log(d)), [0.0, math.log(0.1)]])

    def posterior(logs: Tensor) -> SparseGP:
        return SparseGP.conditioned(codes, values, inducing, logs[:d].exp(), logs[d].exp(), logs[d + 1].exp())

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        logs_ = torch.from_numpy(logs.copy()).requires_grad_()
        value = -posterior(logs_).bound(values) / len(values)
        value.backward()
        assert logs_.grad is not None
        return value.item(), logs_.grad.numpy()

    limits = [(max(x - LARGEST_LOG, -LARGEST_LOG), x + LARGEST_LOG) for x in first]
    found = scipy.optimize.minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": n_steps}
    )
    with torch.no_grad():
        return posterior(torch.from_numpy(found.x))
