"""`freerun optimize` as a user meets it: on a run of a few formulas."""

import csv
import json
import sys
from pathlib import Path

import pytest

from freerun import api
from freerun.app.cli import main

FORMULAS = [
    f"{a}{op}{f}{b}{end}" for a in "x12" for op in "+*/" for f, end in (("sin(", ")"), ("", "")) for b in "x123"
]
pytestmark = pytest.mark.filterwarnings("default")  # the screen shows warnings; they are no errors there


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("optimize")
    (folder / "formulas.txt").write_text("\n".join(FORMULAS * 2) + "\n")
    (folder / "tiny.toml").write_text(
        '[representation]\nname = "grammar"\ngrammar = "formulas"\n'
        f'[corpus]\nname = "{folder / "formulas.txt"}"\n'
        '[model]\ncell = "gru"\nd_embedding = 8\nd_hidden = 24\n'
        '[method]\nname = "vrae"\nn_steps = 60\nbatch_size = 32\nd_latent = 3\nbeta = 0.01\n'
        "[method.descent]\nlr = 0.02\n"
        '[run]\nprecision = "float32"\n'
    )
    return api.train(str(folder / "tiny.toml"), out=folder / "run").path


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def freerun(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["freerun", "optimize", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        return code, *capsys.readouterr()

    return freerun


def test_a_search_prints_the_best_and_keeps_every_query_once(call, run, tmp_path):
    request = [run, "--score", "expression:2", "--score", "length", "--budget", 8, "--n-start", 20]
    code, out, err = call(*request, "-o", "best.csv")
    assert code == 0, err
    assert "start: " in err
    with (tmp_path / "best.csv").open(newline="") as file:
        best = list(csv.DictReader(file))
    assert len(best) == 8
    totals = [float(each["total"]) for each in best]
    assert totals == sorted(totals, reverse=True)
    for each in best:  # both scores are better when lower
        assert float(each["total"]) == pytest.approx(-2 * float(each["expression"]) - float(each["length"]))
    assert out.splitlines()[0].split() == ["string", "expression", "length", "total", "seed", "query"]
    assert out.splitlines()[1].split()[0] == best[0]["string"]
    (scores,) = run.glob("optimize/expression+length-*/scores.csv")
    with scores.open(newline="") as file:
        canonical = [line["canonical"] for line in csv.DictReader(file)]
    assert len(canonical) == len(set(canonical))
    assert {each["string"] for each in best} <= set(canonical)
    (log,) = scores.parent.glob("trust-region-0-*.jsonl")
    queries = [json.loads(line) for line in log.read_text().splitlines()[1:]]
    asked = {each["string"] for each in queries if each["size"]}
    assert asked == {each["string"] for each in best}
    before = scores.read_bytes()
    code, again, _ = call(*request)
    assert (code, again) == (0, out)
    assert scores.read_bytes() == before


@pytest.mark.parametrize("by", ["best-of-n", "random"])
def test_controls_ask_as_many_distinct_strings(call, run, by, tmp_path):
    code, _, err = call(run, "--score", "length", "--by", by, "--budget", 25, "--seeds", 2, "-o", "s.txt")
    assert code == 0, err
    lines = (tmp_path / "s.txt").read_text().splitlines()
    assert 25 <= len(lines) == len(set(lines)) <= 50
    assert "seed 0: 25 queries" in err
    assert "seed 1: 25 queries" in err
    assert [len(line) for line in lines] == sorted(map(len, lines))


def test_max_length_is_a_cap_in_tokens(call, run, tmp_path):
    call(run, "--score", "expression", "--by", "random", "--budget", 30, "--max-length", 4, "-o", "s.txt")
    longest = max((tmp_path / "s.txt").read_text().split(), key=len)
    assert len(longest) <= 6  # S -> T, T -> sin(S), S -> T, T -> x


def test_a_start_may_be_given(call, run, tmp_path):
    (tmp_path / "start.txt").write_text("\n".join([*FORMULAS[:15], "no formula"]))
    code, _, err = call(run, "--score", "length", "--budget", 5, "--start", "start.txt", "-o", "s.txt")
    assert code == 0, err
    assert "1 strings of the start are left out" in err
    assert not set((tmp_path / "s.txt").read_text().split()) & set(FORMULAS[:15])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--score", "expresion"], "did you mean 'expression'"),
        (["--score", "qed", "--by", "reinforce"], "there are latent, best-of-n, random"),
        (["--score", "qed", "--by", "latnt"], "did you mean 'latent'"),
        (["--score", "qed", "--protocol", "turbo"], "trust-region"),
        (["--score", "qed", "--budget", "0"], "budget = 0"),
        (["--score", "qed", "-o", "x.doc"], "unknown suffix"),
    ],
)
def test_wrong_usage_is_one_line_with_the_remedy_and_exit_2(call, run, arguments, expected):
    code, out, err = call(run, *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert expected in err


def test_what_was_paid_before_an_interrupt_is_kept(call, run, monkeypatch):
    from freerun.search import optimization

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(optimization, "ranking", interrupted)
    code, _, err = call(run, "--score", "length:3", "--by", "random", "--budget", 5)
    assert code == 130
    assert "the same command goes on" in err
    kept = [path.read_text().splitlines() for path in run.glob("optimize/length-*/scores.csv")]
    assert 6 in map(len, kept)


def test_a_run_without_codes_is_refused(call, tmp_path):
    (tmp_path / "c.smi").write_text("\n".join(["CCO", "CCN", "CCC", "CNC"] * 5))
    settings = ["method.n_steps=2", "model.d_hidden=8", "method.batch_size=8"]
    folder = api.train(corpus=tmp_path / "c.smi", out=tmp_path / "run", overrides=settings).path
    code, _, err = call(folder, "--score", "qed")
    assert code == 2
    assert "no latent codes" in err
