"""People's answers as a file: a table with the columns `string`, `rating` and, where several people answer, `rater`."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from freerun.chemistry import canonical
from freerun.corpora.containers import existing
from freerun.corpora.reading import Reading, listed, plural
from freerun.corpora.tables import Table
from freerun.errors import UsageError, excerpt
from freerun.scores.base import nearest

STRING, RATING, RATER = "string", "rating", "rater"


@dataclasses.dataclass(frozen=True)
class Answer:
    """One rating of one string.

    Args:
        string: The canonical SMILES of a molecule; any other string as it is written.
        rater: Who gave it; empty: one who is not named.
    """

    string: str
    rating: float
    rater: str = ""


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a file holds.

    Args:
        name: The file.
        is_chemical: Whether the strings are molecules: at least half of them are.
        answers: In the order of the file, at least one.
        remarks: What was left out, in words.
    """

    name: str
    is_chemical: bool
    answers: tuple[Answer, ...]
    remarks: tuple[str, ...] = ()

    def by_string(self) -> dict[str, list[float]]:
        """All ratings of each string."""
        found = collections.defaultdict[str, list[float]](list)
        for answer in self.answers:
            found[answer.string].append(answer.rating)
        return dict(found)


@dataclasses.dataclass(frozen=True)
class Consistency:
    """Mean absolute difference of two ratings of one string; NaN where there are no two.

    Args:
        own: By the same rater.
        n_own: Pairs that it is the mean of.
        between: Of the means of two raters.
    """

    own: float
    n_own: int
    between: float
    n_between: int


def rater_consistency(answers: Answers) -> Consistency:
    """How well raters agree with themselves, and with one another; those without a name count as one rater."""
    given = collections.defaultdict[str, dict[str, list[float]]](lambda: collections.defaultdict(list))
    for answer in answers.answers:
        given[answer.string][answer.rater].append(answer.rating)
    own = [gap for raters in given.values() for ratings in raters.values() for gap in _gaps(ratings)]
    means = [[_mean(ratings) for ratings in raters.values()] for raters in given.values()]
    between = [gap for of_string in means for gap in _gaps(of_string)]
    return Consistency(_mean(own), len(own), _mean(between), len(between))


def read_answers(path: Path) -> Answers:
    """The ratings of a file: commas, semicolons or tabs, with or without a byte-order mark, cells quoted or not.

    Rows without a rating, or whose string cannot be read, are left out and counted.

    Raises:
        UsageError: If there is no such file or column, a rating is no number, or no row is left.
    """
    table = table_of(path)
    reading = Reading()
    rows = list(_rows(table, reading))
    is_chemical = are_molecules([text for text, _, _ in rows])
    answers, n_odd, n_empty = list[Answer](), 0, 0
    for text, rating, rater in rows:
        string = written_as(is_chemical, text)
        if rating is None:
            n_empty += 1
        elif string is None:
            n_odd += 1
        else:
            answers.append(Answer(string, rating, rater))
    remarks = [
        f"{plural(n_odd, 'string')} that are no molecules" * bool(n_odd),
        f"{plural(n_empty, 'row')} without a rating" * bool(n_empty),
        f"{plural(reading.refusals.count, 'row')} that cannot be read" * bool(reading.refusals.count),
    ]
    if not answers:
        left_out = " and ".join(filter(None, remarks)) or "no rows"
        raise UsageError(f"{path} holds {left_out}, and nothing else; give one string and its rating a row")
    return Answers(str(path), is_chemical, tuple(answers), tuple(f"left out: {each}" for each in remarks if each))


def are_molecules(texts: Sequence[str]) -> bool:
    """Whether at least half of the strings are: a model's samples may hold much that is none."""
    return 2 * sum(written_as(True, text) is not None for text in texts) >= max(1, len(texts))


def written_as(is_chemical: bool, text: str) -> str | None:
    """The canonical SMILES of a molecule, None for what is none; any other string as it is.

    RDKit takes what follows white space for a name, so that a sentence that begins with `I` would be iodine.
    """
    if not is_chemical:
        return text
    return None if any(map(str.isspace, text)) else canonical(text)


def table_of(path: Path) -> Table:
    """The file, with the delimiter that its header has most of, and the columns that it must have.

    Raises:
        UsageError: If there is no such file, or a column is missing; the nearest one is named.
    """
    file = existing(path)
    table = max((Table(file, delimiter, STRING) for delimiter in ",;\t"), key=lambda each: len(each.column_names()))
    columns = table.column_names()
    for name in (STRING, RATING):
        if name not in columns:
            raise UsageError(
                f"{path} has no column {name!r}{nearest(name, columns)}; it has {listed(columns) or 'none'}, "
                f"and ratings need {STRING},{RATING} and, if there are several people, {RATER}"
            )
    return table


def _rows(table: Table, reading: Reading) -> Iterator[tuple[str, float | None, str]]:
    columns = [name for name in (RATING, RATER) if name in table.column_names()]
    for line, text, cells in table.records(reading, columns):
        if isinstance(text, str):
            yield text, _rating(cells[0], table.file.name, line), cells[1] if len(cells) > 1 else ""
        else:
            reading.refused(text)


def _rating(cell: str, file: str, line: int) -> float | None:
    if not cell.strip():
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"{file}, line {line}, column {RATING}: {excerpt(cell)} is no number; mend the cell, or leave it empty"
        )
    return value


def _gaps(values: Sequence[float]) -> list[float]:
    return [abs(first - second) for first, second in itertools.combinations(values, 2)]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
