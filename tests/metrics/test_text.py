import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from freerun.corpora.fetch import fetch
from freerun.metrics.text import bleu, distinct, self_bleu, words

ORDERS = (2, 3, 4, 5)
WEIGHTS = [(1 / n,) * n for n in ORDERS]


def sentences(n: int, seed: int) -> list[str]:
    """Short lines over few words, so that n-grams repeat within and between them; some very short, one empty."""
    rng = random.Random(seed)
    lines = [
        " ".join(rng.choices("a man The dog sits runs on in blue .".split(), k=rng.randint(1, 14))) for _ in range(n)
    ]
    return ["", *lines[1:]]


def nltk_mean(hypotheses: list[list[str]], references: Callable[[int], list[list[str]]]) -> list[float]:
    smoothing = SmoothingFunction().method1
    totals = [0.0] * len(ORDERS)
    for row, hypothesis in enumerate(hypotheses):
        found: Any = sentence_bleu(references(row), hypothesis, WEIGHTS, smoothing_function=smoothing)
        totals = [total + score for total, score in zip(totals, found, strict=True)]
    return [total / len(hypotheses) for total in totals]


def assert_equal_to_nltk(lines: list[str], references: list[str]) -> None:
    ours, theirs = [words(line) for line in lines], [words(line) for line in references]
    expected = nltk_mean(ours, lambda row: theirs)
    assert list(bleu(lines, references).values()) == pytest.approx(expected, abs=1e-9)
    expected = nltk_mean(ours, lambda row: ours[:row] + ours[row + 1 :])
    assert list(self_bleu(lines).values()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_bleu_and_self_bleu_equal_nltk(seed: int):
    assert_equal_to_nltk(sentences(30, seed), sentences(25, seed + 100))


@pytest.mark.slow
def test_bleu_and_self_bleu_equal_nltk_on_200_captions():
    generated, test = (path.read_text().splitlines()[:200] for path in fetch(["coco"])["coco"])
    assert_equal_to_nltk(generated, test)


def test_a_line_is_not_its_own_reference():
    assert self_bleu(["a b c d e", "v w x y z"]) == dict.fromkeys([f"self-BLEU-{n}" for n in ORDERS], 0)
    assert self_bleu(["a b c d e", "A B C D E"])["self-BLEU-5"] == pytest.approx(1)


def test_the_fast_variant_takes_the_first_500_references():
    lines, references = sentences(600, 1), sentences(700, 2)
    assert bleu(lines, references, variant="texygen-500") == bleu(lines, references[:500])
    assert self_bleu(lines, variant="texygen-500") == self_bleu(lines[:500])


def test_without_lines_there_is_no_figure():
    assert all(math.isnan(value) for value in bleu([], ["a"]).values())
    assert all(math.isnan(value) for value in bleu(["a"], []).values())
    assert all(math.isnan(value) for value in self_bleu(["a"]).values())
    assert all(math.isnan(value) for value in distinct([""]).values())


def test_distinct_n_by_hand():
    assert distinct(["a a b", "A b"], orders=(1, 2)) == {"distinct-1": 2 / 5, "distinct-2": 2 / 3}
