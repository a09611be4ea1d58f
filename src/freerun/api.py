"""The same as on the command line, as functions: what `import freerun` offers."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from freerun import comparison, run_folder
from freerun.config import resolve
from freerun.config_files import load_tables
from freerun.contenders import contenders
from freerun.corpora.own_files import keep_standard_input
from freerun.corpora.sources import SOURCES
from freerun.errors import FreerunError, Interrupted, UsageError
from freerun.evaluation import Progress as MeasureProgress
from freerun.evaluation import evaluate_strings
from freerun.explanation.explanation import Explanation, explain_run, explain_string
from freerun.explanation.page import write_page
from freerun.handle import Notify, Run, silent
from freerun.methods import METHODS
from freerun.objectives.permission import refuse_code
from freerun.paying import anchored
from freerun.prepare import Prepared, prepare, reopen
from freerun.report.comparison import write_comparison
from freerun.report.page import write_report
from freerun.run import Progress, Training
from freerun.run_folder import RunFolder
from freerun.standings import Comparison
from freerun.trained import Trained, read_config

Watch = Callable[[Progress], None]


def train(
    config: str = "quickstart",
    *,
    corpus: str | Path | None = None,
    column: str | None = None,
    conditions: Sequence[str] = (),
    objectives: Sequence[str] = (),
    allow_code: bool = False,
    overrides: Sequence[str] = (),
    init: str | Path | None = None,
    out: str | Path | None = None,
    strict: bool = False,
    device: str | None = None,
    seed: int | None = None,
    notify: Notify = silent,
    watch: Watch = silent,
    work: MeasureProgress | None = None,
) -> Run:
    """Trains a run from the start.

    Args:
        config: Name of a bundled configuration, or a TOML file.
        corpus: A corpus or a file in place of the configuration's.
        conditions: Columns, or scores, that can be asked of samples later: `method.condition`.
        objectives: `NAME` or `NAME:WEIGHT`, in place of the configuration's: scores, `FILE.py:FUNCTION`,
            `command:PROGRAM ARG..`, `ratings:FILE.csv`; for methods that are taught by an objective.
        allow_code: Functions and programs that the configuration file names may run; those of `objectives` always do.
        overrides: `TABLE.KEY=VALUE`, as after `--set`.
        init: A run that lends its weights and vocabulary.
        out: Folder of the run; by default `runs/<config>-<time>`.
        notify: Told what a person should know, a line each.
        watch: Told of every step.
        work: Told how far the reading of the corpus is.

    Raises:
        FreerunError: In one line, with the remedy. `Interrupted` if the user stopped it: everything is saved.
    """
    tables = load_tables(config, overrides)
    for table, key, value in (
        ("corpus", "name", None if corpus is None else str(corpus)),
        ("corpus", "column", column),
        ("corpus", "strict", strict or None),
        ("run", "init", None if init is None else str(RunFolder.found(init).path.resolve())),
        ("run", "device", device),
        ("run", "seed", seed),
    ):
        if value is not None:
            tables.setdefault(table, {})[key] = value
    named = tables.get("corpus", {}).get("name")
    if isinstance(named, str):
        tables["corpus"]["name"] = _absolute(named)
    if conditions:
        _check_takes_conditions(tables)
        tables.setdefault("method", {})["condition"] = list(conditions)
    if objectives:
        tables.setdefault("objective", {})["scores"] = list(objectives)
    resolved = resolve(tables)
    resolved = dataclasses.replace(resolved, objective=anchored(resolved.objective))
    refuse_code(resolved.objective, allow_code or bool(objectives), {})
    folder = RunFolder.created(Path(out) if out else run_folder.new_path(Path(config).stem))
    with folder.locked():
        if resolved.corpus.name == "-":
            kept = str(keep_standard_input(folder.path.resolve(), resolved.corpus.column or None))
            resolved = dataclasses.replace(resolved, corpus=dataclasses.replace(resolved.corpus, name=kept))
        with prepare(resolved, folder, notify, work) as prepared:
            _say_what(prepared, notify)
            _trained(folder, prepared, watch, notify)
    return Run(folder.path)


def resume(
    run: str | Path = "last",
    *,
    allow_code: bool = False,
    notify: Notify = silent,
    watch: Watch = silent,
    work: MeasureProgress | None = None,
) -> Run:
    """Goes on with a run from its last checkpoint, to the same result as if it had never stopped.

    Args:
        allow_code: Functions and programs that its objective names may run, if they are what they were.
    """
    folder = RunFolder.found(run)
    with folder.locked():
        facts = folder.read_facts()
        if facts["status"] == "finished":
            notify(f"{folder.path} is finished already; to train more, start a new run with --init {folder.path}")
            return Run(folder.path)
        refuse_code(read_config(folder).objective, allow_code, facts.get("code", {}))
        with reopen(folder, notify, work, is_paid=True) as prepared:
            _say_what(prepared, notify)
            _trained(folder, prepared, watch, notify)
    return Run(folder.path)


def _trained(folder: RunFolder, prepared: Prepared, watch: Watch, notify: Notify) -> None:
    """Trains to the end; a run that fails says so to whoever looks at its folder."""
    try:
        Training(folder, prepared).go(watch, notify)
    except Interrupted:
        raise
    except (FreerunError, FloatingPointError) as error:
        folder.write_facts({**folder.read_facts(), "status": "failed", "ended": f"failed: {error}"})
        if isinstance(error, FreerunError):
            raise
        raise FreerunError(str(error)) from error


def compare(
    configs: Sequence[str],
    *,
    corpus: str | Path | None = None,
    column: str | None = None,
    n_seeds: int = 5,
    equal: str = "steps",
    budget: float = 0.0,
    objectives: Sequence[str] = (),
    allow_code: bool = False,
    overrides: Sequence[str] = (),
    own_networks: bool = False,
    n: int = 2000,
    suite: str = "",
    out: str | Path | None = None,
    device: str | None = None,
    notify: Notify = silent,
    watch: Watch = silent,
    work: MeasureProgress | None = None,
) -> Comparison:
    """Trains several configurations with equal means, a run a seed, and measures them; `comparison.html` shows it.

    Args:
        configs: Names of bundled configurations, or TOML files; `NAME@TABLE.KEY=VALUE,..` is one with other settings.
        corpus: A corpus or a file in place of the first configuration's; all are trained on the same.
        n_seeds: Runs of each.
        equal: What all may use as much of: `steps`, `tokens`, `calls` of the objective, `time`.
        budget: How much; of time, in minutes; 0: as many steps or tokens as the first configuration plans.
        objectives: `NAME` or `NAME:WEIGHT`: what those are paid by whose methods take an objective.
        allow_code: Functions and programs that a configuration names as its objective may run; those of `objectives`
            always do.
        overrides: `TABLE.KEY=VALUE` of all of them.
        own_networks: Each keeps its own [model]; else all have that of the first.
        n: Samples of each run that are measured.
        suite: Of measures; empty: what fits the strings.
        out: Folder, by default `runs/compare-<time>`; that of the same comparison goes on where it stopped.

    Raises:
        FreerunError: In one line, with the remedy. `Interrupted` if the user stopped it: everything is saved.
    """
    folder = Path(out) if out else run_folder.new_path("compare")
    strings = None if corpus is None else _absolute(corpus)
    if strings == "-":
        strings = comparison.kept_corpus(folder, column)
    chosen = contenders(
        configs,
        overrides,
        corpus=strings,
        column=column,
        objectives=objectives,
        allow_code=allow_code,
        device=device,
        own_networks=own_networks,
    )
    return comparison.compare(
        comparison.Plan(chosen, equal, budget, n_seeds, n, suite),
        folder,
        device=device or "auto",
        notify=notify,
        watch=watch,
        work=work,
        show=write_comparison,
    )


def evaluate(
    strings: Iterable[str], suite: str = "moses", against: str = "", *, progress: MeasureProgress | None = None
) -> dict[str, float]:
    """Measures of strings from anywhere, against a corpus or a file."""
    return evaluate_strings(strings, suite, against, progress=progress)["ours"]


def report(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Several runs side by side on one HTML page."""
    return write_report([RunFolder.found(run).path for run in runs], Path(out))


def explain(
    string: str,
    *,
    run: str | Path | None = None,
    representation: str = "",
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    last: bool = False,
    device: str = "auto",
) -> Explanation:
    """One string token by token: its graph, its derivation and, with a run, what its model thinks of each token.

    Args:
        run: A run folder; its representation and its model are used.
        representation: Without a run: the name of a representation, or a grammar; empty: what fits the string.
        overrides: `representation.KEY=VALUE`, as after `--set`.
        out: An HTML file that shows it.
        last: The last weights of the run instead of the best.

    Raises:
        InvalidSequence: If the string cannot be read, with the position.
    """
    if run is None:
        told = explain_string(string, representation, overrides)
    else:
        told = explain_run(string, Trained.load(RunFolder.found(run), device=device, last=last))
    if out is not None:
        write_page(told, Path(out))
    return told


def _check_takes_conditions(tables: Mapping[str, Any]) -> None:
    """
    Raises:
        UsageError: If the method takes none.
    """
    able = [name for name, kind in METHODS.items() if "condition" in inspect.signature(kind).parameters]
    name = tables.get("method", {}).get("name", "teacher_forcing")
    if name in METHODS and name not in able:
        raise UsageError(f"the method {name} takes no conditions; those that do: {', '.join(able)}")


def _absolute(corpus: str | Path) -> str:
    """A file is remembered by its full path, so that a run can be resumed from anywhere; a corpus by its name."""
    is_known = str(corpus) == "-" or str(corpus) in SOURCES
    return str(corpus) if is_known or not Path(corpus).exists() else str(Path(corpus).resolve())


def _say_what(prepared: Any, notify: Notify) -> None:
    facts = prepared.folder.read_facts()
    corpus = facts["corpus"]
    notify(
        f"{corpus['n_train']:,} sequences to train on, {corpus['n_valid']:,} held out; "
        f"{len(prepared.representation.vocab)} tokens; {facts['model']['n_parameters']:,} weights; "
        f"{facts['device']}, {facts['precision']}; into {prepared.folder.path}"
    )


__all__ = ["FreerunError", "Run", "compare", "evaluate", "explain", "report", "resume", "train"]
