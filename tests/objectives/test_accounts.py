"""Answers of slow programs are on the disk as they come: a process that is killed has lost next to nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from counted import Counted, plain, term

from freerun.objectives import accounts
from freerun.objectives.objective import Objective
from freerun.objectives.terms import find_terms

SLOW = """
import time
def score(strings):
    with open("asked.txt", "a") as file:
        file.write("".join(string + "\\n" for string in strings))
    time.sleep(0.15)
    return [len(string) / 10 for string in strings]
"""
ASK = """
from pathlib import Path
from freerun.objectives.objective import Objective
from freerun.objectives.terms import find_terms
with Objective(find_terms(["slow.py:score", "length"]), Path("scores.csv"), lambda string: (string, True)) as objective:
    print(objective(["x" * n for n in range(1, 21)]).tolist())
"""


@pytest.mark.slow
def test_a_killed_process_has_paid_for_at_most_a_second_in_vain(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("slow.py").write_text(SLOW)
    process = subprocess.Popen([sys.executable, "-c", ASK], start_new_session=True)
    while not (Path("scores.csv").exists() and Path("scores.csv").read_bytes().count(b"\n") > 3):
        time.sleep(0.05)
    os.killpg(process.pid, 9)
    process.wait()
    n_kept = Path("scores.csv").read_bytes().count(b"\n") - 1
    assert n_kept < 20
    time.sleep(0.5)
    Path("asked.txt").unlink()
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    expected = [n / 10 - n for n in range(1, 21)]
    assert np.allclose([float(cell) for cell in done.stdout.strip("[]\n").split(",")], expected)
    assert Path("asked.txt").read_text().split() == ["x" * n for n in range(n_kept + 1, 21)]


def test_slow_and_fast_scores_answer_side_by_side_in_the_order_of_asking(program, tmp_path):
    counted, path = Counted(), tmp_path / "scores.csv"
    terms = [term("fast", counted), *find_terms([program, "length"])]
    with Objective(terms, path, plain) as objective:
        totals = objective(["abc", "", "a", "ab", "a"])
    assert totals == pytest.approx([0.3 + 0.3 - 3, -9.0 + 0 - 0, 0.2 - 1, 0.4 - 2, 0.2 - 1])
    assert counted.asked == ["abc", "", "a", "ab"]
    assert list(objective.values) == ["abc", "", "a", "ab"]


def test_an_interrupted_list_keeps_what_was_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(accounts, "SECONDS_A_PIECE", 1e-9)  # pieces of one string

    def function(strings) -> np.ndarray:
        if "stop" in strings:
            raise KeyboardInterrupt
        return np.ones(len(strings))

    path = tmp_path / "scores.csv"
    with pytest.raises(KeyboardInterrupt):
        Objective([term("n", function)], path, plain)(["a", "b", "stop", "c"])
    counted = Counted()
    Objective([term("n", counted)], path, plain)(["a", "b", "stop", "c"])
    assert counted.asked == ["stop", "c"]
