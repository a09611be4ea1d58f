"""Commands that tell what there is: corpora, methods, representations, constraints, scores, metrics, configs, runs,
fetch.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

LONGEST_ABOUT, LONGEST_STATUS = 110, 60  # characters
Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them, with all its fields.")]


def corpora(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="A corpus, or your own file.")] = None,
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
) -> None:
    """The corpora that there are; what one of them, or your own file, holds."""
    from freerun.app.inspection import described
    from freerun.app.screen import Screen
    from freerun.app.tables import table
    from freerun.corpora.inspect import inspect
    from freerun.corpora.sources import SOURCES

    if name is None:
        rows = [["name", "strings", "description"]]
        for key, source in SOURCES.items():
            rows.append([key, f"{sum(source.splits.values()):,}", source.description])
        print(table(rows, right=[1]))
        return
    with Screen() as screen:
        found = inspect(name, column=column)
        screen.close()
    source = SOURCES.get(name)
    if source is not None:
        print(f"{source.description}\n{source.origin}; licence: {source.licence}\n{source.traps}".rstrip() + "\n")
    print(described(found))


def fetch(names: Annotated[list[str], typer.Argument(metavar="CORPUS...")]) -> None:
    """Bring corpora into the data folder, each checked against its hash."""
    from freerun.app.screen import Screen
    from freerun.corpora.fetch import fetch as fetch_corpora

    with Screen() as screen:
        for paths in fetch_corpora(names, screen.work).values():
            print(*paths, sep="\n")


def methods(name: Name = None) -> None:
    """The methods, one file a paper."""
    from freerun.methods import METHODS

    _tell("method", METHODS, name)


def representations(name: Name = None) -> None:
    """How strings become tokens."""
    from freerun.representations import REPRESENTATIONS

    _tell("representation", REPRESENTATIONS, name)


def constraints(name: Name = None) -> None:
    """Which token may come next."""
    from freerun.constraints import CONSTRAINTS

    _tell("constraint", CONSTRAINTS, name)


def scores(name: Name = None) -> None:
    """Numbers of a string."""
    from freerun.app.scoring import listed, told
    from freerun.app.screen import Screen

    with Screen():
        text = listed() if name is None else told(name)
    print(text)


def metrics(name: Name = None) -> None:
    """Suites of measures of a set of strings."""
    from freerun.evaluation import SUITES

    _tell("metric", SUITES, name)


def configs(name: Name = None) -> None:
    """Bundled configurations; one of them in full, to be copied and changed."""
    from freerun.app.tables import table
    from freerun.config_files import bundled
    from freerun.settings import named

    if name is not None:
        print(named(bundled(), name, "config").read_text(encoding="utf-8"), end="")
        return
    print(table([[key, _comment(path)] for key, path in bundled().items()]))


def runs() -> None:
    """The runs under runs/, the last one at the end."""
    import textwrap

    from freerun.app.tables import table
    from freerun.run_folder import existing
    from freerun.standings import likelihoods

    rows = [["run", "status", "corpus", "step", "NLL (or its bound) a token, held out"]]
    for run in existing():
        facts, records = run.read_facts(), run.records()
        nll = [*likelihoods(run).values()]
        step = str(records[-1]["step"]) if records else "0"
        corpus = Path(facts["corpus"]["name"]).name
        status = textwrap.shorten(facts.get("ended") or facts["status"], LONGEST_STATUS, placeholder=" ..")
        rows.append([str(run.path), status, corpus, step, f"{nll[0]:.4f}" if nll else "-"])
    print(table(rows, right=[3, 4]) if len(rows) > 1 else "no runs yet; `freerun train` starts one")


def _tell(what: str, registry: Mapping[str, Any], name: str | None) -> None:
    """A line each; or one of them with its whole docstring and its fields."""
    import inspect

    from freerun.app.tables import table
    from freerun.settings import named

    if name is None:
        print(table([[key, _first_line(value)] for key, value in registry.items()]))
        return
    thing = named(registry, name, what)
    print(inspect.getdoc(thing) or "")
    for line in _fields(thing):
        print(line)


def _fields(thing: Any) -> list[str]:
    import dataclasses

    if not isinstance(thing, type) or not dataclasses.is_dataclass(thing):
        return []
    lines = ["", "fields and defaults:"]
    for field in (field for field in dataclasses.fields(thing) if field.init):
        value = "(needed)" if field.default is dataclasses.MISSING else repr(field.default)
        lines.append(f"  {field.name} = {value}")
    return lines


def _first_line(thing: Any) -> str:
    import inspect

    return getattr(thing, "about", None) or (inspect.getdoc(thing) or "").partition("\n")[0]


def _comment(path: Path) -> str:
    """The first sentence of a TOML file says what it is for."""
    import itertools
    import re
    import textwrap

    lines = itertools.takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    sentence = re.split(r"(?<=\.) (?=[A-Z])", " ".join(line.lstrip("# ") for line in lines))[0]
    return textwrap.shorten(sentence.removesuffix("."), LONGEST_ABOUT, placeholder=" ..")


COMMANDS: dict[Callable[..., None], str] = {
    corpora: "freerun corpora molecules.csv",
    fetch: "freerun fetch moses coco",
    methods: "freerun methods teacher_forcing",
    representations: "freerun representations smiles",
    constraints: "freerun constraints length",
    scores: "freerun scores plogp",
    metrics: "freerun metrics moses",
    configs: "freerun configs quickstart > mine.toml",
    runs: "freerun runs",
}
