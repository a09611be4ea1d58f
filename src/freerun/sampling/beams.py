"""Beam search, and the same search over perturbed log-probabilities: sampling without replacement.

Kool, van Hoof & Welling 2019, "Stochastic Beams and Where to Find Them", arXiv:1903.06059. A sequence i with
log-probability phi_i gets Gumbel noise; the k largest of G_i = phi_i + Gumbel are an exact sample of k sequences
without replacement, in the order in which they would be drawn. They are found top-down: a prefix S bears the maximum
over its completions,

    G_S ~ Gumbel(phi_S);   given G_S, its children get Gumbels conditioned on their maximum being G_S     (algorithm 1,
    eq. 23)

so a beam that keeps the k largest G_S at each length never loses one of them.

The noise of a child is a function of (seed, hash of the prefix, token). So the same seed gives every prefix the same
G, whatever k: the first k of a wider beam are the narrower beam.
"""

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import BOS, EOS, PAD, AbstractConstraint
from freerun.errors import UsageError
from freerun.models.generator import AbstractGenerator
from freerun.noise import gumbel, hashed, row_keys, uniform_at
from freerun.rows import Rows, concat
from freerun.sampling.decoding import PLAIN, Decoding


@dataclasses.dataclass(frozen=True)
class Beams:
    """What is left of the search, best first.

    Args:
        tokens: Ids, `<eos>`, then `<pad>`.
        log_prob: Of the whole sequence, in nats.
        score: What they are ordered by: log_prob, or the perturbed log-probability G.
    """

    tokens: Int[Tensor, "beam time"]
    log_prob: Float[Tensor, " beam"]
    score: Float[Tensor, " beam"]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclasses.dataclass(frozen=True)
class _Front(Rows):
    """The prefixes of the present length; the generator has read all but their last token."""

    tokens: Int[Tensor, "beam time"]
    last: Int[Tensor, " beam"]
    key: Int[Tensor, " beam"]
    log_prob: Float[Tensor, " beam"]
    score: Float[Tensor, " beam"]
    generator: Rows
    constraint: Rows


@dataclasses.dataclass(frozen=True)
class _Candidates(Rows):
    """Prefixes one token longer: the parent's row, the token, and the sums so far."""

    parent: Int[Tensor, " candidate"]
    token: Int[Tensor, " candidate"]
    log_prob: Float[Tensor, " candidate"]
    score: Float[Tensor, " candidate"]


@dataclasses.dataclass(frozen=True)
class BeamSearch:
    """The k most probable sequences, or, with noise, k different sequences drawn without replacement.

    Args:
        budget: Most tokens of a sequence, `<eos>` included.
        seed: Of the noise; None: no noise, plain beam search (a beam may lose the most probable sequence).
        chunk: Prefixes that go through the network at once: it bounds the memory beside the states.
    """

    generator: AbstractGenerator
    constraint: AbstractConstraint
    budget: int
    seed: int | None = None
    decoding: Decoding = PLAIN
    chunk: int = 2048

    @torch.no_grad()
    def __call__(
        self,
        k: int,
        prefix: Int[Tensor, " prefix"] | None = None,
        context: Float[Tensor, "1 context"] | None = None,
    ) -> Beams:
        """At most k sequences that begin with `prefix`; fewer if the language holds no more within the budget."""
        if k < 1:
            raise ValueError(f"a beam of {k} holds nothing; it must be at least 1")
        self.generator.eval()
        search = dataclasses.replace(self, generator=self.generator.frozen())
        front = search._open(prefix, context)
        while bool(((front.last != EOS) & (front.last != PAD)).any()):
            front = search._longer(front, k)
        front = front[front.score.argsort(descending=True, stable=True)]
        width = int((front.tokens != PAD).sum(1).max())
        return Beams(front.tokens[:, :width], front.log_prob, front.score)

    def _open(self, prefix: Tensor | None, context: Tensor | None) -> _Front:
        """One row: the given prefix. Its log-probability counts as 0."""
        device = next(self.generator.parameters()).device
        key = row_keys(self.seed or 0, torch.zeros(1, dtype=torch.long, device=device))
        zero = torch.zeros(1, dtype=torch.float64, device=device)
        front = _Front(
            tokens=torch.zeros(1, 0, dtype=torch.long, device=device),
            last=torch.full((1,), BOS, device=device),
            key=key,
            log_prob=zero,
            score=zero if self.seed is None else gumbel(uniform_at(key, 0)).double(),
            generator=self.generator.start(1, context),
            constraint=self.constraint.start(1, self.budget, device),
        )
        for token in [] if prefix is None else prefix.to(device):
            if not self.constraint.allowed(front.constraint)[0, token]:
                raise UsageError(f"the constraint does not allow token {int(token)} of the prefix, or it is too long")
            _, state = self.generator.step(front.last, front.generator)
            front = self._advanced(front, state, torch.zeros(1, dtype=torch.long, device=device), token[None])
        return front

    def _longer(self, front: _Front, k: int) -> _Front:
        """The k best among all prefixes one token longer; sequences that have ended stand beside them as they are."""
        ended = (front.last == EOS) | (front.last == PAD)
        rows = ended.nonzero()[:, 0]
        best = _Candidates(rows, torch.full_like(rows, PAD), front.log_prob[rows], front.score[rows])
        live = (~ended).nonzero()[:, 0]
        states = []
        for part in live.split(self.chunk):
            here = front[part]
            logits, state = self.generator.step(here.last, here.generator)
            states.append(state)
            steps = self.decoding.log_probs(logits.double(), self.constraint.allowed(here.constraint))
            best = _best(k, best, self._candidates(here, part, here.log_prob[:, None] + steps))
        place = torch.zeros(len(front), dtype=torch.long, device=live.device)
        place[live] = torch.arange(len(live), device=live.device)
        front = self._advanced(front, concat(states)[place[best.parent]], best.parent, best.token)
        return dataclasses.replace(front, log_prob=best.log_prob, score=best.score)

    def _candidates(self, here: _Front, rows: Tensor, phi: Float[Tensor, "beam vocab"]) -> _Candidates:
        score = phi
        if self.seed is not None:
            lanes = torch.arange(phi.shape[1], device=phi.device)
            noise = gumbel(uniform_at(here.key[:, None], 1, lanes)).to(phi.dtype)
            score = conditioned_on_maximum(phi + noise, here.score[:, None])
        parent, token = phi.isfinite().nonzero(as_tuple=True)
        return _Candidates(rows[parent], token, phi[parent, token], score[parent, token])

    def _advanced(self, front: _Front, state: Rows, parent: Tensor, token: Tensor) -> _Front:
        return _Front(
            tokens=torch.cat([front.tokens[parent], token[:, None]], 1),
            last=token,
            key=hashed(front.key[parent], token),
            log_prob=front.log_prob[parent],
            score=front.score[parent],
            generator=state,
            constraint=self.constraint.advance(front.constraint[parent], token),
        )


def conditioned_on_maximum(
    g: Float[Tensor, "beam vocab"], maximum: Float[Tensor, "beam 1"]
) -> Float[Tensor, "beam vocab"]:
    """Gumbels `g` moved so that the largest of each row is `maximum`, all else as if drawn so.

    G' = - log(exp(-T) - exp(-Z) + exp(-G)),  Z = max G, T = maximum      (Kool et al. 2019, appendix B.3, in its
    stable form)
    """
    largest = g.max(1, keepdim=True).values
    gap = torch.log(-torch.expm1(g - largest))  # log(1 - exp(G - Z)): -inf for the largest itself
    v = maximum - g + gap
    return torch.where(g.isfinite(), maximum - v.clamp(min=0) - torch.log1p(torch.exp(-v.abs())), g)


def _best(k: int, *parts: _Candidates) -> _Candidates:
    whole = concat(parts)
    return whole[whole.score.topk(min(k, len(whole))).indices]
