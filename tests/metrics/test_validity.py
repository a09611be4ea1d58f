import math

from freerun.metrics.validity import novelty, plain_measures, uniqueness


def test_measures_of_plain_strings_by_hand():
    strings = ["ab", "ab", "cd", "", "ef"]
    measures = plain_measures(strings, bool, train=iter(["cd", "gh", "cd"]))
    assert measures == {"validity": 4 / 5, "uniqueness": 3 / 4, "novelty": 2 / 3}


def test_without_training_strings_there_is_no_novelty():
    assert list(plain_measures(["a"], bool)) == ["validity", "uniqueness"]


def test_of_nothing_nothing_is_said():
    assert all(math.isnan(value) for value in plain_measures([], bool, []).values())
    assert math.isnan(uniqueness([]))
    assert math.isnan(novelty([], ["a"]))
