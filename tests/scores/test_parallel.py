import math
import os

import numpy as np
import pytest

from freerun.errors import FreerunError, UsageError
from freerun.scores import find_score, parallel
from freerun.scores.parallel import PIECE, values_of
from freerun.scores.program import Program

STRINGS = [f"x + {n}" if n % 3 else f"x + ({n}" for n in range(5 * PIECE + 7)]


@pytest.fixture
def processes(monkeypatch) -> list[Program]:
    """Those that are started."""
    started = []

    class Recorded(Program):
        def __init__(self, name: str):
            super().__init__(name)
            started.append(self)

    monkeypatch.setattr(parallel, "Program", Recorded)
    return started


@pytest.mark.parametrize("n_workers", [1, 2, 3])
def test_the_values_do_not_depend_on_the_number_of_processes(processes, n_workers: int):
    values = values_of("expression", STRINGS, n_workers=n_workers, patience=0.0)
    assert np.array_equal(values, find_score("expression")(STRINGS), equal_nan=True)
    assert len(processes) == (n_workers if n_workers > 1 else 0)
    assert all(process._process.poll() is not None for process in processes)


def test_short_work_stays_here(processes):
    done = []
    values_of("length", STRINGS, n_workers=4, patience=60.0, progress=lambda n, total: done.append((n, total)))
    assert not processes
    assert done == [(n * PIECE, len(STRINGS)) for n in range(1, 6)] + [(len(STRINGS), len(STRINGS))]


def test_progress_goes_on_in_processes():
    done = []
    values_of("length", STRINGS, n_workers=2, patience=0.0, progress=lambda n, total: done.append(n))
    assert done == [n * PIECE for n in range(1, 6)] + [len(STRINGS)]


def test_nothing_has_no_values():
    assert values_of("qed", []).shape == (0,)


def test_an_unknown_score_is_refused():
    with pytest.raises(UsageError, match="did you mean 'qed'"):
        values_of("qedd", ["C"])


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_process_that_dies_is_one_clear_error(processes, monkeypatch):
    def kill_one(n: int, total: int) -> None:
        if processes:
            processes[0]._process.kill()

    with pytest.raises(FreerunError, match=r"the score length of \d+ strings failed: died: its process ended with -9"):
        values_of("length", STRINGS * 40, n_workers=2, patience=0.0, progress=kill_one)


def test_molecules_too():
    smiles = ["C" * n for n in range(1, 60)] + ["x"]
    values = values_of("weight", smiles * 10, n_workers=2, patience=0.0)
    assert values[:59] == pytest.approx([12.011 * n + 1.008 * (2 * n + 2) for n in range(1, 60)], rel=1e-6)
    assert math.isnan(values[59])
