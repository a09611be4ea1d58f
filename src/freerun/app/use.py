"""Commands that use what was trained: sample, evaluate, report."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freerun.errors import UsageError

if TYPE_CHECKING:
    from freerun.app.screen import Screen
    from freerun.samples import Sample

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps: auto is the best that this machine has.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run folder, its name under runs/, or `last`.")]
Last = Annotated[bool, typer.Option("--last", help="The last weights instead of the best.")]
GivenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--given", metavar="CONDITION=VALUE", help="Of a conditional run: what is asked for; may be repeated."
    ),
]


def sample(
    run: Run,
    n: Annotated[int, typer.Option("-n", help="How many strings.")] = 10,
    out: Annotated[str, typer.Option("-o", "--out", help=".smi .txt .csv .tsv .parquet .sdf, or - for stdout.")] = "-",
    seed: Annotated[int, typer.Option(help="Sample i depends on the seed and on i alone.")] = 0,
    temperature: Annotated[float, typer.Option(help="Below 1: more probable strings; above: more varied ones.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Only the k most probable tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Only the most probable tokens that make up p.")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always the most probable token: one string.")] = False,
    beam: Annotated[int, typer.Option(help="Beam search of this width: the most probable strings.")] = 0,
    prefix: Annotated[str, typer.Option(help="Strings that begin so.")] = "",
    max_length: Annotated[int, typer.Option(help="Most tokens; 0: as in training.")] = 0,
    no_constraint: Annotated[bool, typer.Option("--no-constraint", help="Without the run's constraint.")] = False,
    unique: Annotated[bool, typer.Option("--unique", help="n different lines, drawn without replacement.")] = False,
    novel: Annotated[bool, typer.Option("--novel", help="None of the training set.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Strings as they were written, not canonical.")] = False,
    valid_only: Annotated[bool, typer.Option("--valid-only", help="No invalid strings.")] = False,
    given: GivenOption = None,
    score: Annotated[
        list[str] | None,
        typer.Option("--score", metavar="NAME", help="One of `freerun scores`, a column each; may be repeated."),
    ] = None,
    last: Last = False,
    batch: Annotated[int, typer.Option(help="Sequences written at once.")] = 512,
    device: Device = "auto",
) -> None:
    """Let a trained generator run free."""
    from freerun import outputs, samples
    from freerun.app.screen import Screen
    from freerun.known import training_strings
    from freerun.run_folder import RunFolder
    from freerun.sampling.decoding import Decoding
    from freerun.scores import find_computed
    from freerun.trained import Trained

    with Screen() as screen:
        scores = [find_computed(name).name for name in dict.fromkeys(score or ())]
        outputs.check_suffix(out, scores)
        trained = Trained.load(RunFolder.found(run), device=device, last=last)
        try:
            decoding = Decoding(temperature, top_k, top_p, greedy)
        except ValueError as error:
            raise UsageError(str(error)) from error
        wanted = samples.Wanted(
            n=n,
            seed=seed,
            decoding=decoding,
            prefix=prefix,
            max_length=max_length,
            constrained=not no_constraint,
            beam=beam,
            unique=unique,
            raw=raw,
            valid_only=valid_only,
            is_known=training_strings(trained) if novel else None,
            given=trained.state.world.conditions.told(asked(given)),
            batch_size=batch,
        )
        pieces = _counted(samples.draw(trained, wanted, screen.say), n, screen)
        counts = outputs.write_samples(pieces, out, raw=raw, given=wanted.given, scores=scores)
        if out != "-":
            share = f", {counts['valid']:,} of {counts['drawn']:,} valid" if trained.representation.is_chemical else ""
            screen.say(f"{counts['written']:,} strings into {out}{share}")


def evaluate(
    what: Annotated[str, typer.Argument(metavar="SAMPLES|RUN", help="A file of strings, -, a run folder, or `last`.")],
    suite: Annotated[str, typer.Option(help="One of `freerun metrics`; for a run: what fits its strings.")] = "",
    against: Annotated[str, typer.Option(metavar="CORPUS|FILE", help="The truth; for a run: its own corpus.")] = "",
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
    n: Annotated[int, typer.Option("-n", help="Of a run: how many samples are drawn.")] = 10_000,
    json_out: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="The measures, as JSON.")] = None,
    seed: Annotated[int, typer.Option(help="Of the samples of a run.")] = 0,
    device: Device = "auto",
) -> None:
    """Measure samples: validity, diversity, and how near their distribution is to a corpus."""
    from freerun import evaluation, examination
    from freerun.app.screen import Screen
    from freerun.app.tables import measures_table
    from freerun.corpora.samples import read_lines
    from freerun.files import write_json
    from freerun.run_folder import RunFolder

    with Screen() as screen:
        if what == "last" or Path(what).is_dir() or (not Path(what).exists() and (Path("runs") / what).is_dir()):
            folder = RunFolder.found(what)
            measures = examination.Examination(folder, n, seed, device, suite, against, screen.say, screen.work).run()
        else:
            strings = read_lines(what, column)
            measures = evaluation.evaluate_strings(strings, suite or "moses", against, progress=screen.work)
        if json_out is not None:
            write_json(json_out, measures["ours"])
    print(measures_table(measures))


def report(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run folders, or `last`.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE.html", help="Default: in the run.")] = None,
) -> None:
    """Draw one page of one run, or of several side by side."""
    from freerun.report.page import write_report
    from freerun.run_folder import RunFolder

    folders = [RunFolder.found(run).path for run in runs]
    print(write_report(folders, out or folders[0] / "report.html"))


def asked(given: list[str] | None) -> dict[str, str]:
    """`logP=2.5`, as often as it is given: all before the first = is the name.

    Raises:
        UsageError: If there is no =, or a name comes twice.
    """
    values: dict[str, str] = {}
    for text in given or ():
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise UsageError(f"--given {text!r} must be CONDITION=VALUE, for example --given logP=2.5")
        if name in values:
            raise UsageError(f"--given {name} is asked for twice, {values[name]!r} and {value!r}; once is enough")
        values[name] = value
    return values


def _counted(pieces: "Iterable[list[Sample]]", n: int, screen: "Screen") -> "Iterator[list[Sample]]":
    done = 0
    for piece in pieces:
        done += len(piece)
        screen.work("samples", done, n)
        yield piece


COMMANDS = {
    sample: "freerun sample last -n 30000 -o samples.smi",
    evaluate: "freerun evaluate samples.smi --suite moses --against moses --json measures.json",
    report: "freerun report last",
}
