"""The command `freerun score`: a table of strings and their scores."""

import contextlib
import csv
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from freerun.errors import UsageError
from freerun.files import written_aside

Columns = Sequence[Sequence[float | None]]
"""One list a score, one value a string; None: it has none."""

Put = Callable[[Sequence[str], Columns], None]


def score(
    what: Annotated[str, typer.Argument(metavar="FILE", help="A file of strings, or - for stdin.")],
    names: Annotated[
        list[str], typer.Option("--score", metavar="NAME", help="One of `freerun scores`; as many as you like.")
    ],
    out: Annotated[str, typer.Option("-o", "--out", metavar="FILE", help=".csv .tsv .parquet, or - for stdout.")] = "-",
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
) -> None:
    """Compute scores of given strings."""
    from freerun.app.screen import Screen
    from freerun.corpora.samples import read_lines
    from freerun.scores import find_computed
    from freerun.scores.parallel import values_of

    write = _writer(out)
    with Screen() as screen:
        columns = [find_computed(name).name for name in dict.fromkeys(names)]
        strings = list(read_lines(what, column))
        if not strings:
            raise UsageError("there is no string to score: the input is empty")
        values = [values_of(name, strings, progress=partial(screen.work, name)).tolist() for name in columns]
        values = [[value if math.isfinite(value) else None for value in each] for each in values]
        with write(out, columns) as put:
            put(strings, values)
        for name, each in zip(columns, values, strict=True):
            found = [value for value in each if value is not None]
            mean = f"mean {math.fsum(found) / len(found):.6g}" if found else "no mean"
            screen.say(f"{name}: {mean}, {len(each) - len(found):,} of {len(each):,} strings have no value")


def listed() -> str:
    """What there is: a line a score, and a line a family."""
    from freerun.app.tables import table
    from freerun.scores import SCORES
    from freerun.scores.families import FAMILIES

    rows = [[key, f"{each.direction} is better", _span(each.range), each.about] for key, each in SCORES.items()]
    rows += [[f"{key}:{each.argument}", "", "", each.about] for key, each in FAMILIES.items()]
    return table(rows)


def told(name: str) -> str:
    """One of them with all that it says of itself."""
    import inspect

    from freerun.app.tables import table
    from freerun.scores import find_score
    from freerun.scores.families import FAMILIES

    if name in FAMILIES:
        family = FAMILIES[name]
        left_out = "must be given" if family.default is None else f"{family.default} where it is left out"
        return f"{name}:{family.argument}\n\n{inspect.getdoc(family.make)}\n\n{family.argument}: {left_out}"
    found = find_score(name)
    facts = {
        "better": found.direction,
        "range": _span(found.range),
        "without a value": f"{found.worst:g} as a reward",
        "of": found.domain,
        "depends on": "the string alone" if found.scope == "string" else "the strings beside it too",
    }
    return f"{found.name}: {found.about}\n\n{table([list(fact) for fact in facts.items()])}"


def _span(bounds: tuple[float, float]) -> str:
    low, high = bounds
    if math.isinf(low):
        return "any number"
    return f"from {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"


def _writer(out: str) -> Any:
    suffix = "" if out == "-" else Path(out).suffix.lower()
    if suffix not in WRITERS or (out != "-" and not suffix):
        known = ", ".join(filter(None, WRITERS))
        raise UsageError(f"{out}: unknown suffix {suffix or '(none)'!r}; choose one of {known}, or - for stdout")
    return WRITERS[suffix]


@contextlib.contextmanager
def _stdout(out: str, names: Sequence[str]) -> Iterator[Put]:
    yield _rows(sys.stdout, ",", names)
    sys.stdout.flush()


def _table(delimiter: str) -> Any:
    @contextlib.contextmanager
    def writer(out: str, names: Sequence[str]) -> Iterator[Put]:
        with written_aside(Path(out), "w") as file:
            yield _rows(file, delimiter, names)

    return writer


def _rows(file: Any, delimiter: str, names: Sequence[str]) -> Put:
    """All digits, so that what is read back is what was computed; an empty cell for what has no value."""
    rows = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    rows.writerow(["string", *names])

    def put(strings: Sequence[str], values: Columns) -> None:
        rows.writerows(zip(strings, *values, strict=True))

    return put


@contextlib.contextmanager
def _parquet(out: str, names: Sequence[str]) -> Iterator[Put]:
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema([("string", pyarrow.string()), *((name, pyarrow.float64()) for name in names)])
    with written_aside(Path(out)) as file, pyarrow.parquet.ParquetWriter(file, schema) as rows:

        def put(strings: Sequence[str], values: Columns) -> None:
            rows.write_table(pyarrow.table([strings, *values], schema=schema))

        yield put


WRITERS = {"": _stdout, ".csv": _table(","), ".tsv": _table("\t"), ".parquet": _parquet}

COMMANDS = {score: "freerun score molecules.smi --score qed --score similarity:CCO -o scores.csv"}
