"""`freerun explain` as a user meets it."""

import sys
from pathlib import Path

import pytest

from freerun import api
from freerun.app.cli import main
from freerun.app.explaining import pointed
from freerun.errors import InvalidSequence


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def freerun(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["freerun", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        return code, *capsys.readouterr()

    return freerun


def test_a_molecule_is_told_token_by_token_and_drawn(call, tmp_path):
    code, out, err = call("explain", "CC1CC1", "-o", "page.html")
    assert (code, err) == (0, "")
    assert "read as smiles (chosen by looking at the string); 6 tokens" in out
    assert out.splitlines()[6].split() == ["3", "2", "1", "5", "atom", "2", "opens", "ring", "1"]
    assert "bonds cut: ring 1 joins atoms 2 and 4" in out
    assert out.endswith("page.html\n")
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_derivation_is_told_step_by_step(call):
    code, out, _ = call("explain", "x+1", "--representation", "formulas")
    assert code == 0
    assert "[S] + T" in out
    assert out.splitlines()[-1].strip() == "x+1"


def test_what_cannot_be_read_gets_a_caret_and_one_line(call):
    code, out, err = call("explain", "CC(C", "--representation", "smiles")
    assert (code, out) == (1, "")
    excerpt, caret, line = err.splitlines()
    assert excerpt == "  CC(C"
    assert caret.index("^") == 2 + 2
    assert line.startswith("freerun: a branch is opened and never closed")


def test_a_long_string_is_cut_around_the_caret():
    excerpt, caret = pointed(InvalidSequence("C" * 200 + "?" + "N" * 50, 200, "wrong")).split("\n")
    assert len(excerpt) < 90
    assert excerpt[caret.index("^")] == "?"


def test_a_run_and_a_representation_exclude_each_other(call):
    code, _, err = call("explain", "CCO", "last", "--representation", "smiles")
    assert code == 2
    assert "leave out --representation" in err


def test_a_run_tells_what_its_model_thinks(call, tmp_path):
    (tmp_path / "corpus.txt").write_text("abba\nbaab\nabab\n" * 8)
    api.train(
        corpus=Path("corpus.txt"),
        out=Path("runs/mine"),
        overrides=["representation.name=text", "method.n_steps=8", "model.d_hidden=8", "method.batch_size=8"],
    )
    code, out, _ = call("explain", "abab", "mine")
    assert code == 0
    steps = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert [row[1] for row in steps] == ["a", "b", "a", "b", "<eos>"]
    assert [row[3].split("/")[1] for row in steps] == ["3"] * 4 + ["1"]  # a, b and <eos>; then the budget is spent
    assert "nats under mine" in out
