"""Batches by expected improvement over the whole space: the search of the Grammar VAE.

Kusner, Paige & Hernandez-Lobato 2017, arXiv:1703.01925, section 5.2: a sparse Gaussian process with 500 inducing points
knows the objective at the encoder's means; 5 rounds of 50 codes; in a round, each code maximises

    EI(z) = E[max(f(z) - best, 0)]                                              (1)

inside the box of all means, and the process then believes its own mean there (the kriging believer) until the round is
asked. The best of ten such searches is reported.

Ours differs from the paper's:
- the sparse process is Titsias' in closed form instead of FITC with stochastic gradients (sparse_gp.py);
- the logarithm of (1) is what is climbed (Ament et al. 2023, arXiv:2310.20708): the same maximum, without its plateaus;
- decoding is greedy under the mask, so that the objective is a function of the code; `n_decodings` draws instead and
  keeps the most frequent valid string (the paper: 500 for molecules, 25 for formulas);
As in the paper a query is a code: one that decodes to a string that is known counts too (and is not paid again).
"""

import dataclasses

import numpy as np
import torch
from jaxtyping import Float64

from freerun.objectives.objective import Objective
from freerun.search.gaussian import highest_expected_improvement
from freerun.search.history import History
from freerun.search.latent_bo import AbstractProtocol, Proposal, Space, standardised
from freerun.search.sparse_gp import fit_sparse


@dataclasses.dataclass(frozen=True)
class Published(AbstractProtocol):
    """The protocol.

    Args:
        batch_size: Codes in a round.
        n_inducing: Of the sparse process.
        n_decodings: 0: each code is decoded greedily; else its most frequent valid string of so many that are drawn.
        n_steps: Most iterations of the fit.
    """

    batch_size: int = 50
    n_inducing: int = 500
    n_decodings: int = 0
    n_steps: int = 20

    def propose(self, space: Space, history: History, objective: Objective, n: int, seed: int) -> Proposal:
        queried = history.queried
        z = np.concatenate([history.start.z, queried.z])
        values = standardised(np.concatenate([history.start.totals, queried.totals]))
        mean, scale = z.mean(0), np.maximum(z.std(0), 1e-9)
        u = (z - mean) / scale
        gp = fit_sparse(u, values, n_inducing=self.n_inducing, n_steps=self.n_steps, seed=seed)
        chosen: list[Float64[np.ndarray, " latent"]] = []
        for i in range(n):
            point = highest_expected_improvement(gp, float(values.max()), u.min(0), u.max(0), seed + i)
            with torch.no_grad():
                gp = gp.with_points(point, gp.predict(point)[0])
            chosen.append(point.numpy()[0])
        codes = mean + scale * np.stack(chosen)
        return Proposal(codes, tuple(space.one_each(codes, self.n_decodings, seed, objective.is_valid)))
