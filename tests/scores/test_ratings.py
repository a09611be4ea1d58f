"""The model of people's ratings: against a loop that is written out, and at its ends."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from freerun.errors import UsageError
from freerun.scores import find_score
from freerun.scores.answers import Answer, Answers
from freerun.scores.likeness import n_grams_of
from freerun.scores.ratings import Ratings, least_certain, leave_one_out_error

WORDS = "red green blue house mouse garden tree river runs stands falls sings old new small".split()


def texts(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(" ".join(rng.choice(WORDS, 4)) for _ in range(2 * n)))[:n]


def rated(strings: list[str], ratings: Sequence[float], is_chemical: bool = False) -> Ratings:
    pairs = zip(strings, ratings, strict=True)
    return Ratings.of(
        Answers("people.csv", is_chemical, tuple(Answer(string, float(rating)) for string, rating in pairs))
    )


def alike(first: str, second: str) -> float:
    a, b = n_grams_of(first), n_grams_of(second)
    return len(a & b) / len(a | b)


def by_hand(strings: list[str], ratings: list[float], text: str) -> tuple[float, float]:
    """Mean and variance of the prediction, neighbour by neighbour; every string rated once."""
    likeness = [alike(text, string) for string in strings]
    nearest = sorted(range(len(strings)), key=lambda i: -likeness[i])
    last = likeness[nearest[min(20, len(strings)) - 1]]
    neighbours = [(likeness[i] ** 2, ratings[i]) for i in range(len(strings)) if likeness[i] >= last]
    mean_of_all = sum(ratings) / len(ratings)
    spread_of_all = sum((r - mean_of_all) ** 2 for r in ratings) / len(ratings)
    total = sum(w for w, _ in neighbours) + 0.1
    mean = (sum(w * r for w, r in neighbours) + 0.1 * mean_of_all) / total
    spread = sum(w * (r - mean) ** 2 for w, r in neighbours) + 0.1 * ((mean_of_all - mean) ** 2 + spread_of_all)
    return mean, spread / total


@pytest.mark.parametrize("n", [3, 20, 60])
def test_a_prediction_is_the_weighted_mean_and_spread_of_the_neighbours(n):
    strings = texts(n)
    ratings = [float(1 + i % 5) for i in range(n)]
    asked = [text for text in texts(40, seed=1) if text not in strings]
    means, deviations = rated(strings, ratings).predict(asked)
    for text, mean, deviation in zip(asked, means, deviations, strict=True):
        expected = by_hand(strings, ratings, text)
        assert mean == pytest.approx(expected[0])
        assert deviation**2 == pytest.approx(expected[1])


def test_a_string_that_was_rated_has_the_mean_and_the_spread_of_its_ratings():
    model = rated(["a red house", "a red house", "a blue house", "trees"], [2, 5, 1, 3])
    means, deviations = model.predict(["a red house", "trees"])
    assert means.tolist() == [3.5, 3.0]
    assert deviations.tolist() == [1.5, 0.0]


def test_every_writing_of_a_rated_molecule_has_its_rating():
    model = rated(["CCO", "c1ccccc1", "CCN"], [5, 1, 4], is_chemical=True)
    means, _ = model.predict(["OCC", "C1=CC=CC=C1", "C1CC", "", "CCO with a name"])
    assert means[:2].tolist() == [5.0, 1.0]
    assert np.isnan(means[2:]).all()


def test_what_is_like_nothing_gets_the_mean_and_the_spread_of_all():
    ratings = [1.0, 2.0, 3.0, 5.0]
    means, deviations = rated(["abc", "bcd", "cde", "def"], ratings).predict(["zzzz"])
    assert means[0] == pytest.approx(np.mean(ratings))
    assert deviations[0] == pytest.approx(np.std(ratings))


def test_the_less_alike_the_less_certain():
    strings = ["abcdefghijkl", "zzzzz", "yyyyy"]
    nearer_first = ["abcdefghijk", "abcdefgh", "abcde", "abc", "x"]
    _, deviations = rated(strings, [3, 1, 5]).predict(nearer_first)
    assert (np.diff(deviations) > 0).all()


def test_the_order_of_the_file_and_of_the_question_changes_nothing():
    strings, asked = texts(60), texts(30, seed=2)
    ratings = [float(1 + (7 * i) % 5) for i in range(60)]
    means, _ = rated(strings, ratings).predict(asked)
    again, _ = rated(strings[::-1], ratings[::-1]).predict(asked[::-1])
    np.testing.assert_allclose(again[::-1], means, rtol=1e-12)


def test_leave_one_out_is_the_error_of_models_without_each_string():
    strings = texts(45)
    ratings = [float(1 + (3 * i) % 5) for i in range(45)]
    errors, of_mean = [], []
    for i in range(45):
        rest, others = strings[:i] + strings[i + 1 :], ratings[:i] + ratings[i + 1 :]
        errors.append(abs(by_hand(rest, others, strings[i])[0] - ratings[i]))
        of_mean.append(abs(np.mean(others) - ratings[i]))
    assert leave_one_out_error(rated(strings, ratings)) == pytest.approx((np.mean(errors), np.mean(of_mean)))


def test_a_taste_that_follows_the_string_is_learnt():
    strings = texts(300)
    ratings = [4.0 if "house" in text else 2.0 for text in strings]
    error, error_of_mean = leave_one_out_error(rated(strings, ratings))
    assert error < 0.7 * error_of_mean


def test_the_first_to_ask_about_is_the_least_certain_and_its_likes_come_later():
    model = rated(["abcdefgh....", "abcdefgh!!!!", "zzz", "yyy", "xxx"], [1, 5, 2, 3, 4])
    twins = ["abcdefghijklm", "abcdefghijkln", "abcdefghijklo"]
    asked = ["zzzy", *twins, "qrstuv"]
    deviations = dict(zip(asked, model.predict(asked)[1].tolist(), strict=True))
    assert min(deviations[twin] for twin in twins) > deviations["qrstuv"]
    chosen = least_certain(model, asked, 5)
    assert chosen[0] in twins
    assert chosen[1] == "qrstuv"  # of which less is known now than of the first one's twins
    assert sorted(chosen) == sorted(asked)


def test_the_round_is_chosen_one_by_one_as_if_those_before_agreed():
    strings, asked = texts(30), [text for text in texts(60, seed=5) if text not in texts(30)]
    model = rated(strings, [float(1 + (7 * i) % 5) for i in range(30)])
    variance = dict(zip(asked, (model.predict(asked)[1] ** 2).tolist(), strict=True))
    total = {}
    for text in asked:
        squares = sorted((alike(text, each) ** 2 for each in strings), reverse=True)
        total[text] = sum(square for square in squares if square >= squares[19]) + 0.1
    expected = []
    for _ in range(10):
        expected.append(max((text for text in asked if text not in expected), key=variance.__getitem__))
        for text in asked:
            weight = alike(text, expected[-1]) ** 2
            variance[text] *= total[text] / (total[text] + weight)
            total[text] += weight
    assert least_certain(model, asked, 10) == expected


def test_the_spread_of_a_neighbours_own_ratings_is_uncertainty():
    strings, ratings = ["abcdef", "abcdef", "abcxyz", "uvwxyz"], [1.0, 5.0, 3.0, 3.0]
    weights = [alike("abcdxy", string) ** 2 for string in ("abcdef", "abcxyz", "uvwxyz")]
    variance = (weights[0] * 4.0 + 0.1 * 4.0 / 3.0) / (sum(weights) + 0.1)  # all means are 3, so that is all there is
    means, deviations = rated(strings, ratings).predict(["abcdxy"])
    assert means[0] == pytest.approx(3.0)
    assert deviations[0] ** 2 == pytest.approx(variance)


def test_the_next_round_holds_new_strings_only_each_once():
    model = rated(["CCO", "CCC", "CCN"], [1, 5, 3], is_chemical=True)
    asked = ["OCC", "CCCO", "OCCC", "C1CC", "CS"]
    assert sorted(least_certain(model, asked, 10)) == ["CCCO", "CS"]
    assert least_certain(model, ["CCO"], 5) == []
    assert least_certain(model, asked, 0) == []


def people_csv(folder: Path, rows: list[str]) -> str:
    path = folder / "people.csv"
    path.write_text("string,rating\n" + "".join(f"{row}\n" for row in rows), "utf-8")
    return str(path)


def test_the_score_has_the_range_of_the_ratings(tmp_path):
    path = people_csv(tmp_path, [f"{'C' * i}O,{2 + i % 3}" for i in range(1, 13)])
    score = find_score(f"ratings:{path}")
    assert (score.range, score.worst, score.direction, score.domain) == ((2.0, 4.0), 2.0, "higher", "molecule")
    values, n_failed = score.rewards(["CO", "OCC", "CCCCCCCCCCCCCCCCO", "nonsense"])
    assert values[:2].tolist() == [3.0, 4.0]
    assert 2.0 <= values[2] <= 4.0
    assert (values[3], n_failed) == (2.0, 1)
    assert len(score([])) == 0


def test_equal_ratings_and_too_few_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"all 4 ratings in .* are 3, and equal ratings teach nothing"):
        find_score("ratings:" + people_csv(tmp_path, ["a,3", "b,3", "c,3", "d,3.0"]))
    with pytest.raises(UsageError, match="rates 2 strings; at least 3 are needed"):
        find_score("ratings:" + people_csv(tmp_path, ["a b,3", "a b,4", "c d,1"]))


def test_repeats_and_small_files_are_said(tmp_path):
    with pytest.warns(UserWarning, match="ratings|few") as caught:
        find_score("ratings:" + people_csv(tmp_path, ["a b,3", "a b,4", "c d,1", "e f,2"]))
    said = [str(warning.message).partition(": ")[2] for warning in caught]
    assert said == [
        "1 of 3 strings have several ratings: their mean and spread count",
        "3 strings are too few to estimate the error; rate at least 10",
    ]


def test_one_string_left_out_has_no_error_to_be_ashamed_of():
    error, of_mean = leave_one_out_error(rated(["abc", "xyz", "123"], [1, 2, 3]))
    assert error == pytest.approx(of_mean)  # they have nothing in common, so the mean of the others is all there is
    assert math.isclose(of_mean, (1.5 + 0 + 1.5) / 3)
