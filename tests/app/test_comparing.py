"""`freerun compare` as a user meets it: tables, the page, exit codes, and going on after an interruption."""

import io
import json
import math
import sys
from pathlib import Path

import pytest

import freerun
from freerun.app.cli import main
from freerun.app.comparing import cell
from freerun.bootstrap import Estimate

pytestmark = pytest.mark.filterwarnings("default")  # the screen shows warnings; they are no errors there

WORDS = "".join(f"{a} {b}{c}\n" for a in "abcd" for b in "xy" for c in ("", "p q", "rst", "uv z")) * 3
SETTINGS = ["representation.name=text", "model.cell=gru", "model.d_hidden=8", "model.d_embedding=4"]
SETTINGS += ["method.batch_size=16"]
QUICK = [part for setting in SETTINGS for part in ("--set", setting)]
QUICK += ["--budget", "4", "-n", "15", "--seeds", "1"]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """`freerun ARGUMENTS` -> exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text(WORDS)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["freerun", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_configs_are_compared_and_the_page_is_written(call, tmp_path):
    arguments = ["compare", "quickstart", "quickstart@method.descent.lr=3e-2", "--corpus", "words.txt", *QUICK]
    code, out, err = call(*arguments, "--out", "c")
    assert code == 0, err
    assert "one seed; a run ends with the step that reaches 4 steps, or before; 15 samples of each" in out
    assert "differences from quickstart" in out
    assert "valid_nll_per_token" in out
    assert "nan" not in out
    assert "run 2 of 2: quickstart@lr=3e-2, seed 0" in err
    assert "note: One seed: no interval can be given" in err
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert "<code>method.descent.lr</code>" in page
    assert json.loads((tmp_path / "c" / "comparison.json").read_text())["n_seeds"] == 1
    assert call(*arguments, "--out", "c")[1] == out
    code, _, err = call(*arguments, "--out", "c", "--budget", "9")
    assert (code, err.strip().splitlines()[-1].startswith("freerun: c holds another comparison")) == (2, True)


def test_what_comes_through_a_pipe_is_kept_for_all_runs(call, monkeypatch, tmp_path):
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WORDS.encode())))
        code, out, err = call("compare", "quickstart", "--corpus", "-", *QUICK, "--out", "piped")
        assert code == 0, err
        assert str(tmp_path / "piped" / "corpus.txt") in out
    assert (tmp_path / "piped" / "corpus.txt").read_text() == WORDS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["quikstart"], "did you mean 'quickstart'"),
        (["quickstart", "--seeds", "0"], "--seeds 0 must be at least 1"),
        (["quickstart", "--equal", "epochs"], "there are steps, tokens, calls, time"),
        (["quickstart", "--equal", "time"], "needs --budget N, in minutes"),
        (["quickstart", "--suite", "mozes"], "suite 'mozes' is not known"),
        (["quickstart", "--corpus", "none.smi"], "none.smi"),
        (["quickstart", "--out", "words.txt"], "words.txt is a file"),
    ],
)
def test_wrong_usage_is_one_line_with_the_remedy_and_exit_2(call, arguments, expected):
    code, out, err = call("compare", *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert expected in err


def test_no_config_is_wrong_usage(call):
    assert call("compare")[0] == 2


def test_the_same_is_a_function(tmp_path):
    (tmp_path / "words.txt").write_text(WORDS)
    compared = freerun.compare(
        ["quickstart"],
        corpus=tmp_path / "words.txt",
        n_seeds=1,
        budget=3.0,
        n=5,
        out=tmp_path / "c",
        overrides=SETTINGS,
    )
    assert math.isfinite(compared.standings[0].measures["valid_nll_per_token"].mean)
    assert (Path(compared.path) / "comparison.html").exists()


@pytest.mark.parametrize(
    ("estimate", "signed", "expected"),
    [
        (None, False, "-"),
        (Estimate(0), True, "-"),
        (Estimate(1, 0.5), False, "0.5000 (of 1)"),
        (Estimate(4, 0.5, 0.25, 0.75), False, "0.5000 [0.2500, 0.7500]"),
        (Estimate(4, 0.5, 0.25, 0.75), True, "+0.5000 [+0.2500, +0.7500]*"),
        (Estimate(4, 0.5, -0.25, 0.75), True, "+0.5000 [-0.2500, +0.7500]"),
    ],
)
def test_a_cell_says_mean_interval_and_whether_it_is_clear(estimate, signed, expected):
    assert cell(estimate, 4, signed=signed) == expected
