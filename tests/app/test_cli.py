"""The command line as a user meets it: outputs, exit codes, one clear line for what is wrong."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from freerun import api
from freerun.app.cli import explained, main
from freerun.errors import FreerunError, Interrupted, UsageError

SMILES = ["CCO", "CCN", "CCC", "c1ccccc1", "CC(=O)O", "CCOC", "CNC", "OCC", "CC(C)O", "CCCl"] * 4
pytestmark = pytest.mark.filterwarnings("default")  # the screen shows warnings; they are no errors there

QUICK = ["--set", "method.n_steps=12", "--set", "model.d_hidden=12", "--set", "method.batch_size=16"]


def freerun(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["freerun", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: freerun(monkeypatch, capsys, *arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "corpus.smi").write_text("\n".join(SMILES) + "\n")
    settings = ["method.n_steps=60", "model.d_hidden=16", "method.batch_size=16", "method.descent.lr=0.02"]
    return api.train(corpus=folder / "corpus.smi", out=folder / "run", overrides=settings).path


def test_a_file_becomes_a_run_samples_and_a_listing(call, tmp_path):
    (tmp_path / "mine.smi").write_text("\n".join(SMILES))
    code, out, err = call("train", "--corpus", "mine.smi", "--out", "runs/mine", *QUICK)
    assert (code, out) == (0, "")
    assert "representation: smiles" in err
    assert "freerun sample runs/mine" in err
    code, out, _ = call("sample", "last", "-n", "7")
    assert code == 0
    assert len(out.splitlines()) == 7
    code, out, _ = call("runs")
    assert "runs/mine" in out
    assert "finished" in out


def test_unique_gives_as_many_different_lines_as_asked_for(call, trained):
    _, out, _ = call("sample", trained, "-n", "50", "--unique")
    assert len(set(out.splitlines())) == 50


def test_samples_go_into_files_and_the_counts_to_stderr(call, trained, tmp_path):
    code, out, err = call("sample", trained, "-n", "20", "-o", "s.csv")
    assert (code, out) == (0, "")
    assert "20 strings into s.csv" in err
    assert (tmp_path / "s.csv").read_text().startswith("string,raw,valid,log_prob,n_tokens\n")


@pytest.mark.parametrize(
    "command", ["methods", "representations", "constraints", "scores", "metrics", "configs", "corpora"]
)
def test_what_there_is_is_listed_and_each_entry_told(call, command):
    code, out, _ = call(command)
    assert code == 0
    name = out.splitlines()[1 if command == "corpora" else 0].split()[0]
    if command != "corpora":
        code, out, _ = call(command, name)
        assert code == 0
        assert out.strip()


def test_a_file_is_described_before_it_is_used(call, tmp_path):
    (tmp_path / "mine.csv").write_text("SMILES,activity\nCCO,1.5\nCCN,\nC(C,2\n" + "CCCl,3\n" * 30)
    code, out, _ = call("corpora", "mine.csv")
    assert code == 0
    for expected in ("smiles", "activity", "refused lines", "mine.csv"):
        assert expected in out


def test_every_command_has_help_with_an_example(call):
    _, out, _ = call("--help")
    commands = [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert {"demo", "train", "resume", "sample", "evaluate", "report", "fetch"} <= set(commands)
    for command in commands:
        if command not in ("Example:",):
            code, out, _ = call(command, "--help")
            assert code == 0
            assert "Example:" in out


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def refused(path: Path) -> None:
    path.write_text("C(C\nC)C\n((\n" * 5)


BAD_FILES = {
    "missing.smi": (lambda path: None, 2),
    "empty.smi": (lambda path: path.write_text(""), 1),
    "folder.smi": (lambda path: path.mkdir(), 2),
    "binary.smi": (binary, 1),
    "refused.smi": (refused, 2),
    "odd.xyz": (lambda path: path.write_text("CCO\n"), 2),
    "broken.csv.gz": (lambda path: path.write_bytes(gzip.compress(b"SMILES\nCCO\n" * 99)[:-20]), 1),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_ends_in_one_line_and_no_traceback(call, tmp_path, name):
    make, expected = BAD_FILES[name]
    make(tmp_path / name)
    arguments = ["--set", "representation.name=smiles"] if name == "refused.smi" else []
    code, out, err = call("train", "--corpus", name, *QUICK, *arguments)
    assert code == expected, err
    assert out == ""
    assert err.strip().splitlines()[-1].startswith("freerun: ")
    assert "Traceback" not in err
    assert name in err


def test_a_file_of_one_line_is_told_that_it_is_held_out(call, tmp_path):
    (tmp_path / "one.smi").write_text("CCO\n", "utf-8")
    code, out, err = call("train", "--corpus", "one.smi")
    assert (code, out) == (2, "")
    assert "its few lines are held out" in err


def test_odd_but_readable_files_are_read(call, tmp_path):
    lines = "\r\n".join(SMILES)
    (tmp_path / "windows.smi").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    (tmp_path / "long.smi").write_text("C" * 10_000_000 + "\n" + "\n".join(SMILES))
    for name in ("windows.smi", "long.smi"):
        code, _, err = call("train", "--corpus", name, "--out", name.split(".")[0], *QUICK)
        assert code == 0, err


def test_a_missing_column_names_those_that_there_are(call, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\nCCO,1\n")
    code, _, err = call("train", "--corpus", "t.csv", "--column", "SMILES")
    assert code == 2
    assert "SMILES" in err
    assert "a" in err.split("SMILES")[-1] or "b" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "quikstart"], "did you mean 'quickstart'"),
        (["train", "--corpus", "mozes"], "moses"),
        (["train", "--set", "method.n_epoch=3"], "did you mean 'n_epochs'"),
        (["train", "--set", "run.device=tpu9"], "device 'tpu9' is not available"),
        (["sample", "last"], "there is no run"),
        (["sample", "runs/none"], "is no run folder"),
        (["resume", "last"], "there is no run"),
        (["evaluate", "none.smi"], "is no file"),
        (["methods", "teacher"], "did you mean 'teacher_forcing'"),
        (["fetch", "mosses"], "moses"),
        (["corpora", "none.csv"], "none.csv"),
    ],
)
def test_wrong_usage_is_one_line_with_the_remedy_and_exit_2(call, arguments, expected):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert expected in err


@pytest.mark.parametrize("arguments", [["--temperature", "0"], ["--top-p", "2"], ["-o", "x.doc"], ["-n", "-3"]])
def test_wrong_numbers_of_sample_are_refused(call, trained, arguments):
    code, out, err = call("sample", trained, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("freerun: ")


def test_strict_ends_at_the_first_line_that_cannot_be_read(call, tmp_path):
    (tmp_path / "one.smi").write_text("CCO\nC(C\n" + "CCN\n" * 30)
    code, _, err = call("train", "--corpus", "one.smi", "--strict", *QUICK, "--set", "representation.name=smiles")
    assert code == 1
    assert "one.smi" in err
    assert "2" in err


def test_no_network_is_one_line_that_names_file_and_folder(call, monkeypatch, tmp_path):
    monkeypatch.setenv("FREERUN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    code, out, err = call("fetch", "coco")
    assert (code, out) == (1, "")
    assert "image_coco.txt" in err
    assert str(tmp_path / "data") in err


def test_what_comes_through_a_pipe_is_kept_in_the_run_so_that_it_can_be_resumed(tmp_path):
    command = [sys.executable, "-m", "freerun.app", "train", "--corpus", "-", "--out", "run", *QUICK]
    text = "name,SMILES\n" + "".join(f"a{i},{smiles}\n" for i, smiles in enumerate(SMILES))
    subprocess.run(command, input=text, text=True, check=True, cwd=tmp_path, capture_output=True)
    assert (tmp_path / "run" / "corpus.csv").read_text() == text
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["corpus"]["n_train"] + facts["corpus"]["n_valid"] <= len(SMILES)
    assert str(tmp_path / "run" / "corpus.csv") in (tmp_path / "run" / "config.toml").read_text()


def test_evaluate_reads_stdin_and_files_alike(call, tmp_path, monkeypatch):
    import io

    (tmp_path / "truth.smi").write_text("\n".join(SMILES))
    (tmp_path / "s.smi").write_text("CCO\n\nCCBr\nnot a molecule\n")
    code, out, _ = call("evaluate", "s.smi", "--against", "truth.smi", "--json", "m.json")
    assert code == 0
    measures = json.loads((tmp_path / "m.json").read_text())
    assert measures["valid"] == 0.5
    assert measures["Novelty"] == 0.5
    monkeypatch.setattr(sys, "stdin", io.StringIO("CCO\n\nCCBr\nnot a molecule\n"))
    assert call("evaluate", "-", "--against", "truth.smi")[1] == out


def test_a_run_is_examined_and_reported(call, trained):
    code, out, err = call("evaluate", trained, "-n", "60")
    assert code == 0, err
    assert "training set" in out
    code, out, _ = call("report", trained)
    assert code == 0
    assert Path(out.strip()).read_text().count("<html") == 1


def test_errors_have_their_exit_codes(capsys):
    cases = {2: UsageError("u"), 1: FreerunError("f"), 130: Interrupted("i"), 0: BrokenPipeError()}
    for code, error in list(cases.items())[:3]:
        assert explained(error) == code
    assert explained(KeyboardInterrupt()) == 130
    assert explained(OSError(28, "No space left on device")) == 1
    assert "No space left" in capsys.readouterr().err


def test_ctrl_c_within_a_command_says_how_to_go_on(call, monkeypatch, tmp_path):
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("freerun.corpora.inspect.inspect", stopped)
    (tmp_path / "own.txt").write_text("a\n", "utf-8")
    code, out, told = call("corpora", str(tmp_path / "own.txt"))
    assert (code, out) == (130, "")
    assert "freerun resume last" in told


def test_import_and_help_load_no_heavy_library():
    script = (
        "import sys, freerun, freerun.app.cli; print(sorted({'torch', 'rdkit', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
