"""`freerun score` and `freerun scores` as a user meets them."""

import csv
import io
import sys

import pyarrow.parquet
import pytest

from freerun.app.cli import main
from freerun.scores import SCORES
from freerun.scores.families import FAMILIES

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.smi").write_text(f"CCO\n{ASPIRIN}\nC1CC\n\nCCO\n")

    def freerun(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["freerun", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return freerun


def test_a_file_becomes_a_table_with_all_digits(call):
    code, out, err = call("score", "mine.smi", "--score", "qed", "--score", "length")
    assert code == 0
    rows = list(csv.reader(out.splitlines()))
    qed = [repr(float(value)) for value in SCORES["qed"](["CCO", ASPIRIN])]
    assert rows == [
        ["string", "qed", "length"],
        ["CCO", qed[0], "3.0"],
        [ASPIRIN, qed[1], "21.0"],
        ["C1CC", "", "4.0"],
        ["", "", "0.0"],
        ["CCO", qed[0], "3.0"],
    ]
    assert "qed: mean 0.454" in err
    assert "2 of 5 strings have no value" in err
    assert "length: mean 6.2, 0 of 5" in err


def test_stdin_and_scores_with_arguments(call):
    code, out, _ = call("score", "-", "--score", "similarity:CCO", "--score", "expression", stdin="CCO\r\nx+sin(x*x)\n")
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["string", "CCO", "x+sin(x*x)"]
    assert out.splitlines()[0] == "string,similarity:CCO,expression"
    assert out.splitlines()[1] == "CCO,1.0,"


@pytest.mark.parametrize(("name", "delimiter"), [("out.csv", ","), ("out.TSV", "\t")])
def test_tables_by_suffix(call, tmp_path, name: str, delimiter: str):
    code, out, _ = call("score", "mine.smi", "--score", "length", "-o", name)
    assert (code, out) == (0, "")
    rows = list(csv.reader((tmp_path / name).read_text().splitlines(), delimiter=delimiter))
    assert rows[0] == ["string", "length"]
    assert rows[2] == [ASPIRIN, "21.0"]
    assert len(rows) == 6


def test_parquet_has_nulls_where_there_is_no_value(call, tmp_path):
    code, _, _ = call("score", "mine.smi", "--score", "validity", "--score", "tpsa", "-o", "out.parquet")
    assert code == 0
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert table["string"] == ["CCO", ASPIRIN, "C1CC", "", "CCO"]
    assert table["validity"] == [1, 1, 0, 0, 1]
    assert [value is None for value in table["tpsa"]] == [False, False, True, True, False]


def test_pieces_join_without_a_seam(call, monkeypatch):
    _, whole, _ = call("score", "mine.smi", "--score", "length")
    monkeypatch.setattr("freerun.scores.parallel.PIECE", 2)
    _, pieces, err = call("score", "mine.smi", "--score", "length")
    assert whole == pieces
    assert "0 of 5 strings" in err


def test_a_score_without_any_value_has_no_mean(call):
    code, _, err = call("score", "-", "--score", "qed", stdin="x\n")
    assert code == 0
    assert "qed: no mean, 1 of 1 strings have no value" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.smi", "--score", "qedd"], "did you mean 'qed'"),
        (["mine.smi", "--score", "similarity"], "needs an argument"),
        (["mine.smi", "--score", "qed", "-o", "out.xyz"], "unknown suffix '.xyz'; choose one of .csv, .tsv, .parquet"),
        (["mine.smi", "--score", "qed", "-o", "out"], "unknown suffix '(none)'"),
        (["none.smi", "--score", "qed"], "none.smi is no file"),
        (["-", "--score", "qed"], "the input is empty"),
        (["mine.smi"], "Missing option '--score'"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_no_file(call, tmp_path, arguments: list[str], message: str):
    code, out, err = call("score", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.smi"]


def test_scores_lists_every_score_and_family(call):
    code, out, _ = call("scores")
    assert code == 0
    names = [line.split()[0].partition(":")[0] for line in out.splitlines()]
    assert names == [*SCORES, *FAMILIES]


@pytest.mark.parametrize("name", [*SCORES, *FAMILIES, "rdkit:TPSA", "similarity:CCO"])
def test_scores_tells_of_each(call, name: str):
    code, out, _ = call("scores", name)
    assert code == 0
    assert out.startswith(name)


def test_scores_of_an_unknown_name_names_the_nearest(call):
    code, _, err = call("scores", "plog")
    assert code == 2
    assert "did you mean 'plogp'" in err
