"""`freerun rate` as a user meets it."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
import typer

from freerun import api
from freerun.app import rating
from freerun.app.cli import explained
from freerun.scores.answers import read_answers

MOLECULES = ["CCO", "OCC", "c1ccccc1", "C1CC", "CC(=O)O", "CN", "CS", "CCCl", "C#N", "CCCC", "CC=C"]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(pretty_exceptions_enable=False)
    for function in rating.COMMANDS:
        app.command()(function)

    def rate(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = 0
        try:
            app([str(each) for each in arguments], standalone_mode=False)
        except Exception as error:
            code = explained(error)
        return code, *capsys.readouterr()

    return rate


def plan_in(path: str) -> dict:
    found = re.search(r'<script type="application/json" id="plan">(.*?)</script>', Path(path).read_text("utf-8"))
    assert found
    return json.loads(found[1])


def test_a_file_of_molecules_becomes_a_page_beside_the_ratings(call):
    Path("mols.smi").write_text("".join(f"{smiles} name{i}\n" for i, smiles in enumerate(MOLECULES)), "utf-8")
    code, out, err = call("mols.smi", "-n", "8", "-o", "mine.csv", "--repeat", "0.25", "--scale", "7", "--rater", "ann")
    assert (code, out) == (0, "mine.html\n")
    assert "mols.smi: 1 line left out, no molecules" in err
    assert "8 strings, 2 of them twice" in err
    plan = plan_in("mine.html")
    assert (plan["file"], plan["rater"], plan["scale"], len(plan["order"])) == ("mine.csv", "ann", 7, 10)
    assert len(set(plan["strings"])) == 8
    assert set(plan["strings"]) <= {"CCO", "c1ccccc1", "CC(=O)O", "CN", "CS", "CCCl", "C#N", "CCCC", "C=CC"}


def test_a_file_with_fewer_strings_gives_all_and_says_so(call):
    Path("texts.txt").write_text("a b\nc d\na b\n", "utf-8")
    code, _, err = call("texts.txt", "--page", "here.html")
    assert code == 0
    assert "2 different strings instead of 50" in err
    assert sorted(plan_in("here.html")["strings"]) == ["a b", "c d"]


def test_a_session_that_is_ended_goes_on_where_it_was(call):
    Path("texts.txt").write_text("".join(f"sentence {i} of them\n" for i in range(4)), "utf-8")
    arguments = ["texts.txt", "-n", "4", "-o", "people.csv", "--terminal", "--rater", "ann", "--repeat", "0.25"]
    code, out, err = call(*arguments, typed="3\n5\nq\n")
    assert (code, out) == (0, "")
    assert "2 ratings more in people.csv" in err
    first = read_answers(Path("people.csv")).answers
    code, _, err = call(*arguments, typed="1\n1\n1\n1\n1\n")
    assert "2 of 5 are rated in people.csv already" in err
    answers = read_answers(Path("people.csv")).answers
    assert answers[:2] == first
    assert [answer.rating for answer in answers] == [3, 5, 1, 1, 1]
    assert len({answer.string for answer in answers}) == 4


def test_an_interrupted_session_keeps_its_answers(call, monkeypatch):
    Path("texts.txt").write_text("a b\nc d\n", "utf-8")

    class Impatient(io.StringIO):
        def readline(self, size: int | None = -1) -> str:
            line = super().readline()
            if not line:
                raise KeyboardInterrupt
            return line

    monkeypatch.setattr(io, "StringIO", Impatient)
    code, _, err = call("texts.txt", "-n", "2", "--terminal", typed="4\n")
    assert code == 130
    assert "every answer so far is in people.csv" in err
    assert len(read_answers(Path("people.csv")).answers) == 1


def test_the_next_round_asks_what_is_least_certain(call):
    Path("mols.smi").write_text("\n".join(MOLECULES), "utf-8")
    Path("people.csv").write_text("string,rating\nOCC,5\nCN,1\nCCCC,3\n", "utf-8")
    code, _, _ = call("mols.smi", "-n", "3", "--next", "people.csv", "-o", "more.csv")
    assert code == 0
    asked = plan_in("more.html")["strings"]
    assert len(asked) == 3
    assert not {"CCO", "CN", "CCCC"} & set(asked)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["mols.smi", "--terminal", "--page", "x.html"], "choose one"),
        (["-", "--terminal"], "stdin cannot bring both"),
        (["mols.smi", "-n", "0"], "leaves nothing to rate"),
        (["mols.smi", "-o", "people.txt"], "ends in .csv"),
        (["mols.smi", "--scale", "10"], "one key"),
        (["mols.smi", "--repeat", "0.9"], "must be from 0 to 0.5"),
        (["nowhere.smi"], "there is no file nowhere.smi"),
        (["mols.smi", "--next", "people.csv"], "is new: people.csv rates them all"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_no_file(call, arguments, reason):
    Path("mols.smi").write_text("CCO\nCN\nCS\n", "utf-8")
    Path("people.csv").write_text("string,rating\nCCO,3\nCN,4\nCS,1\n", "utf-8")
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert reason in err
    assert not list(Path().glob("*.html"))


def test_a_run_is_asked_for_its_own_samples(call):
    Path("corpus.txt").write_text("abba\nbaab\nabab\n" * 8)
    api.train(
        corpus=Path("corpus.txt"),
        out=Path("runs/mine"),
        overrides=["representation.name=text", "method.n_steps=8", "model.d_hidden=8", "method.batch_size=8"],
    )
    code, out, _ = call("mine", "-n", "6", "-o", "people.csv")
    assert (code, out) == (0, "people.html\n")
    first = plan_in("people.html")["strings"]
    assert len(set(first)) == 6
    assert set("".join(first)) <= {"a", "b"}
    call("mine", "-n", "6", "-o", "people.csv")
    assert plan_in("people.html")["strings"] == first
    call("mine", "-n", "6", "-o", "people.csv", "--seed", "1")
    assert plan_in("people.html")["strings"] != first
