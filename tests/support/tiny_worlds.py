"""Tiny worlds: three words, strings of at most three, every one of them enumerated; gradients that are exact."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from counted import term
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import EOS, SPECIALS, AbstractConstraint
from freerun.constraints.language import Language
from freerun.constraints.length import Anything, Length
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Network, State, World, unrolled
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.discriminator import CRITIC
from freerun.methods.likelihood import GENERATOR
from freerun.methods.policy_gradient import generator_of
from freerun.models.generator import AbstractGenerator, Generator
from freerun.models.sequence_critic import CriticShape, SequenceCritic
from freerun.objectives.objective import Objective
from freerun.objectives.shapes import Identity
from freerun.objectives.totals import Arithmetic
from freerun.sampling.likelihood import log_prob

N_VOCAB, BUDGET = 7, 4
EARLY = Language((*SPECIALS, "a", "b", "c"), "S -> 'a' | 'b' X | 'c' X X\nX -> 'a' | 'b' | 'c'")
RULES: dict[str, AbstractConstraint] = {
    "anything": Anything(N_VOCAB),
    "two or three words": Length(N_VOCAB, 2, 3),
    "a grammar whose strings end early": EARLY,
}
SMALL = CriticShape(d_embedding=4, widths=(1, 2), filters=(4, 4), dropout=0.0, l2=0.0)
WIDE = Batch(torch.tensor([[4, 4, 4, EOS]]), torch.arange(1), {})  # a batch as wide as the longest string


def written(tokens: Int[Tensor, "rows time"]) -> list[str]:
    return ["".join("....abc"[token] for token in row if token > EOS) for row in tokens.tolist()]


def language(rule: AbstractConstraint) -> Int[Tensor, "strings time"]:
    """Every string that the rule allows, padded to the budget."""
    rows, state = torch.zeros(1, 0, dtype=torch.int64), rule.start(1, BUDGET)
    for _ in range(BUDGET):
        row, token = rule.allowed(state).nonzero(as_tuple=True)
        rows, state = torch.cat([rows[row], token[:, None]], 1), rule.advance(state[row], token)
    return rows


def codes(tokens: Int[Tensor, "rows time"]) -> Int[Tensor, "rows budget"]:
    """A number of each prefix, the same for the same one."""
    places = N_VOCAB ** torch.arange(BUDGET - 1, -1, -1)
    return (F.pad(tokens, (0, BUDGET - tokens.shape[1])) * places).cumsum(1)


@dataclasses.dataclass(frozen=True)
class Table:
    """A number of each string: a reward, a distribution, or what a critic says."""

    strings: Int[Tensor, "strings time"]
    values: Float[Tensor, " strings"]

    def __call__(self, tokens: Int[Tensor, "rows time"]) -> Float[Tensor, " rows"]:
        own, order = codes(self.strings)[:, -1].contiguous().sort()
        place = torch.searchsorted(own, codes(tokens)[:, -1].contiguous())
        return self.values[order][place]


def payments(strings: Int[Tensor, "strings time"], seed: int = 3) -> Table:
    """From 0 to 1, with no pattern."""
    return Table(strings, torch.rand(len(strings), generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def objective_of(table: Table, invalid: str = "-") -> Objective:
    """Pays what the table says; strings that begin with `invalid` are not valid."""
    by_string = dict(zip(written(table.strings), table.values.tolist(), strict=True))

    def score(strings: Sequence[str]) -> np.ndarray:
        return np.array([by_string[string] for string in strings], dtype=float)

    terms = [term("pay", score, shape=Identity())]
    return Objective(terms, None, lambda string: (string, not string.startswith(invalid)), Arithmetic())


class Told(SequenceCritic):
    """A critic that says what a table does."""

    table: Table

    def forward(self, x: Tensor) -> Tensor:
        return self.table(x)


def told(state: State, logits: Table) -> None:
    """Puts that critic in the place of the state's own."""
    critic = Told(N_VOCAB, 2, SMALL.build(N_VOCAB).reader, 0.0, 0.0)
    critic.table = logits
    state.networks[CRITIC] = critic


class Recorder(Optimiser):
    """In place of an optimiser: keeps the gradients, and leaves the weights as they are."""

    def __init__(self, network: torch.nn.Module):
        super().__init__(network, Descent(), 1)
        self.gradients: list[Tensor] = []

    def descend(self, loss: Float[Tensor, ""]) -> dict[str, Tensor]:
        self.gradients.append(flat(torch.autograd.grad(loss, self.weights)))
        self.step += 1
        return {"grad_norm": self.gradients[-1].norm(), "lr": torch.tensor(0.0)}


def flat(parts: Sequence[Tensor]) -> Float[Tensor, " weights"]:
    return torch.cat([part.flatten() for part in parts])


def begun(method: AbstractMethod, rule: AbstractConstraint = RULES["anything"], **changes: Any) -> State:
    """In float64, its strings far from equally likely."""
    torch.manual_seed(0)
    world = World(rule, BUDGET, Network(d_embedding=3, d_hidden=4), n_batches=3, device=torch.device("cpu"))
    state = method.init(dataclasses.replace(world, read=written, **changes))
    generator = generator_of(state).double()
    assert isinstance(generator, Generator)
    with torch.no_grad():
        generator.output.weight.mul_(4)
    return state


def log_p(state: State, strings: Int[Tensor, "strings time"], name: str = GENERATOR) -> Float[Tensor, " strings"]:
    """Of each string, with a gradient."""
    generator = state.networks[name]
    assert isinstance(generator, AbstractGenerator)
    return log_prob(generator, strings, state.world.constraint, budget=BUDGET).sum(1)


def gradient(state: State, value: Callable[[Tensor], Tensor], strings: Tensor) -> Float[Tensor, " weights"]:
    """In the generator's weights, of a function of the log-probabilities of all strings."""
    return flat(torch.autograd.grad(value(log_p(state, strings)), list(generator_of(state).parameters())))


def step_gradients(method: AbstractMethod, state: State, n: int, batch: Batch = WIDE) -> Float[Tensor, "n weights"]:
    """What n steps of the generator would descend, all from the same weights."""
    recorder = Recorder(generator_of(state))
    state.optimisers[GENERATOR] = recorder
    phase = next(phase for phase in unrolled(method.phases(1)) if phase.name not in ("mle", "critic"))
    for number in range(n):
        phase.step(state, batch, torch.Generator().manual_seed(number))
    return torch.stack(recorder.gradients)


def errors(draws: Float[Tensor, "draws weights"], exact: Float[Tensor, " weights"]) -> Float[Tensor, " weights"]:
    """How many standard errors the mean lies from what it should be; of a weight that nothing moves, 0."""
    deviation = draws.std(0) / len(draws) ** 0.5
    miss = draws.mean(0) - exact
    still = deviation < 1e-12
    return torch.where(still, torch.where(miss.abs() < 1e-9, 0.0, torch.inf), miss / deviation.clamp(min=1e-12))
