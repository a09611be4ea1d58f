"""The command that searches for strings with a high score: optimize."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from freerun.search.plan import Found, Outcome

N_SHOWN = 10
LATER = ("reinforce", "hill-climb")
SUFFIXES = (".csv", ".tsv", ".smi", ".txt")


def optimize(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, its name under runs/, or `last`.")],
    score: Annotated[
        list[str], typer.Option("--score", metavar="NAME[:WEIGHT]", help="One of `freerun scores`; may be repeated.")
    ],
    by: Annotated[str, typer.Option(help="latent, best-of-n, or random (the language without the model).")] = "latent",
    budget: Annotated[int, typer.Option(help="Queries of each seed: distinct strings that are scored.")] = 500,
    protocol: Annotated[
        str, typer.Option(help="Of latent: trust-region, neighbours, retraining, published.")
    ] = "trust-region",
    seeds: Annotated[int, typer.Option(help="Searches, one after the other.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the first search.")] = 0,
    start: Annotated[str, typer.Option(metavar="FILE", help="Strings that latent starts from.")] = "",
    n_start: Annotated[int, typer.Option(help="Without --start: training strings drawn and scored first.")] = 1000,
    max_length: Annotated[int, typer.Option(help="Most tokens; 0: as in training.")] = 0,
    show: Annotated[int, typer.Option(help="How many of the best strings are printed.")] = N_SHOWN,
    out: Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="All strings, .csv .tsv .smi .txt.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps: auto is the best that this machine has.")] = "auto",
) -> None:
    """Look for the strings of the best score; what was asked before is never paid again."""
    from freerun.app.screen import Screen
    from freerun.corpora.samples import read_lines
    from freerun.errors import Interrupted
    from freerun.run_folder import RunFolder
    from freerun.search.optimization import optimize as optimized
    from freerun.search.plan import Plan

    _check(by, out)
    plan = Plan(
        scores=tuple(score),
        by=by,
        budget=budget,
        protocol=protocol,
        seed=seed,
        n_seeds=seeds,
        start=tuple(filter(None, map(str.strip, read_lines(start)))) if start else (),
        n_start=n_start,
        max_length=max_length,
    )
    with Screen() as screen:
        try:
            outcome = optimized(RunFolder.found(run), plan, device=device, notify=screen.say, work=screen.work)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; what was asked is kept, the same command goes on with it") from None
        path = Path(out) if out else outcome.folder / "best.csv"
        _write(outcome, path)
        for line in _summary(outcome, plan.seed):
            screen.say(line)
        screen.say(f"all {len(outcome.best):,} strings, best first: {path}; every query: {outcome.folder}")
    print(_shown(outcome, show))


def _check(by: str, out: str) -> None:
    """
    Raises:
        UsageError: If there is no such way yet, or no such form of a file.
    """
    from freerun.errors import UsageError
    from freerun.search.plan import WAYS

    if by in LATER:
        raise UsageError(f"--by {by} is not there yet; there are {', '.join(WAYS)}")
    if out and Path(out).suffix.lower() not in SUFFIXES:
        raise UsageError(f"{out}: unknown suffix; choose one of {', '.join(SUFFIXES)}")


def _summary(outcome: "Outcome", first_seed: int) -> list[str]:
    """A line a seed, and what failed."""
    lines = []
    for seed, asked in enumerate(outcome.searches, first_seed):
        if len(asked):
            best = int(asked.totals.argmax())
            lines.append(
                f"seed {seed}: {len(asked):,} queries, the best, {asked.strings[best]}, by query {best + 1}; "
                f"total {asked.totals[best]:.6g}, mean {asked.totals.mean():.6g}"
            )
    for kind, count in outcome.failures.items():
        lines.append(f"{count:,} strings without a value ({kind}), for example {outcome.examples[kind]}")
    return lines


def _shown(outcome: "Outcome", n: int) -> str:
    from freerun.app.tables import table

    several = len(outcome.terms) > 1
    rows = [["string", *(term.spec for term in outcome.terms), *(["total"] if several else []), "seed", "query"]]
    for each in outcome.best[:n]:
        total = [f"{each.total:.6g}"] if several else []
        values = ["-" if math.isnan(value) else f"{value:.6g}" for value in each.values]
        rows.append([each.string, *values, *total, str(each.seed), str(each.query)])
    return table(rows, right=range(1, len(rows[0])))


def _write(outcome: "Outcome", path: Path) -> None:
    from freerun.files import written_aside
    from freerun.outputs import one_line

    with written_aside(path, "w") as file:
        if path.suffix.lower() in (".smi", ".txt"):
            file.writelines(one_line(each.string) + "\n" for each in outcome.best)
            return
        lines: Any = csv.writer(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", lineterminator="\n")
        lines.writerow(["string", *(term.spec for term in outcome.terms), "total", "seed", "query"])
        lines.writerows(_cells(outcome.best))


def _cells(best: "Sequence[Found]") -> list[list[str]]:
    """All digits, and an empty cell for what has no value."""
    return [
        [
            each.string,
            *("" if math.isnan(value) else repr(value) for value in each.values),
            repr(each.total),
            str(each.seed),
            str(each.query),
        ]
        for each in best
    ]


COMMANDS = {optimize: "freerun optimize last --score qed --budget 500"}
