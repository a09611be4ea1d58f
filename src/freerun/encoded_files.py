"""The strings of a file, a row a line, and their latent codes: what cannot be read keeps its row."""

import dataclasses
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float

from freerun.codes import encode
from freerun.columns import score_of
from freerun.conditions import Conditions, Label, Number
from freerun.corpora.lines import AbstractReader
from freerun.corpora.reading import Reading, Refusal, refuse
from freerun.corpora.values import Column
from freerun.errors import FreerunError, InvalidSequence
from freerun.trained import Trained

N_AT_ONCE = 8192  # lines that are held together
SKIPPED = "a blank line, or a header"


@dataclasses.dataclass(frozen=True)
class Coded:
    """Some lines of a file and their codes.

    Args:
        strings: As they stand in the file; empty where nothing could be read.
        means, log_vars: Of the posterior of each; NaN where it has none.
    """

    strings: list[str]
    means: Float[np.ndarray, "lines latent"]
    log_vars: Float[np.ndarray, "lines latent"]


def encoded(
    trained: Trained, reader: AbstractReader, reading: Reading, work: Callable[[int], None] = lambda _: None
) -> Iterator[Coded]:
    """The codes of all lines of a file, in pieces and in order.

    A file of lines has a row for each line, the blank ones and a header too; a table has a row for each of its rows.
    Of a conditional run the columns of a table that bear the names of conditions are told to the encoder.

    Args:
        reading: Notes what is left out, or ends at the first such line.
        work: Told how many lines are done.

    Raises:
        UsageError: If the method has no latent space.
        FreerunError: If the file cannot be read; of a strict reading, if a line has no code.
    """
    conditions = trained.state.world.conditions
    there = set(reader.column_names())
    names = [name for name in conditions.names if name in there]
    records, done = _lines(reader, reading, names), 0
    while piece := list(islice(records, N_AT_ONCE)):
        yield _coded(trained, reader, reading, names, piece)
        done += len(piece)
        work(done)


def told(trained: Trained, reader: AbstractReader) -> str:
    """What of a conditional run's conditions the encoder learns of this file, and from where; empty without any."""
    there, ways = set(reader.column_names()), list[str]()
    for part in trained.state.world.conditions.parts:
        if part.name in there:
            ways.append(f"{part.name} from its column")
        elif isinstance(part, Number) and (score := score_of(part.name)) is not None:
            ways.append(f"{part.name} by the score {score.name}")
        else:
            ways.append(f"{part.name} missing (no column of this name, and no score)")
    return f"the encoder is told: {', '.join(ways)}" if ways else ""


Line = tuple[int, str | Refusal, Any]


def _lines(reader: AbstractReader, reading: Reading, names: list[str]) -> Iterator[Line]:
    """Records of a table; of a file of lines, the blank ones between them too."""
    following = 1
    for line, text, row in reader.records(reading, names):
        if not reader.string_column:
            for skipped in range(following, line):
                yield skipped, refuse(skipped, reader.file.name, 0, SKIPPED), ()
            following = line + 1
        yield line, text, row


def _coded(trained: Trained, reader: AbstractReader, reading: Reading, names: list[str], piece: list[Line]) -> Coded:
    places = [place for place, (_, text, _) in enumerate(piece) if isinstance(text, str)]
    strings = ["" if isinstance(text, Refusal) else text for _, text, _ in piece]
    for _, text, _ in piece:
        if isinstance(text, Refusal) and text.reason == SKIPPED:
            reading.refusals.add(text)  # not even a strict reading minds it
        elif isinstance(text, Refusal):
            reading.refused(text)

    def refused(place: int, error: FreerunError) -> None:
        line, text, _ = piece[places[place]]
        position, reason = (error.position, error.reason) if isinstance(error, InvalidSequence) else (0, str(error))
        shown = text if isinstance(error, InvalidSequence) and isinstance(text, str) else ""
        reading.refused(refuse(line, reader.file.name, position, reason, shown))

    found = encode(
        trained,
        [strings[place] for place in places],
        columns=_columns(trained.state.world.conditions, names, [piece[place] for place in places], reading),
        refused=refused,
    )
    means = np.full((len(piece), found[0].shape[1]), np.nan, np.float32)
    log_vars = means.copy()
    means[places], log_vars[places] = found
    return Coded(strings, means, log_vars)


def _columns(conditions: Conditions, names: list[str], piece: list[Line], reading: Reading) -> dict[str, np.ndarray]:
    """The conditions that the table tells; what cannot be used is missing, and noted."""
    found = {}
    for at, name in enumerate(names):
        column = Column(name, "label" if isinstance(conditions.part(name), Label) else "number")
        for line, _, row in piece:
            column.add(line, row[at])
        found[name] = column.array()
        if column.n_wrong:
            reading.note(f"column {name!r}: what is not a number, as {column.wrong}, is taken as missing")
        if unknown := conditions.unknown(name, found[name]):
            reading.note(
                f"column {name!r}: classes that this run does not know, as {unknown[0]!r}, are taken as missing"
            )
    return found
