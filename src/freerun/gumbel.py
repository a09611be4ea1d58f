"""Gumbel noise at work: exact draws of classes, their differentiable relaxations, and the temperature of these.

Logits log a lie on the last axis; they need not be normalised, and -inf masks a class. g is standard Gumbel noise, tau
the temperature:

    argmax_k (log a_k + g_k)  is k with probability a_k / sum a                                             (1)
    y = softmax((log a + g) / tau)                                                                          (2)
    log p(y) = log (K-1)! + (K-1) log tau + sum_k [s_k - logsumexp s],   s = log a - tau log y              (3)

(2) is eq. (2) of Jang et al. 2017, arXiv:1611.01144, and the Concrete distribution of Maddison et al. 2017,
arXiv:1611.00712, whose appendix C.3 has (3).

The noise is float32 whatever the logits are: in half precision an exponential draw can be 0, its Gumbel is infinite,
and the softmax NaN.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor


def gumbel_like(logits: Float[Tensor, "..."], rng: torch.Generator) -> Float[Tensor, "..."]:
    """Standard Gumbel noise of the logits' shape, float32: -log of exponential draws."""
    draws = torch.empty(logits.shape, dtype=torch.float32, device=logits.device).exponential_(generator=rng)
    # A draw of 0 stands for all below the generator's resolution: a Gumbel of 22, not infinity.
    return -draws.clamp_(2.0**-32, 2.0**7).log_()


def gumbel_max(logits: Float[Tensor, "*batch classes"], rng: torch.Generator) -> Int[Tensor, "*batch"]:
    """An exact draw from softmax(logits), by (1); masked classes are never drawn.

    Raises:
        ValueError: If a row allows no class.
    """
    return gumbel_top_k(logits, 1, rng)[..., 0]


def gumbel_top_k(logits: Float[Tensor, "*batch classes"], k: int, rng: torch.Generator) -> Int[Tensor, "*batch k"]:
    """k different classes, an exact draw without replacement, in the order in which they would be drawn.

        P(i_1 .. i_k) = prod_j p(i_j) / (1 - p(i_1) - .. - p(i_{j-1}))

    Source: Kool et al. 2019, arXiv:1903.06059, the Gumbel-top-k trick.

    Raises:
        ValueError: If k is below 1, or a row allows fewer than k classes.
    """
    n_allowed = int((logits > -math.inf).sum(-1).min()) if logits.numel() else logits.shape[-1]
    if not 1 <= k <= n_allowed:
        raise ValueError(f"k = {k} classes without replacement: it must be from 1 to the {n_allowed} that are allowed")
    return (logits.detach() + gumbel_like(logits, rng)).topk(k, -1).indices


def gumbel_softmax(
    logits: Float[Tensor, "*batch classes"], temperature: float, rng: torch.Generator
) -> Float[Tensor, "*batch classes"]:
    """A relaxed one-hot draw, (2), in the logits' dtype: its argmax follows softmax(logits) at every temperature.

    Masked classes get exactly 0, and no gradient; a row of nothing else is NaN, as in a softmax.

    Args:
        temperature: tau. Towards 0 the draw becomes one-hot, towards infinity uniform.

    Raises:
        ValueError: If the temperature is not a positive number.
    """
    return _log_relaxed(logits, temperature, rng).exp().to(logits.dtype)


def gumbel_log_softmax(
    logits: Float[Tensor, "*batch classes"], temperature: float, rng: torch.Generator
) -> Float[Tensor, "*batch classes"]:
    """log y of `gumbel_softmax` for the same `rng`, where y itself would underflow: what (3) is a function of."""
    return _log_relaxed(logits, temperature, rng).to(logits.dtype)


def straight_through(relaxed: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """The one-hot of the argmax, whose gradient passes to the relaxed draw unchanged (Jang et al. 2017, section 2.2).

    In bfloat16 two large entries may round to one value, and the first is taken: relax in float32 where it matters.
    """
    hard = torch.zeros_like(relaxed).scatter_(-1, relaxed.argmax(-1, keepdim=True), 1.0)
    # The bracket is exactly 0; (hard + relaxed) - relaxed would be rounded.
    return hard + (relaxed - relaxed.detach())


def concrete_log_density(
    log_y: Float[Tensor, "*batch classes"], logits: Float[Tensor, "*batch classes"], temperature: float
) -> Float[Tensor, "*batch"]:
    """(3): log-density of a relaxed draw, at least in float32; masked classes count for nothing, in K neither.

    It is the density of the log-ratios log y_k - log y_K, k < K. That of y on the simplex, by its first K - 1
    coordinates, is p(y) / prod_k y_k (Maddison et al. 2017, definition 1); in a difference of two, as in a KL, the
    product cancels.

    Args:
        log_y: Normalised, as `gumbel_log_softmax` draws it. -inf at an allowed class, or more at a masked one, is
            outside the support: the log-density is -inf.

    Raises:
        ValueError: If the temperature is not a positive number.
    """
    _check_temperature(temperature)
    wide = torch.promote_types(torch.promote_types(logits.dtype, log_y.dtype), torch.float32)
    allowed = logits > -math.inf
    out = ~(allowed & log_y.isfinite())
    score = logits.to(wide).masked_fill(out, 0) - temperature * log_y.to(wide).masked_fill(out, 0)
    shares = torch.log_softmax(score.masked_fill(out, -math.inf), -1).masked_fill(out, 0).sum(-1)
    n = allowed.sum(-1).to(wide)
    density = torch.lgamma(n) + (n - 1) * math.log(temperature) + shares
    return density.masked_fill((allowed != log_y.isfinite()).any(-1), -math.inf)


def _log_relaxed(logits: Tensor, temperature: float, rng: torch.Generator) -> Float[Tensor, "*batch classes"]:
    _check_temperature(temperature)
    return torch.log_softmax((logits + gumbel_like(logits, rng)) / temperature, -1)  # (2), of half precision in float32


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature} must be above 0 and finite; for the limit 0 use gumbel_max")


# Temperature at the share f of the training, from the first and the last.
SCHEDULES: Mapping[str, Callable[[float, float, float], float]] = {
    "constant": lambda start, end, f: start,
    "linear": lambda start, end, f: start + (end - start) * f,
    "exponential": lambda start, end, f: start * (end / start) ** f,
}


@dataclasses.dataclass(frozen=True)
class Annealing:
    """The temperature over a training: `start` at step 0, `end` at step `n_steps` and after it.

    RelGAN's inverse temperature beta^(n/N) (Nie et al. 2019) is `Annealing(1, 1 / beta, "exponential")`.

    Args:
        schedule: `constant` (end equals start), `linear`, or `exponential` (the same factor each step).
    """

    start: float
    end: float
    schedule: str = "constant"

    def __post_init__(self):
        _check_temperature(self.start)
        _check_temperature(self.end)
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule {self.schedule!r} is not known; there are {', '.join(SCHEDULES)}")
        if self.schedule == "constant" and self.start != self.end:
            raise ValueError(f"a constant temperature cannot go from {self.start} to {self.end}; name another schedule")

    def at(self, step: int, n_steps: int) -> float:
        """The temperature of a step, counted from 0."""
        return SCHEDULES[self.schedule](self.start, self.end, min(1.0, step / n_steps))
