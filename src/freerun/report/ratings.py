"""People's ratings that a run learnt from: how well they can be predicted, and what to ask people next."""

import csv
import dataclasses
import math
from pathlib import Path

from freerun.errors import FreerunError
from freerun.report.folder import Run, is_true
from freerun.report.molecules import Drawing, drawing
from freerun.report.samples import is_chemical
from freerun.report.summary import Tile
from freerun.report.told import names_of_scores, rounded
from freerun.scores.answers import rater_consistency, read_answers
from freerun.scores.ratings import FEW, Ratings, least_certain, leave_one_out_error

FAMILY = "ratings:"
N_NEXT, N_CANDIDATES, MOST_BYTES = 12, 1_000, 5_000_000


@dataclasses.dataclass(frozen=True)
class Rated:
    """What is shown of one file of ratings.

    Args:
        problem: Why there is nothing to show; empty otherwise.
        verdict: What the error means, in a sentence.
        next: Samples of the run whose rating is least certain, with the predicted rating.
    """

    file: str
    problem: str = ""
    verdict: str = ""
    tiles: tuple[Tile, ...] = ()
    remarks: tuple[str, ...] = ()
    next: tuple[Drawing, ...] = ()


def ratings_of(run: Run, n_drawn: int = N_NEXT) -> list[Rated]:
    """One entry for each file of ratings among the scores of the run's objective.

    Args:
        n_drawn: The strings for the next round that are shown, at most `N_NEXT`.
    """
    files = [name.removeprefix(FAMILY) for name in names_of_scores(run.config) if name.startswith(FAMILY)]
    return [_rated(file, run, min(n_drawn, N_NEXT)) for file in dict.fromkeys(files)]


def _rated(file: str, run: Run, n_drawn: int) -> Rated:
    path = Path(file)
    if not path.is_file():
        return Rated(file, f"{file} is not there any more; put it back")
    if path.stat().st_size > MOST_BYTES:
        return Rated(file, f"{file} is too large for ratings: {path.stat().st_size:,} bytes")
    try:
        ratings = Ratings.of(read_answers(path))
    except FreerunError as error:
        return Rated(file, str(error))
    error, of_mean = leave_one_out_error(ratings)
    return Rated(
        file,
        verdict=_verdict(len(ratings.strings), error, of_mean),
        tiles=_tiles(ratings, error, of_mean),
        remarks=tuple(ratings.remarks()),
        next=_next(ratings, run, n_drawn),
    )


def _verdict(n: int, error: float, of_mean: float) -> str:
    if n < FEW:
        return f"{n} strings are too few to know how well their ratings can be predicted."
    if error >= of_mean:
        return "The ratings cannot be predicted yet: to say their mean of every string is as good. More are needed."
    return f"The prediction errs {1 - error / of_mean:.0%} less than to say the mean rating of every string."


def _tiles(ratings: Ratings, error: float, of_mean: float) -> tuple[Tile, ...]:
    answers = ratings.answers.answers
    raters = {answer.rater for answer in answers}
    agreed = rater_consistency(ratings.answers)
    low, high = ratings.bounds
    found = [
        Tile("ratings", f"{len(answers):,}", f"of {len(ratings.strings):,} strings, {low:g} to {high:g}"),
        Tile("raters", f"{len(raters):,}", "one of them without a name" if "" in raters else "by their names"),
        Tile("error, one left out", rounded(error), f"of the mean rating: {rounded(of_mean)}"),
    ]
    for label, gap, n_pairs in (
        ("a rater's own repeats", agreed.own, agreed.n_own),
        ("two raters", agreed.between, agreed.n_between),
    ):
        if not math.isnan(gap):
            found.append(Tile(label, rounded(gap), f"apart on average, of {n_pairs:,} pair{'s' * (n_pairs != 1)}"))
    return tuple(found)


def _next(ratings: Ratings, run: Run, n: int) -> tuple[Drawing, ...]:
    if ratings.answers.is_chemical is not is_chemical(run):
        return ()
    strings = least_certain(ratings, _samples(run.path / "samples.csv"), n)
    means, deviations = ratings.predict(strings)
    notes = [f"{mean:.1f} \u00b1 {deviation:.1f}" for mean, deviation in zip(means, deviations, strict=True)]
    drawn = [drawing(string) if ratings.answers.is_chemical else Drawing(string, None, "") for string in strings]
    return tuple(dataclasses.replace(each, note=note) for each, note in zip(drawn, notes, strict=True))


def _samples(path: Path) -> list[str]:
    """The first valid samples; none where the file is missing or damaged, of which the page says more elsewhere."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            rows = [row for _, row in zip(range(N_CANDIDATES), csv.DictReader(file, restval=""), strict=False)]
    except (OSError, csv.Error):
        return []
    return [row.get("string") or "" for row in rows if is_true(row.get("valid") or "true")]
