"""Relaxed free running: samples that a gradient passes through.

At each step, a being the logits, g standard Gumbel noise, tau the temperature:

    y = softmax((a + g) / tau) over the allowed tokens, exactly 0 elsewhere                               (1)
    k = argmax y                                                                                          (2)

Relaxed, the generator reads y next; straight-through, it reads the one-hot row of k, whose gradient is that of y
(`gumbel.straight_through`). Either way the constraint, and with it the end of a row, goes by k. A row that has ended
stays and writes `<pad>`: a one-hot row that nothing moves.

Straight-through, the tokens are samples of the model at every temperature. Relaxed, the first is; a later one is drawn
given the mixtures that were read before it, and follows the model in the limit of tau = 0.

The gradient sees a mask as given: that another token would have ended the string, or have allowed others after it, is
a jump, which it knows nothing of. So where all strings have one length and the mask depends on the position alone, the
relaxed gradient tends to that of E f(Y) as tau falls; elsewhere what is missing stays missing.

Source: Jang et al. 2017, arXiv:1611.01144, eq. (2); of sequences, Kusner & Hernandez-Lobato 2016, arXiv:1611.04051.
`FreeRun` is the loop without a gradient: its rows leave when they end and make room for others, and a token costs it
one number. Here all rows stay, and each token of the vocabulary has a number of its own.
"""

import dataclasses
import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import BOS, PAD, AbstractConstraint
from freerun.gumbel import straight_through
from freerun.models.generator import AbstractGenerator
from freerun.noise import gumbel, row_keys, uniform_at


@dataclasses.dataclass(frozen=True)
class Relaxed:
    """Relaxed samples.

    Args:
        tokens: (2): ids, `<eos>`, then `<pad>`; the time axis ends with the longest.
        probs: (1), or its straight-through rows, with a gradient; a row of padding is one-hot at `<pad>`.
    """

    tokens: Int[Tensor, "batch time"]
    probs: Float[Tensor, "batch time vocab"]


def relaxed_run(
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    n: int,
    *,
    budget: int,
    temperature: float,
    seed: int,
    hard: bool,
    context: Float[Tensor, "batch context"] | None = None,
) -> Relaxed:
    """n samples of a generator, without dropout. Row i is a function of the seed and of i alone, as in `FreeRun`.

    Args:
        budget: Most tokens of a row, `<eos>` included.
        temperature: tau.
        hard: Straight-through in place of relaxed.
        context: Where the generator takes one.

    Raises:
        ValueError: If the temperature is not a positive number, or there is no row.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature} must be above 0 and finite; for the limit 0 use FreeRun")
    if n < 1:
        raise ValueError(f"{n} relaxed samples; ask for at least 1")
    generator.eval()
    device = next(generator.parameters()).device
    key, lanes = row_keys(seed, torch.arange(n, device=device))[:, None], torch.arange(generator.n_vocab, device=device)
    state, rule = generator.start(n, context), constraint.start(n, budget, device)
    x = torch.full((n,), BOS, device=device)
    tokens, probs = [], []
    # The recurrent layers of cuDNN have no gradient outside training mode.
    with torch.backends.cudnn.flags(enabled=False):
        while not (allowed := constraint.allowed(rule))[:, PAD].all():
            logits, state = generator.step(x, state)
            noise = gumbel(uniform_at(key, len(tokens), lanes)).to(logits.dtype).masked_fill_(~allowed, -torch.inf)
            x = torch.softmax((logits + noise) / temperature, 1)  # (1)
            tokens.append(x.argmax(1))  # (2)
            x = straight_through(x) if hard else x
            probs.append(x)
            rule = constraint.advance(rule, tokens[-1])
    return Relaxed(torch.stack(tokens, 1), torch.stack(probs, 1))
