"""Mixed forcing: the generator reads a true sequence in which some tokens are its own draws.

Bengio et al. 2015, arXiv:1506.03099: at each step a coin says whether the true token before it is read, or one that the
generator draws from its present distribution. The draws are made first, without a gradient; then the mixed sequence is
read in one pass, which has the same logits and the same gradient as a loop that keeps one, in a fraction of the time.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import BOS, EOS
from freerun.models.generator import AbstractGenerator
from freerun.sampling.decoding import PLAIN


def mixed_forcing(
    generator: AbstractGenerator,
    tokens: Int[Tensor, "batch time"],
    allowed: Bool[Tensor, "batch time vocab"],
    p_teacher: float,
    rng: torch.Generator,
    context: Float[Tensor, "batch context"] | None = None,
) -> Float[Tensor, "batch time vocab"]:
    """Logits of each true token, with a gradient, given what was read in place of the true ones before it.

    Args:
        tokens: True sequences: ids, `<eos>`, then `<pad>`.
        allowed: The masks after the true prefixes; each draw is made under that of the token in whose place it is read.
        p_teacher: Probability that a true token is read, a coin a token: 1 is teacher forcing; 0, reading nothing but
            its own draws.
    """
    logits, _ = generator(mixed(generator, tokens, allowed, p_teacher, rng, context), context)
    return logits


@torch.no_grad()
def mixed(
    generator: AbstractGenerator,
    tokens: Int[Tensor, "batch time"],
    allowed: Bool[Tensor, "batch time vocab"],
    p_teacher: float,
    rng: torch.Generator,
    context: Float[Tensor, "batch context"] | None = None,
) -> Int[Tensor, "batch time"]:
    """The sequences with draws in place of some tokens; `<eos>` and what follows stay, nothing is read after them.

    A draw depends on the draws before it. It is made as in free running, without dropout.
    """
    coins = torch.rand(tokens.shape, generator=rng, device=tokens.device)
    numbers = torch.rand(tokens.shape, generator=rng, device=tokens.device)
    replaced = (coins >= p_teacher) & (tokens > EOS)
    last = int(replaced.any(0).nonzero().max()) + 1 if replaced.any() else 0
    if last == 0:
        return tokens
    was_training = generator.training
    reader = generator.eval().frozen()
    state, read, columns = reader.start(len(tokens), context), torch.full_like(tokens[:, 0], BOS), []
    for t in range(last):
        logits, state = reader.step(read, state)
        read = tokens[:, t]
        if replaced[:, t].any():
            read = torch.where(replaced[:, t], PLAIN.draw(logits, allowed[:, t], numbers[:, t]), read)
        columns.append(read)
    generator.train(was_training)
    return torch.cat([torch.stack(columns, 1), tokens[:, last:]], 1)
