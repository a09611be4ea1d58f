"""`freerun encode`, `decode`, `interpolate`, and conditions, as a user meets them: on a run of a few words."""

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest

import freerun
from freerun import api
from freerun.app.cli import main
from freerun.corpora.containers import standard_input

WORDS = ["abba", "abab", "baba", "bbaa", "aabb", "ab", "ba", "aab"]
ROWS = [f"{word},{'long' if len(word) == 4 else 'short'}" for word in WORDS]
SETTINGS = [
    "representation.name=text",
    "method.n_steps=120",
    "method.batch_size=32",
    "method.d_latent=6",
    "method.d_encoder=0",
    "method.beta=0.1",
    "method.descent.lr=0.01",
    "model.d_hidden=32",
    "run.precision=float32",
    "run.device=cpu",
]
pytestmark = pytest.mark.filterwarnings("default")  # the screen shows warnings; they are no errors there


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("coding")
    (folder / "corpus.csv").write_text("string,kind\n" + "\n".join(ROWS * 8) + "\n")
    return api.train(
        "vrae_quickstart",
        corpus=folder / "corpus.csv",
        out=folder / "run",
        conditions=["kind", "length"],
        overrides=SETTINGS,
    ).path


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("abba\n\nabz\nab\nbbbbbbbbbbb\n")
    (tmp_path / "mine.csv").write_text("string,kind\n" + "\n".join(ROWS) + "\n")

    def freerun(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["freerun", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        return code, *capsys.readouterr()

    return freerun


def test_a_file_becomes_codes_and_these_become_strings(call, trained, tmp_path):
    code, out, err = call("encode", trained, "mine.csv", "-o", "z.npy")
    assert (code, out) == (0, "")
    assert "the encoder is told: kind from its column, length by the score length" in err
    assert "8 rows of width 6 into z.npy" in err
    z = np.load(tmp_path / "z.npy", allow_pickle=False)
    kinds = [row.split(",")[1] for row in ROWS]
    np.testing.assert_array_equal(z, freerun.Run(trained).encode(WORDS, columns={"kind": kinds}))
    code, out, _ = call("decode", trained, "z.npy", "--given", "kind=long", "--given", "length=4")
    assert code == 0
    given = {"kind": "long", "length": 4.0}
    assert out.splitlines() == [strings[0] for strings in freerun.Run(trained).decode(z, given=given)]


def test_a_row_of_the_codes_is_a_line_of_the_file(call, trained, tmp_path):
    code, _, err = call("encode", trained, "mine.txt", "-o", "z.npy")
    assert code == 0
    assert "3 of 5 lines without a code" in err
    assert "mine.txt, line 3, position 2: token 'z' is not in the vocabulary" in err
    assert "has 11 tokens; this run was trained on at most 4" in err
    gone = np.isnan(np.load(tmp_path / "z.npy")).all(1)
    assert gone.tolist() == [False, True, True, False, True]
    code, out, err = call("decode", trained, "z.npy", "-o", "d.csv", "--sample", "-n", "3")
    assert (code, out) == (0, "")
    assert "3 of 5 rows are NaN, and left out" in err
    rows = list(csv.DictReader((tmp_path / "d.csv").read_text().splitlines()))
    assert [row["row"] for row in rows] == ["0"] * 3 + ["3"] * 3
    assert list(rows[0]) == ["row", "string", "raw", "valid"]


def test_strict_ends_at_the_first_line_without_a_code_and_leaves_no_file(call, trained, tmp_path):
    code, _, err = call("encode", trained, "mine.txt", "-o", "z.npy", "--strict")
    assert code == 1
    assert "line 3, position 2" in err
    assert not (tmp_path / "z.npy").exists()


def test_codes_go_to_stdout_as_a_table(call, trained):
    code, out, _ = call("encode", trained, "mine.txt")
    assert code == 0
    rows = list(csv.reader(out.splitlines()))
    assert rows[0] == ["string", *(f"z_{axis}" for axis in range(6))]
    assert [row[0] for row in rows[1:]] == ["abba", "", "abz", "ab", "bbbbbbbbbbb"]


def test_the_way_from_one_string_to_another_is_printed(call, trained):
    code, out, err = call("interpolate", trained, "abba", "ab", "-n", "5")
    assert (code, err) == (0, "")
    assert out.splitlines() == freerun.Run(trained).interpolate("abba", "ab", 5)


def test_samples_are_asked_for_and_scored(call, trained, tmp_path):
    code, out, _ = call(
        "sample", trained, "-n", "200", "--given", "KIND=long", "--given", "length=4", "--score", "length"
    )
    assert code == 0
    long = [float(line.split("\t")[1]) for line in out.splitlines()]
    code, out, err = call("sample", trained, "-n", "200", "--given", "length=2", "--score", "length", "-o", "s.csv")
    assert (code, out) == (0, "")
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert {row["given_length"] for row in rows} == {"2.0"}
    assert np.mean(long) > np.mean([float(row["length"]) for row in rows]) + 0.5
    code, _, err = call("sample", trained, "-n", "1", "--given", "length=40")
    assert code == 0
    assert "length = 40 lies outside what was trained on, 2 to 4" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["sample", "--given", "lenth=4"], "did you mean 'length'"),
        (["sample", "--given", "length"], "must be CONDITION=VALUE"),
        (["sample", "--given", "length=long"], "must be a number"),
        (["sample", "--given", "kind=lon"], "did you mean 'long'"),
        (["sample", "--given", "length=4", "--given", "Length=3"], "asked for twice"),
        (["sample", "--given", "length=4", "--given", "length=3"], "asked for twice"),
        (["sample", "--score", "lenth"], "did you mean 'length'"),
        (["sample", "--score", "length", "-o", "s.txt"], "has no place for scores"),
        (["encode", "none.txt"], "there is no file none.txt"),
        (["encode", "mine.txt", "-o", "z.doc"], "unknown suffix '.doc'"),
        (["encode", "mine.txt", "--column", "kind"], "no column 'kind'"),
        (["decode", "none.npy"], "there is no file none.npy"),
        (["decode", "mine.txt"], "holds no codes"),
        (["decode", "mine.txt", "-n", "2"], "needs --sample"),
        (["decode", "mine.txt", "-n", "0", "--sample"], "must be at least 1"),
        (["interpolate", "ab", "abba", "-n", "1"], "must be at least 2"),
        (["interpolate", "ab", "aaaaaaaaa"], "was trained on at most 4"),
    ],
)
def test_wrong_usage_is_one_line_with_the_remedy_and_leaves_no_file(call, trained, tmp_path, arguments, expected):
    there = sorted(tmp_path.iterdir())
    code, out, err = call(arguments[0], trained, *arguments[1:])
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert expected in err
    assert sorted(tmp_path.iterdir()) == there


def test_a_string_that_does_not_tokenise_is_named(call, trained):
    code, out, err = call("interpolate", trained, "ab", "axb")
    assert (code, out) == (1, "")
    assert "token 'x' is not in the vocabulary" in err
    assert "at position 1 of 'axb'" in err


def test_a_file_without_any_string_that_can_be_read_leaves_no_file(call, trained, tmp_path):
    (tmp_path / "odd.txt").write_text("xyz\nzzz\n")
    code, out, err = call("encode", trained, "odd.txt", "-o", "z.npy")
    assert (code, out) == (2, "")
    assert "no line of odd.txt has a code" in err
    assert not (tmp_path / "z.npy").exists()


def test_what_a_table_says_wrongly_of_conditions_is_taken_as_missing_and_said(call, trained, tmp_path):
    (tmp_path / "odd.csv").write_text("string,kind,length\nab,tiny,2\nabba,long,four\n")
    code, _, err = call("encode", trained, "odd.csv", "-o", "z.npy")
    assert code == 0
    assert "column 'kind': classes that this run does not know, as 'tiny'" in err
    assert "column 'length': what is not a number, as 'four' in line 3" in err


def test_a_run_without_codes_or_conditions_says_what_to_train(call, tmp_path):
    settings = ["representation.name=text", "method.n_steps=3", "model.d_hidden=8"]
    run = api.train(corpus=tmp_path / "mine.csv", out=tmp_path / "run", overrides=settings).path
    for arguments in (["encode", run, "mine.csv"], ["decode", run, "z.npy"], ["interpolate", run, "ab", "ba"]):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert "has no latent codes; train a latent method" in err
    code, _, err = call("sample", run, "--given", "length=3")
    assert code == 2
    assert "trained without conditions" in err


@pytest.mark.parametrize(
    ("config", "condition", "expected"),
    [
        ("vrae_quickstart", "hue", "has no column 'hue'"),
        ("vrae_quickstart", "same", "'same' is 1 in every training string"),
        ("vrae_quickstart", "remark", "that is text, not a class"),
        ("vrae_quickstart", "void", "'void' has no value in any training string"),
        ("grammar_vae_formulas", "kind", "takes no conditions; those that do:"),
    ],
)
def test_a_condition_that_says_nothing_is_refused_in_training(call, tmp_path, config, condition, expected):
    rows = [f"{row},1,note {i},nan" for i, row in enumerate(ROWS * 8)]
    (tmp_path / "odd.csv").write_text("string,kind,same,remark,void\n" + "\n".join(rows) + "\n")
    overrides = [part for each in SETTINGS[:1] for part in ("--set", each)]
    code, _, err = call("train", config, "--corpus", "odd.csv", "--condition", condition, *overrides)
    assert code == 2
    assert expected in err


def test_codes_come_through_a_pipe(call, trained, monkeypatch):
    _, table, _ = call("encode", trained, "mine.txt")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(table.encode())))
    standard_input.cache_clear()  # it is spooled once in a process
    try:
        code, out, err = call("decode", trained, "-")
    finally:
        standard_input.cache_clear()
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "3 of 5 rows are NaN" in err
