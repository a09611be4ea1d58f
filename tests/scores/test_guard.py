import dataclasses
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from freerun.errors import FreerunError
from freerun.scores import SCORES, find_score
from freerun.scores.base import Score
from freerun.scores.guard import Guarded

PROGRAM = """
import os, subprocess, sys, time

def score(strings):
    print("noise on standard output")
    return [one(string) for string in strings]

def one(string):
    if string == "raise":
        raise ValueError("no such thing")
    if string == "hang":
        time.sleep(60)
    if string == "hang in a child":
        code = "import pathlib, time; time.sleep(0.8); pathlib.Path('marker').touch(); time.sleep(60)"
        subprocess.run([sys.executable, "-c", code])
    if string == "die":
        os._exit(3)
    if string == "exit":
        sys.exit(0)
    if string == "nan":
        return float("nan")
    if string == "inf":
        return float("inf")
    if string == "text":
        return "much"
    if string == "none":
        return None
    return float(len(string))

def together(strings):
    if "hang" in strings:
        time.sleep(60)
    return [len(strings)] * len(strings)

def too_many(strings):
    return [1.0] * (len(strings) + 1)

def process(strings):
    return [os.getpid() for _ in strings]
"""


def in_process(function) -> Score:
    return Score("mine", "", "higher", (-math.inf, math.inf), -1.0, function)


@pytest.fixture
def program(tmp_path: Path):
    path = tmp_path / "objective.py"
    path.write_text(PROGRAM)

    def never(strings):
        raise AssertionError("a score with a program is not called here")

    return lambda name: dataclasses.replace(in_process(never), program=f"{path}:{name}")


def test_a_good_score_is_itself():
    with Guarded(SCORES["qed"]) as guarded:
        outcome = guarded(["CCO", "c1ccccc1"])
    assert np.array_equal(outcome.values, SCORES["qed"](["CCO", "c1ccccc1"]))
    assert not outcome.failures
    assert not outcome.examples


def test_nothing_is_asked_of_nothing():
    outcome = Guarded(SCORES["qed"])([])
    assert outcome.values.shape == (0,)
    assert not outcome.failures


def test_a_molecule_without_a_value_is_counted_and_shown_once():
    outcome = Guarded(SCORES["qed"])(["CCO", "C1CC", "x"])
    assert np.isnan(outcome.values).tolist() == [False, True, True]
    assert outcome.failures == {"no value": 2}
    assert outcome.examples == {"no value": "'C1CC': NaN"}


def test_one_string_that_raises_costs_no_other_its_value():
    def function(strings):
        return np.array([1 / len(string) for string in strings])

    outcome = Guarded(in_process(function))(["ab", "", "abcd"])
    assert np.array_equal(outcome.values, [0.5, np.nan, 0.25], equal_nan=True)
    assert outcome.failures == {"raised": 1}
    assert outcome.examples == {"raised": "'': ZeroDivisionError: division by zero"}


def test_an_infinite_value_is_no_value():
    outcome = Guarded(in_process(lambda strings: np.array([np.inf, 1.0])))(["a", "b"])
    assert np.array_equal(outcome.values, [np.nan, 1.0], equal_nan=True)
    assert outcome.failures == {"infinite": 1}


@pytest.mark.parametrize("answer", [[1.0], [[1.0, 2.0]], 1.0, [], [1.0, 2.0, 3.0]])
def test_a_wrong_number_of_values_is_never_spread_over_the_strings(answer):
    score = dataclasses.replace(in_process(lambda strings: np.array(answer)), scope="batch")
    outcome = Guarded(score)(["a", "b"])
    assert np.isnan(outcome.values).all()
    assert outcome.failures.total() == 2


def test_a_batch_score_that_raises_fails_for_all_its_strings():
    calls = []

    def function(strings):
        calls.append(list(strings))
        raise KeyError("b")

    outcome = Guarded(dataclasses.replace(in_process(function), scope="batch"))(["a", "b"])
    assert outcome.failures == {"raised": 2}
    assert calls == [["a", "b"]]


@pytest.mark.slow
def test_a_program_that_fails_in_every_way(program):
    strings = ["ab", "raise", "nan", "die", "abc", "inf", "text", "none", "exit", "hang", "a\udc80é", ""]
    with Guarded(program("score"), seconds=0.5) as guarded:
        outcome = guarded(strings)
    values = dict(zip(strings, outcome.values.tolist(), strict=True))
    assert {string: value for string, value in values.items() if not math.isnan(value)} == {
        "ab": 2.0,
        "abc": 3.0,
        "a\udc80é": 3.0,
        "": 0.0,
    }
    assert outcome.failures == {"raised": 2, "no value": 2, "died": 2, "infinite": 1, "too slow": 1}
    assert outcome.examples["raised"] == "'raise': ValueError: no such thing"
    assert outcome.examples["died"] == "'die': its process ended with 3"
    assert outcome.examples["too slow"] == "'hang': no answer within 0.5 s"


@pytest.mark.slow
def test_the_children_of_a_program_that_hangs_are_killed_with_it(program, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Guarded(program("score"), seconds=0.3) as guarded:
        assert guarded(["hang in a child", "ab"]).values[1] == 2
    time.sleep(1.0)
    assert not Path("marker").exists()


@pytest.mark.slow
def test_a_slow_descriptor_can_be_put_under_a_time_limit():
    score = dataclasses.replace(find_score("rdkit:Ipc"), program="rdkit:Ipc")
    with Guarded(score, seconds=2.0) as guarded:
        outcome = guarded(["CCO", "C" * 2_000])
    assert outcome.values[0] == find_score("rdkit:Ipc")(["CCO"])[0]
    assert outcome.failures == {"too slow": 1}


def test_a_program_keeps_its_process_from_list_to_list(program):
    with Guarded(program("process")) as guarded:
        first, second = guarded(["a", "b"]).values, guarded(["c"]).values
    assert first[0] == first[1] == second[0] != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(int(first[0]), 0)


def test_a_batch_program_sees_all_strings_together(program):
    score = dataclasses.replace(program("together"), scope="batch")
    with Guarded(score, seconds=0.3) as guarded:
        assert guarded(["a", "b", "c"]).values.tolist() == [3, 3, 3]
        assert guarded(["a", "hang"]).failures == {"too slow": 2}
        assert guarded(["a"]).values.tolist() == [1]


def test_a_program_that_answers_too_much_is_not_believed(program):
    with Guarded(program("too_many")) as guarded:
        outcome = guarded(["a", "b"])
    assert outcome.failures == {"wrong answer": 2}
    assert outcome.examples["wrong answer"] == "'a': values of shape (2,) for 1 strings"


def test_an_interrupted_list_leaves_no_answer_behind(program):
    with Guarded(program("score")) as guarded:
        answers = guarded.answers(["a", "ab", "abc"])
        assert next(answers) == (0, 1.0, None)
        answers.close()
        assert guarded(["abcde"]).values.tolist() == [5.0]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "score", "FileNotFoundError"),
        ("import nonexistent_module", "score", "No module named 'nonexistent_module'"),
        ("def score(strings:", "score", "SyntaxError"),
        ("x = 1", "score", "has no attribute 'score'"),
        ("import os; os._exit(5)", "score", "its process ended with 5"),
    ],
)
def test_a_program_that_cannot_be_loaded_is_one_clear_error(tmp_path: Path, content, name: str, message: str):
    path = tmp_path / "objective.py"
    if content is not None:
        path.write_text(content)
    score = dataclasses.replace(SCORES["length"], program=f"{path}:{name}")
    with pytest.raises(FreerunError, match=message), Guarded(score) as guarded:
        guarded(["a"])


def test_a_time_limit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="give more than 0"):
        Guarded(SCORES["qed"], seconds=0.0)
