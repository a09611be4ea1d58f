"""Several processes of one function: the same values, each string once, and nothing left behind."""

import math
import os
import time
from pathlib import Path

import pytest

from freerun.errors import FreerunError
from freerun.scores.programs import Programs

PROGRAM = """
import os, time

def score(strings):
    (string,) = strings
    if string == "die":
        os._exit(3)
    if string == "hang":
        time.sleep(60)
    time.sleep(0.01)
    return [float(len(string))]

def process(strings):
    time.sleep(0.05)
    return [os.getpid() for _ in strings]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "objective.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize("n_workers", [1, 3])
def test_each_string_is_answered_once_and_one_that_kills_costs_no_other(file, n_workers):
    strings = ["a", "die", "abc", "hang", *("x" * n for n in range(20)), "die"]
    programs = Programs(f"{file}:score", 0.5, n_workers)
    found = list(programs.answers(strings))
    programs.close()
    assert sorted(at for at, _, _ in found) == list(range(len(strings)))
    for at, value, failure in found:
        if strings[at] in ("die", "hang"):
            assert math.isnan(value)
            assert failure == {
                "die": ("died", "its process ended with 3"),
                "hang": ("too slow", "no answer within 0.5 s"),
            }.get(strings[at])
        else:
            assert (value, failure) == (len(strings[at]), None)


def test_strings_are_shared_out_among_processes_that_stay_and_then_end(file):
    programs = Programs(f"{file}:process", 5.0, 2)
    first = {value for _, value, _ in programs.answers("abcdefgh")}
    second = {value for _, value, _ in programs.answers("ijklmnop")}
    assert len(first) == 2
    assert second == first
    programs.close()
    for process in first:
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_a_list_that_is_given_up_leaves_no_answer_behind(file, n_workers):
    programs = Programs(f"{file}:score", 60.0, n_workers)
    answers = programs.answers(["a", "hang", "hang"])
    assert next(answers)[1] == 1.0
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 30  # it does not wait for those that hang
    assert sorted(programs.answers(["ab", "abc"])) == [(0, 2.0, None), (1, 3.0, None)]
    programs.close()


def test_it_does_not_wait_for_what_is_still_being_loaded(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import pathlib, time\n"
        "try:\n"
        f"    pathlib.Path({str(tmp_path / 'first')!r}).touch(exist_ok=False)\n"
        "except FileExistsError:\n"
        "    time.sleep(60)\n"
        "def score(strings): return [1.0]\n"
    )
    programs = Programs(f"{tmp_path / 'mine.py'}:score", 60.0, 2)
    answers = programs.answers(["a", "b", "c"])
    assert next(answers)[1] == 1.0
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 30


def test_a_function_that_cannot_be_loaded_is_told_once(tmp_path):
    (tmp_path / "odd.py").write_text("import nonexistent_module\n")
    programs = Programs(f"{tmp_path / 'odd.py'}:score", 5.0, 2)
    with pytest.raises(FreerunError, match="No module named 'nonexistent_module'"):
        list(programs.answers("abcdefgh"))


def test_there_must_be_a_process():
    with pytest.raises(ValueError, match="n_workers = 0 must be at least 1"):
        Programs("qed", 1.0, 0)
