"""What a trained generator thinks of one string: each token's probability, its rank, and what was forbidden and why."""

import dataclasses

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from freerun.constraints.base import BOS, EOS, PAD, UNK, AbstractConstraint
from freerun.rows import Rows
from freerun.sampling.likelihood import masked_log_softmax
from freerun.trained import Trained

N_LIKELIEST = 3
LEAST = 0.005  # probability of a token that is named among the likeliest
MOST_REASONS = 400  # forbidden tokens of a step that are asked for their reason; a word list has thousands
HIDDEN = (PAD, BOS, UNK)  # never allowed: nothing to tell


@dataclasses.dataclass(frozen=True)
class Forbidden:
    """Tokens that may not come next for one and the same reason."""

    reason: str
    tokens: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Step:
    """One token of the string, or the `<eos>` at its end.

    Args:
        probability: Under the model and its constraint, given the true tokens before; 0: the constraint forbids it.
        rank: 1 for the most probable of the allowed tokens; 0 for a forbidden one.
        log_prob: Of the string so far, this token included, in nats.
        likeliest: The most probable tokens and their probabilities.
        removed: Probability that the forbidden tokens would have without the constraint.
        n_forbidden: Tokens that may not come next; `<pad>`, `<bos>` and `<unk>`, which never may, aside.
    """

    token: str
    id: int
    probability: float
    rank: int
    n_allowed: int
    log_prob: float
    likeliest: tuple[tuple[str, float], ...]
    removed: float
    n_forbidden: int
    forbidden: tuple[Forbidden, ...]


@torch.no_grad()
def steps_of(
    trained: Trained, ids: list[int], context: Float[Tensor, "1 context"] | None = None
) -> tuple[tuple[Step, ...], str]:
    """Teacher forcing over one string, step by step, under the constraint and the budget of the training.

    Returns:
        The steps, `<eos>` the last; and, where the constraint forbids a token of the string, why: the steps end there.
    """
    device = next(trained.generator.parameters()).device
    tokens = torch.tensor([[*ids, EOS]], device=device)
    logits, _ = trained.generator(tokens, context)
    vocab, constraint = trained.representation.vocab, trained.constraint
    state = constraint.start(1, trained.budget, device)
    steps: list[Step] = []
    log_prob = 0.0
    for time, token in enumerate([*ids, EOS]):
        allowed = constraint.allowed(state)
        step = _step(logits[:, time].float(), allowed, token, vocab, log_prob)
        steps.append(dataclasses.replace(step, forbidden=_reasons(constraint, state, allowed, vocab)))
        if not allowed[0, token]:
            return tuple(steps), constraint.reason(state, token)
        log_prob = step.log_prob
        state = constraint.advance(state, tokens[:, time])
    return tuple(steps), ""


def _step(
    logits: Float[Tensor, "1 vocab"],
    allowed: Bool[Tensor, "1 vocab"],
    token: int,
    vocab: tuple[str, ...],
    log_prob_before: float,
) -> Step:
    log_probs = masked_log_softmax(logits, allowed)[0]
    probs = log_probs.exp()
    n_allowed = int(allowed.sum())
    top = probs.topk(min(N_LIKELIEST, n_allowed))
    best = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    seen = torch.ones_like(allowed[0])
    seen[list(HIDDEN)] = allowed[0, list(HIDDEN)]
    return Step(
        token=vocab[token],
        id=token,
        probability=float(probs[token]),
        rank=int((log_probs > log_probs[token]).sum()) + 1 if allowed[0, token] else 0,
        n_allowed=n_allowed,
        log_prob=log_prob_before + float(log_probs[token]),
        likeliest=tuple((vocab[i], p) for i, p in best if p >= LEAST),
        removed=float(masked_log_softmax(logits[0], seen).exp()[~allowed[0]].sum()),
        n_forbidden=int((seen & ~allowed[0]).sum()),
        forbidden=(),
    )


def _reasons(
    constraint: AbstractConstraint, state: Rows, allowed: Bool[Tensor, "1 vocab"], vocab: tuple[str, ...]
) -> tuple[Forbidden, ...]:
    """The forbidden tokens by reason, the reason of the most tokens first."""
    forbidden = [i for i in (~allowed[0]).nonzero()[:, 0].tolist() if i not in HIDDEN]
    groups: dict[str, list[str]] = {}
    for token in forbidden[:MOST_REASONS]:
        # A reason may name its token: said of "it", the same reason of others is the same sentence.
        reason = constraint.reason(state, token).replace(repr(vocab[token]), "it")
        groups.setdefault(reason, []).append(vocab[token])
    if len(forbidden) > MOST_REASONS:
        groups["not asked for: too many"] = [f"{len(forbidden) - MOST_REASONS:,} more"]
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(Forbidden(reason, tuple(tokens)) for reason, tokens in ordered)
