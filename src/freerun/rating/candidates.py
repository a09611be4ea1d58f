"""Which strings people are asked about: samples of a run, lines of a file, or those that teach most."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from freerun.corpora.own_files import open_file
from freerun.corpora.reading import Reading, plural
from freerun.errors import UsageError
from freerun.rating.plan import Item
from freerun.samples import Wanted, draw
from freerun.scores.answers import are_molecules, read_answers, written_as
from freerun.scores.ratings import Ratings, least_certain
from freerun.trained import Trained

Notify = Callable[[str], None]
N_CANDIDATES = 1_000  # samples of a run among which the least certain are looked for


def of_run(trained: Trained, n: int, seed: int, notify: Notify) -> tuple[list[Item], bool]:
    """n different valid samples, and whether they are molecules; fewer where there are no more."""
    wanted = Wanted(n=n, seed=seed, unique=True, valid_only=True)
    drawn = [Item(sample.string, sample.raw) for piece in draw(trained, wanted, notify) for sample in piece]
    return drawn, trained.representation.is_chemical


def of_file(name: str, column: str | None, notify: Notify) -> tuple[list[Item], bool]:
    """The different strings of a file, and whether they are molecules: at least half of them are.

    Raises:
        UsageError: If there is no such file or column.
        FreerunError: If the file cannot be read or is empty.
    """
    reading = Reading()
    texts = [text for _, text, _ in open_file(name, column).records(reading) if isinstance(text, str)]
    is_chemical = are_molecules(texts)
    found: dict[str, Item] = {}
    n_odd = 0
    for text in texts:
        string = written_as(is_chemical, text)
        if string is None:
            n_odd += 1
        else:
            found.setdefault(string, Item(string, text))
    if n_odd:
        notify(f"{name}: {plural(n_odd, 'line')} left out, no molecules")
    return list(found.values()), is_chemical


def chosen(items: Sequence[Item], n: int, seed: int) -> list[Item]:
    """n of them, drawn at random; all where there are no more."""
    return [items[place] for place in np.random.default_rng(seed).permutation(len(items))[:n]]


def to_ask_next(items: Sequence[Item], rated: Path, n: int) -> list[Item]:
    """The n whose rating is least certain by what people have said so far.

    Raises:
        UsageError: If the ratings cannot be read or teach nothing, or all items are rated already.
    """
    by_string = {item.string: item for item in items}
    asked = least_certain(Ratings.of(read_answers(rated)), list(by_string), n)
    if not asked:
        raise UsageError(
            f"none of the {len(items):,} strings is new: {rated} rates them all, or they are of another kind"
        )
    return [by_string[string] for string in asked]
