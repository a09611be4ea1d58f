"""Gradient estimators of E_q(z) f(z) where z are classes, which no gradient passes through.

q(z) = prod_i softmax(a_i)[z_i] over n variables of K classes, z written as one-hot rows; f takes relaxed rows too. Each
estimator gives back f at its draw, a number whose *gradient* is the estimate: d E_q f / da in the logits, E_q df in
whatever f itself depends on.

    straight-through   f(y),   y one-hot, dy = d softmax((a + g) / tau)                                             (1)
    REINFORCE          (f(z) - b) d log q(z)                                                                        (2)
    REBAR              [f(z) - eta f(s~)] d log q(z) + eta d f(s) - eta d f(s~)                                     (3)
                       s = softmax(w / tau), w = log p + g, z = argmax w;   s~ = softmax(w~ / tau), w~ drawn given z
    w~ given z = k:    w~_k = -log E_k,   w~_j = -log(E_j / p_j + E_k),   E standard exponentials                   (4)

(1) is biased, as is the relaxed draw in its place; (2) and (3) are unbiased for every b and eta that do not depend on
the draw, for the last three terms of (3) have mean 0 together.

Sources: (1) Jang et al. 2017, arXiv:1611.01144, section 2.2. (2) Williams 1992, "Simple statistical gradient-following
algorithms for connectionist reinforcement learning". (3) Tucker et al. 2017, arXiv:1703.07370, section 3; (4) as for
classes in Grathwohl et al. 2018, arXiv:1711.00123. Deviations of (3): the weights of f get the gradient of f(z) alone,
without a control; eta is the ratio of two running means, see `ControlWeight`, and descends no gradient; tau is given.
"""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.gumbel import gumbel_like, gumbel_max, gumbel_softmax
from freerun.gumbel import straight_through as hardened

Cost = Callable[[Float[Tensor, "batch variables classes"]], Float[Tensor, " batch"]]
RATE = 0.01  # of the running means behind eta
MOST_CODES = 100_000


def one_hot(classes: Int[Tensor, "*batch"], like: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    return torch.nn.functional.one_hot(classes, like.shape[-1]).to(like.dtype)


def log_q(
    z: Float[Tensor, "batch variables classes"], logits: Float[Tensor, "batch variables classes"]
) -> Float[Tensor, " batch"]:
    """log q(z) of one-hot rows."""
    return (logits.log_softmax(-1) * z).sum((1, 2))


def straight_through(
    logits: Float[Tensor, "batch variables classes"], cost: Cost, temperature: float, rng: torch.Generator
) -> Float[Tensor, " batch"]:
    """(1)"""
    return cost(hardened(gumbel_softmax(logits, temperature, rng)))


def reinforce(
    logits: Float[Tensor, "batch variables classes"],
    cost: Cost,
    baseline: Float[Tensor, " batch"] | float,
    rng: torch.Generator,
) -> Float[Tensor, " batch"]:
    """(2), b being the `baseline`; f need not be differentiable in z."""
    z = one_hot(gumbel_max(logits, rng), logits)
    paid, log_prob = cost(z), log_q(z, logits)
    return paid + (paid - baseline).detach() * (log_prob - log_prob.detach())


def rebar(
    logits: Float[Tensor, "batch variables classes"],
    cost: Cost,
    temperature: float,
    eta: Float[Tensor, ""] | float,
    rng: torch.Generator,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "2"]]:
    """(3); f is asked three times. Beside it, what `ControlWeight` goes by."""
    a = logits.detach().requires_grad_()
    with torch.enable_grad():
        log_p = a.log_softmax(-1)
        w = log_p + gumbel_like(a, rng)
        z = one_hot(w.argmax(-1), a)
        soft = torch.softmax(w / temperature, -1)
        soft_given = torch.softmax(conditional_gumbel(log_p, z, rng) / temperature, -1)
        _, d_soft = _slopes(cost, soft, a)
        paid_given, d_given = _slopes(cost, soft_given, a)
    paid = cost(z)
    score = z - log_p.detach().exp()
    plain = paid.detach()[:, None, None] * score
    control = d_soft - d_given - paid_given[:, None, None] * score  # of mean 0
    gradient = plain + eta * control  # (3)
    products = torch.stack([(plain * control).sum(), control.square().sum()])
    return paid + ((logits - logits.detach()) * gradient).sum((1, 2)), products


def conditional_gumbel(
    log_p: Float[Tensor, "*batch classes"], z: Float[Tensor, "*batch classes"], rng: torch.Generator
) -> Float[Tensor, "*batch classes"]:
    """(4): perturbed log-probabilities drawn given that class z is the largest; differentiable in log_p."""
    g = gumbel_like(log_p, rng).to(log_p.dtype)
    largest = (g * z).sum(-1, keepdim=True)
    others = -torch.logaddexp(-g - log_p, -largest)
    return torch.where(z > 0, largest, others)


class ControlWeight(nn.Module):
    """eta of (3): the weight at which its variance is least, as far as past draws tell.

        eta = - E[g1 . g2] / E[g2 . g2],   (3) = g1 + eta g2,  E g2 = 0

    The means run over past steps alone, so that (3) stays unbiased. They are taken of the gradients in the logits,
    where Tucker et al. descend the variance of those in the weights.
    """

    products: Float[Tensor, "2"]

    def __init__(self):
        super().__init__()
        self.register_buffer("products", torch.zeros(2))

    @property
    def eta(self) -> Float[Tensor, ""]:
        """1 until there is a past."""
        covariance, variance = self.products.unbind()
        return torch.where(variance > 0, -covariance / variance, torch.ones_like(variance))

    def learn(self, products: Float[Tensor, "2"]) -> None:
        self.products.lerp_(products.to(self.products.dtype), RATE)


def every_code(n_variables: int, n_classes: int) -> Float[Tensor, "codes variables classes"]:
    """All K^n codes as one-hot rows.

    Raises:
        ValueError: If they are too many to be enumerated.
    """
    if n_classes**n_variables > MOST_CODES:
        raise ValueError(f"{n_classes}^{n_variables} codes are too many to be enumerated; {MOST_CODES:,} are the most")
    codes = torch.tensor(list(itertools.product(range(n_classes), repeat=n_variables)))
    return torch.nn.functional.one_hot(codes, n_classes).float()


def cost_of_every_code(logits: Float[Tensor, "batch variables classes"], cost: Cost) -> Float[Tensor, "codes batch"]:
    """f of each code, for each row of the batch.

    Raises:
        ValueError: If the codes are too many.
    """
    codes = every_code(*logits.shape[1:]).to(logits)
    return torch.stack([cost(code.expand_as(logits)) for code in codes])


def expected(
    logits: Float[Tensor, "batch variables classes"], paid: Float[Tensor, "codes batch"]
) -> Float[Tensor, " batch"]:
    """E_q f by enumeration: what the others estimate, and its gradient.

    Args:
        paid: f of each code (`cost_of_every_code`).
    """
    codes = every_code(*logits.shape[1:]).to(logits)
    log_probs = torch.einsum("cvk,bvk->cb", codes, logits.log_softmax(-1))
    return (log_probs.exp() * paid).sum(0)


def _slopes(
    cost: Cost, soft: Float[Tensor, "batch variables classes"], logits: Float[Tensor, "batch variables classes"]
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch variables classes"]]:
    """f at relaxed rows and its gradient in the logits; nothing reaches the weights of f."""
    leaf = soft.detach().requires_grad_()
    paid = cost(leaf)
    (slope,) = torch.autograd.grad(paid.sum(), leaf)
    (gradient,) = torch.autograd.grad(soft, logits, slope, retain_graph=True)
    return paid.detach(), gradient
