"""Commands that train: demo, train, resume."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from freerun.app.screen import Screen

CORPUS = "A corpus (`freerun corpora`), or your file: .smi .txt .csv .tsv .parquet, .gz, or - for stdin."
Override = Annotated[list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="A value of the config.")]

AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Functions and programs that a config or a run folder names may run.")
]


def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again even if the run is there.")] = False,
) -> None:
    """The main job in four minutes: train on 20,000 molecules, run free, evaluate, report."""
    from freerun.app.demo import run_demo

    run_demo(out, fresh)


def train(
    config: Annotated[str, typer.Argument(help="A bundled config (`freerun configs`), or a TOML file.")] = "quickstart",
    corpus: Annotated[str | None, typer.Option(help=CORPUS)] = None,
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option("--condition", metavar="NAME", help="A column, or a score, that can be asked of samples later."),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option("--objective", metavar="NAME[:WEIGHT]", help="A score that strings are paid by; may be repeated."),
    ] = None,
    allow_code: AllowCode = False,
    override: Override = None,
    init: Annotated[str | None, typer.Option(metavar="RUN", help="Lends its weights and vocabulary.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="RUN", help="Default: runs/CONFIG-TIME.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A line that cannot be read ends the run.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, mps.")] = None,
) -> None:
    """Train a generator; Ctrl-C saves, `freerun resume last` goes on."""
    from freerun import api
    from freerun.app.screen import Screen

    with Screen() as screen:
        run = api.train(
            config,
            corpus=corpus,
            column=column,
            conditions=condition or (),
            objectives=objective or (),
            allow_code=allow_code,
            overrides=override or (),
            init=init,
            out=out,
            strict=strict,
            seed=seed,
            device=device,
            notify=screen.say,
            watch=screen.training,
            work=screen.work,
        )
        _trained(screen, run.path)


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or `last`.")],
    allow_code: AllowCode = False,
) -> None:
    """Go on with an interrupted run, to the same result as if it had not been interrupted."""
    from freerun import api
    from freerun.app.screen import Screen

    with Screen() as screen:
        resumed = api.resume(run, allow_code=allow_code, notify=screen.say, watch=screen.training, work=screen.work)
        _trained(screen, resumed.path)


def _trained(screen: "Screen", path: Path) -> None:
    from freerun.run_folder import RunFolder

    screen.close()
    ended = RunFolder(path).read_facts()["ended"]
    screen.say(f"trained: {path} ({ended})")
    screen.say(f"  freerun sample {path} -n 20\n  freerun evaluate {path}\n  freerun report {path}")


COMMANDS = {
    demo: "freerun demo",
    train: "freerun train --corpus molecules.csv --column SMILES",
    resume: "freerun resume last",
}
