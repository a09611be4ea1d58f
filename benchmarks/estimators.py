"""Bias and variance of gradient estimators for classes, against the exact gradient: python -m benchmarks.estimators

One problem: eight molecules of the embedded corpus, a categorical VAE with codes of 3 variables of 4 classes. The
gradient is that of the mean of E_q nll(y, z) in the weights of the encoder; all 64 codes are enumerated for the exact
one. At first weights, and after a few hundred steps. Estimators do not depend on the encoder beyond its logits, so
draws are made there, and norms in the weights are taken by the Gram matrix of the logits' Jacobian. REINFORCE, which
asks for costs of whole codes only, reads them in the table of the enumeration and is drawn more often.

Prints a Markdown table, writes docs/diagrams/estimators.svg (or to the folder that is named). Seed 0.
"""

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator
from torch import Tensor

from freerun import api
from freerun.codes import tokens_of
from freerun.corpora.batches import Batch
from freerun.corpora.encode import encode_split
from freerun.gumbel import gumbel_softmax
from freerun.methods.base import State
from freerun.methods.categorical_vae import CategoricalVAE, categorical_kl
from freerun.methods.estimators import Cost, cost_of_every_code, expected, rebar, reinforce, straight_through
from freerun.prepare import reopen
from freerun.report.svg import COLOURS, draw, short, standalone
from freerun.trained import Trained

HERE = Path(__file__).parents[1] / "docs" / "diagrams"
TAUS = (0.1, 0.25, 0.5, 1.0, 2.0)
N_STEPS, N_ROWS, N_DRAWS, AT_ONCE, OFTEN = 800, 8, 1000, 100, 100
SETTINGS = [
    "representation.name=smiles",
    "model.d_hidden=64",
    "model.d_embedding=32",
    "method.d_encoder=32",
    "method.bidirectional=false",
    "method.n_variables=3",
    "method.n_classes=4",
    "method.rising=0.0",
    "method.word_dropout=0.5",
    f"method.n_steps={N_STEPS}",
    "run.precision=float32",
    "run.device=cpu",
    "run.n_validate=256",
]
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
SIZE = (400, 290)
HIGH = 1000.0  # variance that the picture would be too tall for
LANE = 1.9  # width of a lane of the picture, a factor
LANES, COLOUR_OF = (0, 1, 2, 3), ("s1", "s2", "s4", "s3")
Estimator = Callable[[Tensor, Cost, torch.Generator], Tensor]


@dataclasses.dataclass(frozen=True)
class Measured:
    """Of one estimator; all norms in the weights, over that of the exact gradient.

    Args:
        bias: Norm of the mean error, what the number of draws adds to its square taken off.
        error: What the number of draws adds: no bias below about twice this can be seen.
        variance: Total variance of a draw over the squared norm.
        cosine: Of a draw to the exact gradient, in the mean.
    """

    bias: float
    error: float
    variance: float
    cosine: float

    @property
    def seen(self) -> bool:
        return self.bias > 2 * self.error


Result = dict[str, list[tuple[str, Measured]]]  # by estimator: (temperature or baseline, measures)


@dataclasses.dataclass(frozen=True)
class Problem:
    """Logits of eight molecules, the costs of all their codes, and how logits move the weights' gradient."""

    logits: Tensor
    cost: Callable[[int], Cost]  # for copies of the molecules
    table: Tensor  # (codes, molecules)
    gram: Tensor

    def exact(self) -> Tensor:
        logits = self.logits.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(expected(logits, self.table).sum(), logits)
        return gradient

    def looked_up(self, n: int) -> Cost:
        weights = 4 ** torch.arange(2, -1, -1)
        molecules = torch.arange(len(self.logits)).repeat(n)
        return lambda z: self.table[(z.argmax(-1) * weights).sum(1), molecules]

    def drawn(self, estimator: Estimator, cost: Cost, n: int, seed: int) -> Tensor:
        """`n` estimates of the gradient in the logits."""
        logits = self.logits.repeat(n, 1, 1).requires_grad_()
        value = estimator(logits, cost, torch.Generator().manual_seed(seed))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        return gradient.unflatten(0, (n, len(self.logits)))

    def measured(self, draws: Tensor) -> Measured:
        exact = self.exact().double().flatten()
        draws = draws.double().flatten(1)
        norm = self._dot(exact, exact)
        errors = draws - draws.mean(0)
        variance = float(self._dot(errors, errors).sum() / (len(draws) - 1) / norm)
        miss = draws.mean(0) - exact
        added = variance / len(draws)
        bias = max(0.0, float(self._dot(miss, miss) / norm) - added) ** 0.5
        cosines = self._dot(draws, exact) / (self._dot(draws, draws) * norm).sqrt().clamp(min=1e-300)
        return Measured(bias, added**0.5, variance, float(cosines.mean()))

    def _dot(self, a: Tensor, b: Tensor) -> Tensor:
        return ((a @ self.gram) * b).sum(-1)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        run = api.train("categorical_vae", overrides=SETTINGS, out=Path(temporary) / "run", seed=0)
        trained = Trained.load(run.folder, device="cpu", last=True)
        corpus = reopen(trained.folder, lambda _: None).corpus
        held_out = encode_split(corpus, "test", trained.representation).strings()
        tokens = tokens_of(trained, list(held_out)[:N_ROWS])
    method = trained.config.method
    assert isinstance(method, CategoricalVAE)
    torch.manual_seed(0)
    states = {"first weights": method.init(trained.state.world), f"after {N_STEPS} steps": trained.state}
    results = {}
    for name, state in states.items():
        posed = problem(method, state, tokens)
        results[name] = compared(posed)
        nll, kl = expected(posed.logits, posed.table).mean(), categorical_kl(posed.logits).mean()
        spread = (expected(posed.logits, posed.table.square()) - expected(posed.logits, posed.table).square()).sqrt()
        print(table(name, results[name]))
        print(f"\nE nll {nll:.1f}, deviation over codes {spread.mean():.2f}, KL {kl:.2f} nats a molecule", flush=True)
    (folder / "estimators.svg").write_text(picture(results), encoding="utf-8")
    print(f"\n{time.perf_counter() - began:.0f} s")


def problem(method: CategoricalVAE, state: State, tokens: Tensor) -> Problem:
    state.networks.eval()
    method.generator(state).requires_grad_(False)
    condition = torch.zeros(len(tokens), 0)

    def cost(n: int) -> Cost:
        batch = Batch(tokens.repeat(n, 1), torch.arange(n * len(tokens)), {})
        return method.cost(state, batch, condition.repeat(n, 1), batch.tokens)

    logits = method.posterior(state, Batch(tokens, torch.arange(len(tokens)), {}))
    weights = [*state.networks["reader"].parameters(), *state.networks["logits"].parameters()]
    rows = [torch.autograd.grad(value, weights, retain_graph=True) for value in logits.flatten()]
    jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows]).double()
    with torch.no_grad():
        costs = cost_of_every_code(logits.detach(), cost(1))
    return Problem(logits.detach(), cost, costs, jacobian @ jacobian.T)


def compared(problem: Problem) -> Result:
    def by_network(estimator: Estimator) -> Measured:
        cost = problem.cost(AT_ONCE)
        pieces = [problem.drawn(estimator, cost, AT_ONCE, seed) for seed in range(N_DRAWS // AT_ONCE)]
        return problem.measured(torch.cat(pieces))

    def relaxed(tau: float) -> Measured:
        return by_network(lambda logits, cost, rng: cost(gumbel_softmax(logits, tau, rng)))

    def through(tau: float) -> Measured:
        return by_network(lambda logits, cost, rng: straight_through(logits, cost, tau, rng))

    def controlled(tau: float) -> Measured:
        eta = best_eta(problem, tau)
        return by_network(lambda logits, cost, rng: rebar(logits, cost, tau, eta, rng)[0])

    def by_table(baseline: Tensor | float) -> Measured:
        n = OFTEN * N_DRAWS
        return problem.measured(
            problem.drawn(lambda logits, cost, rng: reinforce(logits, cost, baseline, rng), problem.looked_up(n), n, 0)
        )

    mean_cost = expected(problem.logits, problem.table).repeat(OFTEN * N_DRAWS)
    return {
        "Gumbel-softmax": [(f"{tau:g}", relaxed(tau)) for tau in TAUS],
        "straight-through": [(f"{tau:g}", through(tau)) for tau in TAUS],
        "REBAR": [(f"{tau:g}", controlled(tau)) for tau in TAUS],
        "REINFORCE": [("b = 0", by_table(0.0)), ("b = E f", by_table(mean_cost))],
    }


def best_eta(problem: Problem, tau: float) -> float:
    """Of draws of its own, so that those that are measured stay unbiased."""
    logits = problem.logits.repeat(AT_ONCE, 1, 1)
    _, products = rebar(logits, problem.cost(AT_ONCE), tau, 1.0, torch.Generator().manual_seed(1000))
    return float(-products[0] / products[1])


def table(name: str, result: Result) -> str:
    lines = [f"\n| {name} | tau | bias | variance | cosine |", "| --- | --- | --- | --- | --- |"]
    for estimator, points in result.items():
        for label, m in points:
            bias = f"{m.bias:.2g}" if m.seen else f"none seen above {2 * m.error:.2g}"
            lines.append(f"| {estimator} | {label} | {bias} | {m.variance:.2g} | {m.cosine:.3f} |")
    return "\n".join(lines)


def picture(results: dict[str, Result]) -> str:
    """A panel for each state of the weights, side by side."""
    width, height, top = *SIZE, 24
    everything = [m for result in results.values() for points in result.values() for _, m in points]
    floor = min(m.bias for m in everything if m.seen) / 3
    parts = []
    for number, (name, result) in enumerate(results.items()):
        svg = draw(lambda axes, r=result: plot(axes, r, floor, everything), "bias", "variance", SIZE)
        x = number * (width + 20)
        parts.append(f'<text x="{x + 8}" y="15" font-size="12" font-weight="600" fill="var(--ink)">{name}</text>')
        parts.append(str(svg).replace("<svg ", f'<svg x="{x}" y="{top}" width="{width}" height="{height}" ', 1))
    total = len(results) * (width + 20) - 20
    return standalone(Markup(f'<svg viewBox="0 0 {total} {height + top}">{"".join(parts)}</svg>'), total)


def plot(axes: Axes, result: Result, floor: float, everything: list[Measured]) -> None:
    """Where no bias is seen, points stand in the shaded strip, each estimator in a lane of its own; what lies too
    high is drawn at the top, with its number."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if tick > floor]))
    axes.yaxis.set_major_locator(LogLocator(10, numticks=12))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(short))
    left, top = floor / LANE**5, 4 * max(m.variance for m in everything if m.variance < HIGH)
    axes.axvspan(left, floor, color=COLOURS["grid"], alpha=0.6, linewidth=0)
    axes.set_xlim(left, 2 * max(m.bias for m in everything if m.seen))
    axes.set_ylim(min(m.variance for m in everything) / 3, top)
    axes.annotate(
        "none seen", (left, axes.get_ylim()[0]), (4, 6), textcoords="offset points", color=COLOURS["quiet"], fontsize=9
    )
    for (estimator, points), lane, colour in zip(result.items(), LANES, COLOUR_OF, strict=True):
        x = [m.bias if m.seen else floor / LANE ** (lane + 0.9) for _, m in points]
        y = [min(m.variance, top / 2.5) for _, m in points]
        axes.plot(x, y, "-o", color=COLOURS[colour], linewidth=1, markersize=4.5, label=estimator)
        for (label, m), left_of, height in zip(points, x, y, strict=True):
            above = f" (at {short(float(f'{m.variance:.2g}'))})" if m.variance > top else ""
            axes.annotate(
                label + above,
                (left_of, height),
                (5, -3),
                textcoords="offset points",
                color=COLOURS[colour],
                fontsize=8.5,
            )
    axes.legend(loc="upper right", frameon=False, fontsize=9.5, labelspacing=0.25, handlelength=1.4)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
