import subprocess
import sys
from pathlib import Path

import pytest

from freerun.errors import FreerunError
from freerun.metrics.molecules import describe
from freerun.metrics.parallel import _ask, molecules

LINES = (Path(__file__).parents[1] / "golden" / "moses_a.smi").read_text().split("\n")


def test_repeats_are_looked_at_once_and_counted_often():
    seen = []
    rows = molecules(["CCO", "x", "CCO", "", "CCO"], progress=lambda *step: seen.append(step))
    assert rows.canonical == ["CCO", "", "CCO", "", "CCO"]
    assert seen == [("molecules", 3, 3)]


def test_no_strings_are_no_rows():
    assert len(molecules([])) == 0


def test_a_process_that_dies_is_one_clear_line():
    command = [sys.executable, "-c", "import os; os._exit(3)"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        pytest.raises(FreerunError, match="exit code 3"),
    ):
        _ask(process, ["CCO"] * 10)


@pytest.mark.slow
def test_several_processes_give_what_one_gives():
    one = describe(LINES[:900])
    assert molecules(LINES[:900], n_workers=3).to_bytes() == one.to_bytes()
