import itertools
from collections import Counter

import pytest

from freerun.corpora.splits import SplitRule


def first(rule: SplitRule, n: int, seed: int = 0) -> list[str]:
    return list(itertools.islice(rule.labels(seed), n))


def test_every_block_gives_one_line_to_each_held_out_split():
    labels = first(SplitRule(held_out=("valid", "test"), every=20), 2000)
    assert Counter(labels) == {"train": 1800, "valid": 100, "test": 100}
    for block in range(100):
        assert Counter(labels[20 * block : 20 * block + 20]) == {"train": 18, "valid": 1, "test": 1}


@pytest.mark.parametrize("seed", range(20))
def test_two_lines_are_one_to_train_and_one_to_validate(seed):
    assert sorted(first(SplitRule(held_out=("valid", "test")), 2, seed)) == ["train", "valid"]


def test_the_places_are_drawn_from_the_seed():
    rule = SplitRule(held_out=("valid",), every=10)
    assert first(rule, 500, 0) == first(rule, 500, 0)
    assert first(rule, 500, 0) != first(rule, 500, 1)
    places = Counter(i % 10 for i, label in enumerate(first(rule, 20_000)) if label == "valid")
    assert min(places.values()) > 140  # 200 each on average, standard deviation 14


def test_the_head_comes_first_and_the_rest_is_shared_out():
    labels = first(SplitRule(held_out=("valid",), every=5, head="test", n_head=7), 27)
    assert labels[:7] == ["test"] * 7
    assert Counter(labels[7:]) == {"train": 16, "valid": 4}


def test_a_rule_without_held_out_lines_names_one_split():
    rule = SplitRule(body="test")
    assert rule.names == ("test",)
    assert first(rule, 3) == ["test"] * 3
