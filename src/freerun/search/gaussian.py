"""What BoTorch does here: exact Gaussian processes, and what is best to ask next by one of them or by a sparse one."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from freerun.errors import UsageError
from freerun.search.sparse_gp import SparseGP

try:
    with warnings.catch_warnings():  # a library below BoTorch compiles with torch.jit.script, which PyTorch deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        from botorch.acquisition.analytic import LogExpectedImprovement
        from botorch.models import SingleTaskGP
        from botorch.models.model import Model
        from botorch.optim import optimize_acqf
        from botorch.optim.fit import fit_gpytorch_mll_scipy
        from botorch.posteriors import GPyTorchPosterior
        from botorch.utils.sampling import manual_seed
        from gpytorch.distributions import MultivariateNormal
        from gpytorch.mlls import ExactMarginalLogLikelihood
except ImportError as error:
    raise UsageError("latent Bayesian optimisation needs BoTorch; `pip install freerun[bo]` brings it") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without BoTorch's warnings of what is meant here: a fit or a climb that stops after its steps, codes outside the
    cube, a little added to the diagonal where two codes are nearly one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fit_exact(
    u: Float64[np.ndarray, "codes latent"], y: Float64[np.ndarray, " codes"], n_steps: int = 50
) -> SingleTaskGP:
    """An exact Gaussian process with BoTorch's priors, which grow with the dimension (Hvarfner et al. 2024).

    Args:
        u: Codes in the unit cube.
        y: Values of mean 0 and variance 1.
        n_steps: Most iterations of L-BFGS.
    """
    with _quiet():
        model = SingleTaskGP(torch.from_numpy(u), torch.from_numpy(y)[:, None], outcome_transform=None)
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll_scipy(likelihood, options={"maxiter": n_steps})
    return model.eval()


def lengths_of(model: SingleTaskGP) -> Float64[np.ndarray, " latent"]:
    """The kernel's lengths, of geometric mean 1."""
    kernel: Any = model.covar_module
    lengths = kernel.lengthscale.detach().numpy()[0]
    return lengths / np.exp(np.log(lengths).mean())


def thompson(model: SingleTaskGP, u: Float64[np.ndarray, "codes latent"], n: int, seed: int) -> list[int]:
    """n different candidates, each the best of a sample of the process, and not chosen before."""
    rng = np.random.default_rng(seed)
    with _quiet(), torch.no_grad():
        posterior = model.posterior(torch.from_numpy(u))
        noise = torch.from_numpy(rng.standard_normal((n, len(u))))
        samples = posterior.rsample_from_base_samples(torch.Size([n]), noise)[..., 0].numpy()
    chosen: list[int] = []
    for sample in samples:
        sample[chosen] = -np.inf
        chosen.append(int(sample.argmax()))
    return chosen


def log_ei(model: SingleTaskGP, u: Float64[np.ndarray, "codes latent"], best: float, n: int) -> list[int]:
    """n different candidates by logarithm of the expected improvement (Ament et al. 2023), one after the other: the
    process then believes its own mean at those chosen (Ginsbourger et al. 2010, the kriging believer).
    """
    codes, process = torch.from_numpy(u), cast(Any, model)
    chosen: list[int] = []
    with _quiet(), torch.no_grad():
        for _ in range(n):
            values = LogExpectedImprovement(process, best)(codes[:, None]).numpy()
            values[chosen] = -np.inf
            chosen.append(int(values.argmax()))
            point = codes[chosen[-1] :][:1]
            process = process.condition_on_observations(point, process.posterior(point).mean)
    return chosen


class SparseModel(Model):
    """A sparse process as BoTorch asks for it: one point at a time, in batches."""

    def __init__(self, gp: SparseGP):
        super().__init__()
        self.gp = gp

    @property
    def num_outputs(self) -> int:
        return 1

    def posterior(
        self,
        X: Float64[Tensor, "batch 1 latent"],
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> GPyTorchPosterior:
        """The signature is BoTorch's; the improvement of a single value asks for none of the options."""
        mean, variance = self.gp.predict(X[:, 0])
        return GPyTorchPosterior(MultivariateNormal(mean[:, None], variance[:, None, None]))


def highest_expected_improvement(
    gp: SparseGP,
    best: float,
    low: Float64[np.ndarray, " latent"],
    high: Float64[np.ndarray, " latent"],
    seed: int,
    n_tried: int = 500,
    n_climbed: int = 3,
) -> Float64[Tensor, "1 latent"]:
    """The point of a box where the logarithm of the expected improvement is greatest: the best of `n_tried` random
    points, climbed from `n_climbed` of them.
    """
    with _quiet(), manual_seed(seed):  # where a climb begins is drawn from PyTorch's global generator
        point, _ = optimize_acqf(
            LogExpectedImprovement(SparseModel(gp), best),
            torch.from_numpy(np.stack([low, high])),
            q=1,
            num_restarts=n_climbed,
            raw_samples=n_tried,
            options={"maxiter": 30},
        )
    return point
