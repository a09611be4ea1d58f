"""The command that compares configurations on equal terms: compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freerun.app.learn import CORPUS, AllowCode, Override

if TYPE_CHECKING:
    from freerun.bootstrap import Estimate
    from freerun.standings import Comparison

INTERVALS = "means over seeds [95 % bootstrap intervals over seeds]"
DIFFERENCES = "differences from {first}, paired by seed; * where an interval of 4 seeds or more leaves out 0"


def compare(
    configs: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG...",
            help="Bundled configs, or TOML files; CONFIG@TABLE.KEY=VALUE,.. is one of them with other settings.",
        ),
    ],
    corpus: Annotated[str | None, typer.Option(help=CORPUS)] = None,
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
    seeds: Annotated[int, typer.Option(help="Runs of each config.")] = 5,
    equal: Annotated[str, typer.Option(help="What all may use as much of: steps, tokens, calls, time.")] = "steps",
    budget: Annotated[
        float, typer.Option(help="How much; of time, in minutes. 0: as many steps or tokens as the first config plans.")
    ] = 0.0,
    objective: Annotated[
        list[str] | None,
        typer.Option("--objective", metavar="NAME[:WEIGHT]", help="A score that strings are paid by; may be repeated."),
    ] = None,
    allow_code: AllowCode = False,
    override: Override = None,
    own_networks: Annotated[
        bool, typer.Option("--own-networks", help="Each keeps its own [model]; else all have that of the first.")
    ] = False,
    n: Annotated[int, typer.Option("-n", "--n", help="Samples of each run that are measured.")] = 2_000,
    suite: Annotated[str, typer.Option(help="Of measures: `freerun metrics`; else what fits the strings.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: runs/compare-TIME.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps.")] = None,
) -> None:
    """Train configs with equal means, a run a seed, and say which is better and how sure that is.

    The same command with the same --out goes on where it was interrupted.
    """
    from freerun import api
    from freerun.app.screen import Screen

    with Screen() as screen:
        compared = api.compare(
            configs,
            corpus=corpus,
            column=column,
            n_seeds=seeds,
            equal=equal,
            budget=budget,
            objectives=objective or (),
            allow_code=allow_code,
            overrides=override or (),
            own_networks=own_networks,
            n=n,
            suite=suite,
            out=out,
            device=device,
            notify=screen.say,
            watch=screen.training,
            work=screen.work,
        )
        screen.close()
        for remark in compared.remarks:
            screen.say(f"note: {remark}")
        screen.say(f"the page, for a browser: {compared.path / 'comparison.html'}")
    print(tables(compared))


def tables(compared: "Comparison") -> str:
    """Measures and costs, then differences where there are any: a column a contender."""
    first, *others = compared.standings
    rows = [["", *(standing.label for standing in compared.standings)]]
    for name in compared.names:
        rows.append([name, *(cell(each.measures.get(name), compared.n_seeds) for each in compared.standings)])
    for cost in first.costs:
        rows.append([cost, *(_amount(standing.costs[cost]) for standing in compared.standings)])
    seeds = f"{compared.n_seeds} seeds" if compared.n_seeds > 1 else "one seed"
    means = f"{seeds}; a run ends with the step that reaches {compared.means}, or before; "
    means += f"{compared.n:,} samples of each measured against {compared.against}"
    parts = [f"{means}\n{INTERVALS}" if compared.n_seeds > 1 else means, _columns(rows)]
    if others:
        rows = [["", *(standing.label for standing in others)]]
        for name in compared.names:
            cells = [cell(standing.differences.get(name), compared.n_seeds, signed=True) for standing in others]
            if any(text != "-" for text in cells):
                rows.append([name, *cells])
        parts += [DIFFERENCES.format(first=first.label), _columns(rows)]
    return "\n\n".join(parts)


def cell(estimate: "Estimate | None", n_seeds: int, signed: bool = False) -> str:
    """`0.9512 [0.9480, 0.9533]`; of a difference with its sign, and a star where the interval leaves out 0; with the
    number of seeds where some have no value.
    """
    if estimate is None or estimate.n == 0:
        return "-"
    form = "+.4f" if signed else ".4f"
    text = f"{estimate.mean:{form}}"
    if estimate.has_interval:
        text += f" [{estimate.low:{form}}, {estimate.high:{form}}]"
    if estimate.n < n_seeds:
        text += f" (of {estimate.n})"
    return text + "*" * (signed and estimate.is_clear)


def _columns(rows: list[list[str]]) -> str:
    from freerun.app.tables import table

    return table(rows, right=range(1, len(rows[0])))


def _amount(estimate: "Estimate") -> str:
    return f"{estimate.mean:,.0f}" if estimate.n else "-"


COMMANDS = {compare: "freerun compare quickstart vrae_quickstart quickstart@method.descent.lr=1e-2 --corpus my.smi"}
