"""People's ratings as a score: what was rated has its mean rating, what was not that of what is most like it.

    rating(x) = (sum_i s_i^2 r_i + w m) / (sum_i s_i^2 + w)

over the 20 rated strings that are most like x: r_i the mean rating of string i, s_i its likeness to x, m the mean of
all, which counts as one more neighbour of weight w = 0.1; so what is like nothing gets the mean. The uncertainty is the
spread of the same sum: of the neighbours' ratings about the prediction, and, the less they are like x, of all ratings.
"""

import dataclasses
import functools
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from freerun.errors import UsageError
from freerun.scores.answers import Answers, read_answers, written_as
from freerun.scores.base import Score
from freerun.scores.likeness import Likeness, bits_of, n_grams_of

N_NEIGHBOURS = 20
WEIGHT_OF_ALL = 0.1
PIECE = 1_000  # strings whose likeness to all that were rated is held at once
FEWEST, FEW = 3, 10


def people(path: str) -> Score:
    """People's ratings, in a file with columns string, rating and, where several people answer, rater.

    A string that was rated has the mean of its ratings; any other the weighted mean of the 20 that are most like it: by
    Tanimoto similarity of Morgan fingerprints where the strings are molecules, else by the runs of three characters
    that they have in common. The range is that of the ratings. `freerun rate` makes such a file.

    Raises:
        UsageError: If the file cannot be read, fewer than 3 strings were rated, or all alike.
    """
    ratings = Ratings.of(read_answers(Path(path)))
    for remark in ratings.remarks():
        warnings.warn(f"{path}: {remark}", stacklevel=2)
    low, high = ratings.bounds
    n, n_strings = len(ratings.answers.answers), len(ratings.strings)
    return Score(
        name=f"ratings:{path}",
        about=f"what people would rate it, {low:g} to {high:g}, by their {n:,} ratings of {n_strings:,} strings",
        direction="higher",
        range=(low, high),
        worst=low,
        function=lambda strings: ratings.predict(strings)[0],
        domain="molecule" if ratings.answers.is_chemical else "string",
    )


@dataclasses.dataclass(frozen=True)
class Ratings:
    """What is known of people's taste.

    Args:
        answers: As they were read.
        strings: Those that were rated, each once.
        means: Of the ratings of each.
        variances: Of the ratings of each; 0 where there is one.
    """

    answers: Answers
    strings: tuple[str, ...]
    means: Float64[np.ndarray, " strings"]
    variances: Float64[np.ndarray, " strings"]

    @classmethod
    def of(cls, answers: Answers) -> "Ratings":
        """The mean rating of each string.

        Raises:
            UsageError: If there is nothing to learn from them.
        """
        given = answers.by_string()
        if len(given) < FEWEST:
            raise UsageError(
                f"{answers.name} rates {len(given)} strings; at least {FEWEST} are needed, and {FEW} to know the error"
            )
        if len({answer.rating for answer in answers.answers}) == 1:
            raise UsageError(
                f"all {len(answers.answers):,} ratings in {answers.name} are {answers.answers[0].rating:g}, and equal "
                "ratings teach nothing; rate strings that differ more, or use more of the scale"
            )
        means = np.array([np.mean(ratings) for ratings in given.values()])
        variances = np.array([np.var(ratings) for ratings in given.values()])
        return cls(answers, tuple(given), means, variances)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest rating that was given."""
        given = [answer.rating for answer in self.answers.answers]
        return min(given), max(given)

    def remarks(self) -> list[str]:
        """What the user should know of the file."""
        found = list(self.answers.remarks)
        n_repeated = sum(len(ratings) > 1 for ratings in self.answers.by_string().values())
        if n_repeated:
            found.append(
                f"{n_repeated:,} of {len(self.strings):,} strings have several ratings: their mean and spread count"
            )
        if len(self.strings) < FEW:
            found.append(f"{len(self.strings)} strings are too few to estimate the error; rate at least {FEW}")
        return found

    def predict(
        self, strings: Sequence[str]
    ) -> tuple[Float64[np.ndarray, " strings"], Float64[np.ndarray, " strings"]]:
        """The rating of each string, and its uncertainty: a standard deviation in the unit of the ratings.

        Both are NaN for what is no molecule where molecules were rated.
        """
        known = [written_as(self.answers.is_chemical, string) for string in strings]
        rows = [row for row, string in enumerate(known) if string is not None]
        means, deviations = np.full(len(strings), np.nan), np.full(len(strings), np.nan)
        for first in range(0, len(rows), PIECE):
            piece = rows[first : first + PIECE]
            texts = [text for row in piece if (text := known[row]) is not None]
            means[piece], variances = self._estimates(texts)
            deviations[piece] = np.sqrt(variances)
        return means, deviations

    @functools.cached_property
    def likeness(self) -> Likeness:
        """To the strings that were rated."""
        return self.likeness_to(self.strings)

    def likeness_to(self, strings: Sequence[str]) -> Likeness:
        """To any strings of the same kind."""
        return Likeness(strings, bits_of if self.answers.is_chemical else n_grams_of)

    def _estimates(
        self, texts: Sequence[str]
    ) -> tuple[Float64[np.ndarray, " strings"], Float64[np.ndarray, " strings"]]:
        """Mean and variance of each; those of the string itself where it was rated."""
        weights, total = _weights(self.likeness(texts))
        mean, variance = self.means.mean(), self.means.var() + self.variances.mean()
        means = (weights @ self.means + WEIGHT_OF_ALL * mean) / total
        squares = weights @ (self.means**2 + self.variances) + WEIGHT_OF_ALL * (mean**2 + variance)
        variances = np.maximum(squares / total - means**2, 0.0)
        rated = {string: place for place, string in enumerate(self.strings)}
        for row, text in enumerate(texts):
            if text in rated:
                means[row], variances[row] = self.means[rated[text]], self.variances[rated[text]]
        return means, variances


def leave_one_out_error(ratings: Ratings) -> tuple[float, float]:
    """Mean absolute error of the prediction of each rated string from all others, and that of their mean.

    Nothing is fitted, so each prediction is what `predict` gives where the string's own ratings are taken out.
    """
    n = len(ratings.strings)
    of_others = (ratings.means.sum() - ratings.means) / (n - 1)
    predicted = np.zeros(n)
    for first in range(0, n, PIECE):
        rows = np.arange(first, min(n, first + PIECE))
        likeness = ratings.likeness(ratings.strings[first : first + PIECE])
        likeness[rows - first, rows] = 0.0
        weights, total = _weights(likeness)
        predicted[rows] = (weights @ ratings.means + WEIGHT_OF_ALL * of_others[rows]) / total
    return float(np.abs(predicted - ratings.means).mean()), float(np.abs(of_others - ratings.means).mean())


def least_certain(ratings: Ratings, strings: Sequence[str], k: int) -> list[str]:
    """The k strings (canonical, different, none that was rated) that are best to ask about next, the first one first.

    One after the other the most uncertain: each that is chosen then counts, for those that are like it, as one more
    neighbour, who agrees. So the k are not k writings of one doubt.
    """
    written = (written_as(ratings.answers.is_chemical, string) for string in strings)
    known = set(ratings.strings)
    texts = [text for text in dict.fromkeys(written) if text is not None and text not in known]
    if not texts:
        return []
    variances = ratings.predict(texts)[1] ** 2
    totals = np.concatenate(
        [_weights(ratings.likeness(texts[at : at + PIECE]))[1] for at in range(0, len(texts), PIECE)]
    )
    to_each = ratings.likeness_to(texts)
    chosen: list[int] = []
    while len(chosen) < min(k, len(texts)):
        variances[chosen] = -math.inf
        chosen.append(int(variances.argmax()))
        weight = to_each([texts[chosen[-1]]])[0] ** 2
        variances *= totals / (totals + weight)
        totals += weight
    return [texts[place] for place in chosen]


def _weights(
    likeness: Float64[np.ndarray, "strings rated"],
) -> tuple[Float64[np.ndarray, "strings rated"], Float64[np.ndarray, " strings"]]:
    """Squares of the likeness to the nearest `N_NEIGHBOURS` (all that are as near as the last of them), and their sum
    with the weight of the mean of all."""
    last = min(N_NEIGHBOURS, likeness.shape[1])
    threshold = np.partition(likeness, -last, axis=1)[:, -last, None]
    weights = np.where(likeness >= threshold, likeness, 0.0) ** 2
    return weights, weights.sum(axis=1) + WEIGHT_OF_ALL
