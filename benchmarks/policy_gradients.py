"""Bias and variance of estimates of the policy gradient: python -m benchmarks policy_gradients

Three words, strings of at most three: 40 strings, so J = E[R] and its gradient in the 199 weights of a small generator
are exact. R of a string is a uniform random number. An estimate is that of a batch of 8 strings. Estimates depend on
the weights through grad log G(y_t | y_1 .. y_{t-1}) alone, which is looked up for each of the 79 prefixes, so that many
batches can be drawn.

Prints a Markdown table. Seed 0.
"""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.constraints.length import Anything
from freerun.methods.base import Network, State, World
from freerun.methods.policy_gradient import action_values, advantages, generator_of, log_probs, prefix_lengths, sampled
from freerun.methods.reinforce import Reinforce
from freerun.models.generator import Generator

N_VOCAB, BUDGET, BATCH, N_BATCHES, PIECES = 7, 4, 8, 5000, 50
RULE = Anything(N_VOCAB)
KINDS = {  # number of prefix lengths (0: all), completions of each (0: the whole episode)
    "whole episode": (0, 0),
    "1 prefix, N = 4": (1, 4),
    "2 prefixes, N = 4": (2, 4),
    "all 3 prefixes, N = 1": (0, 1),
    "all 3 prefixes, N = 4": (0, 4),
    "all 3 prefixes, N = 16": (0, 16),
}


class World3:
    """The generator, all its strings, what they are paid, and the score of every prefix."""

    def __init__(self):
        torch.manual_seed(0)
        shape = Network(d_embedding=3, d_hidden=4)
        self.state: State = Reinforce().init(World(RULE, BUDGET, shape, 1, torch.device("cpu")))
        generator = generator_of(self.state)
        assert isinstance(generator, Generator)
        generator.double()
        with torch.no_grad():
            generator.output.weight.mul_(4)
        self.strings = every_string()
        self.rewards = torch.rand(len(self.strings), dtype=torch.float64)
        weights = list(generator.parameters())
        log_prob = log_probs(self.state, self.strings)
        value = (log_prob.sum(1).exp() * self.rewards).sum()
        self.exact = flat(torch.autograd.grad(value, weights, retain_graph=True))
        written = (self.strings != PAD).flatten()
        self.prefixes, of = codes(self.strings).flatten()[written].unique(return_inverse=True)
        at = torch.zeros(len(self.prefixes), dtype=torch.int64).scatter_(0, of, torch.arange(len(of)))
        rows = [torch.autograd.grad(log_prob.flatten()[written][i], weights, retain_graph=True) for i in at]
        self.scores = torch.stack([flat(row) for row in rows])
        self.of_string, self.order = codes(self.strings)[:, -1].contiguous().sort()

    def reward(self, rows: Tensor, _: int) -> Tensor:
        return self.rewards[self.order[torch.searchsorted(self.of_string, codes(rows)[:, -1].contiguous())]]

    def estimates(self, tokens: Tensor, values: Tensor, baseline: bool) -> Tensor:
        """(batches, weights)"""
        written = tokens != PAD
        pieces = zip(values.split(BATCH), written.split(BATCH), strict=True)
        a = torch.cat([advantages(own, there, "batch" if baseline else "none") for own, there in pieces])
        place = torch.searchsorted(self.prefixes, codes(tokens)[:, : tokens.shape[1]].contiguous())
        gradients = torch.einsum("bt,btw->bw", a, self.scores[place.clamp(max=len(self.scores) - 1)])
        return gradients.unflatten(0, (-1, BATCH)).mean(1)


def every_string() -> Tensor:
    rows, state = torch.zeros(1, 0, dtype=torch.int64), RULE.start(1, BUDGET)
    for _ in range(BUDGET):
        row, token = RULE.allowed(state).nonzero(as_tuple=True)
        rows, state = torch.cat([rows[row], token[:, None]], 1), RULE.advance(state[row], token)
    return rows


def codes(tokens: Tensor) -> Tensor:
    """A number of each prefix."""
    places = N_VOCAB ** torch.arange(BUDGET - 1, -1, -1)
    return (F.pad(tokens, (0, BUDGET - tokens.shape[1])) * places).cumsum(1)


def flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def main() -> None:
    torch.set_num_threads(1)
    began, world = time.perf_counter(), World3()
    print("| estimate | tokens | baseline | bias | variance |\n| --- | --- | --- | --- | --- |")
    for name, (n_prefixes, n_rollouts) in KINDS.items():
        drawn, n_tokens = {False: [], True: []}, 0
        for piece in range(PIECES):  # each with prefix lengths of its own
            rng = torch.Generator().manual_seed(piece)
            tokens = sampled(world.state, BATCH * N_BATCHES // PIECES, rng)
            lengths = prefix_lengths(BUDGET, n_prefixes, rng) if n_rollouts else []
            values, _, n = action_values(world.state, tokens, world.reward, lengths, n_rollouts, rng)
            n_tokens += n
            for baseline, estimates in drawn.items():
                estimates.append(world.estimates(tokens, values, baseline))
        for baseline, estimates in drawn.items():
            bias, seen, variance = measured(torch.cat(estimates), world.exact)
            told = f"{bias:.2g}" if bias > 2 * seen else f"none seen above {2 * seen:.2g}"
            print(
                f"| {name} | {n_tokens / N_BATCHES:.0f} | {'batch' if baseline else 'none'} | {told} | {variance:.2f} |"
            )
    print(f"\n{N_BATCHES} batches of {BATCH}; {time.perf_counter() - began:.0f} s")


def measured(draws: Tensor, exact: Tensor) -> tuple[float, float, float]:
    """Norm of the mean error, that part of it which the number of draws explains, and the total variance: all over the
    norm of the exact gradient, or its square."""
    norm = exact.square().sum()
    variance = draws.var(0).sum() / norm
    chance = variance / len(draws)
    miss = (draws.mean(0) - exact).square().sum() / norm
    return float((miss - chance).clamp(min=0).sqrt()), float(chance.sqrt()), float(variance)


if __name__ == "__main__":
    main()
