"""The file of an objective: never paid twice, whenever the process was killed."""

import csv
import math

import numpy as np
import pytest
from counted import Counted, plain, term

from freerun.errors import FreerunError, UsageError
from freerun.objectives.ledger import Ledger
from freerun.objectives.objective import Objective
from freerun.objectives.shapes import Clip, Identity
from freerun.objectives.totals import Arithmetic, Turns

STRINGS = ["a", 'quo"te, comma', "", "line\nbreak", "carriage\rreturn", "é\udc80", "nul\0l"]


def test_what_is_in_the_file_is_not_paid_again_and_a_line_cut_short_is(tmp_path):
    path, before = tmp_path / "scores.csv", Counted()
    totals = Objective([term("n", before)], path, plain)(STRINGS)
    whole = path.read_bytes()
    path.write_bytes(whole + b"7,half a li")
    again = Counted()
    objective = Objective([term("n", again)], path, plain)
    assert path.read_bytes() == whole
    assert np.array_equal(objective([*STRINGS, "new"])[:-1], totals)
    assert again.asked == ["new"]
    with path.open(newline="", errors="surrogateescape") as file:
        lines = list(csv.DictReader(file))
    assert [line["step"] for line in lines] == [str(step) for step in range(8)]
    assert lines[1]["canonical"] == 'quo"te, comma'
    assert (lines[2]["n"], lines[2]["total"], lines[2]["valid"]) == ("", "-9.0", "False")


def test_a_file_that_was_cut_anywhere_is_gone_on_with_to_the_same_end(tmp_path):
    path = tmp_path / "scores.csv"
    Objective([term("n", Counted())], path, plain)(STRINGS)
    whole = path.read_bytes()
    lines = list(csv.reader(whole.decode("utf-8", "surrogatepass").splitlines(keepends=True)))
    for end in range(0, len(whole), 5):
        path.write_bytes(whole[:end])
        counted = Counted()
        Objective([term("n", counted)], path, plain)(STRINGS)
        n_kept = len(STRINGS) - len(counted.asked)
        assert counted.asked == STRINGS[n_kept:]
        got = list(csv.reader(path.read_bytes().decode("utf-8", "surrogatepass").splitlines(keepends=True)))
        assert [line[:-1] for line in got] == [line[:-1] for line in lines]  # the last is the clock


def test_the_file_says_what_each_value_is_worth(tmp_path):
    path = tmp_path / "scores.csv"
    terms = [
        term("n", Counted(), shape=Identity()),
        term("beside", Counted(), scope="batch", shape=Identity()),
        term(
            "ones",
            lambda strings: np.array([string.count("1") for string in strings], float),
            shape=Clip(4.0, 0.0),
            weight=3.0,
        ),
    ]
    Objective(terms, path, plain, Arithmetic())(["11a", "-11"])
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    header = ["step", "string", "canonical", "valid", "n", "ones", "n (shaped)", "ones (shaped)", "total", "seconds"]
    assert lines[0] == header
    assert [line[:-1] for line in lines[1:]] == [
        ["0", "11a", "11a", "True", "0.3", "2.0", "0.3", "0.5", str((0.3 + 3 * 0.5) / 4)],
        ["1", "-11", "-11", "False", "", "", "0.0", "0.0", "0.0"],
    ]


def test_the_total_of_terms_that_take_turns_is_the_mean_whosever_turn_it_is(tmp_path):
    terms = [term("n", Counted(), shape=Identity()), term("m", Counted(), shape=Clip(0.0, 2.0))]
    objective = Objective(terms, tmp_path / "scores.csv", plain, Turns())
    objective.turn = 1
    objective(["abcd"])
    assert ",0.30000000000000004," in (tmp_path / "scores.csv").read_text()


def test_an_objective_of_what_stands_beside_alone_keeps_the_strings(tmp_path):
    path = tmp_path / "scores.csv"
    Objective([term("n", Counted(), scope="batch", shape=Identity())], path, plain, Arithmetic())(["a", "b"])
    with path.open(newline="") as file:
        assert [line[:-1] for line in csv.reader(file)][1:] == [
            ["0", "a", "a", "True", ""],
            ["1", "b", "b", "True", ""],
        ]
    assert Objective([term("n", Counted(), scope="batch")], path, plain, Arithmetic()).values == {"a": (), "b": ()}


def test_a_file_of_other_scores_is_refused_and_a_damaged_one_told(tmp_path):
    path = tmp_path / "scores.csv"
    Objective([term("n", Counted())], path, plain)(["a", "b"])
    with pytest.raises(UsageError, match="holds other scores"):
        Objective([term("m", Counted())], path, plain)
    content = path.read_text()
    for damage in (content.replace("0.1", "one"), content.replace("1,b,b", "2,b,b"), content.replace("1,b,", "1,")):
        path.write_text(damage)
        with pytest.raises(FreerunError, match="cannot be read"):
            Objective([term("n", Counted())], path, plain)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FreerunError, match=r"cannot write .*scores\.csv: "):
        Ledger(tmp_path / "file" / "scores.csv", ["n"], []).append([[0, "a", "a", True, math.pi, 1.0, "0"]])
