from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from freerun.errors import FreerunError
from freerun.metrics.reference import Reference, reference, statistics

LINES = ["OCC", "Cc1ccc(NC(=O)c2ccccc2)cc1", "CCO", "c1ccccc1"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FREERUN_CACHE", str(tmp_path))
    return tmp_path


def same(one: Reference, other: Reference) -> bool:
    return (
        one.fragments == other.fragments
        and one.scaffolds == other.scaffolds
        and np.array_equal(one.fingerprints, other.fingerprints)
        and all(np.array_equal(one.properties[name], other.properties[name]) for name in one.properties)
        and np.array_equal(one.gaussian.mean, other.gaussian.mean)
        and np.array_equal(one.gaussian.covariance, other.gaussian.covariance)
        and one.gaussian.n == other.gaussian.n
    )


def untouchable() -> Iterator[str]:
    raise AssertionError("the strings are read although the cache knows them")
    yield ""


@pytest.mark.parametrize("lines", [LINES, ["c1ccccc1"] * 2], ids=["all", "no scaffold"])
def test_a_saved_reference_is_loaded_whole(tmp_path: Path, lines: list[str]):
    made = statistics(lines)
    made.save(tmp_path / "reference.npz")
    assert same(Reference.load(tmp_path / "reference.npz"), made)
    assert len(made) == len(lines)


def test_statistics_are_computed_once(cache: Path):
    made = reference(iter(LINES), key="abc")
    assert same(reference(untouchable(), key="abc"), made)
    assert len(list(cache.rglob("*.npz"))) == 1


def test_other_strings_are_another_reference(cache: Path):
    assert len(reference(LINES)) == 4
    assert len(reference(LINES[:3])) == 3
    assert len(reference(LINES)) == 4
    assert len(list(cache.rglob("*.npz"))) == 2


def test_a_damaged_file_of_the_cache_is_made_again(cache: Path):
    made = reference(LINES, key="abc")
    (path,) = cache.rglob("*.npz")
    path.write_bytes(path.read_bytes()[:1000])
    assert same(reference(LINES, key="abc"), made)


def test_lines_that_are_no_molecules_are_left_out_and_counted(cache: Path):
    with pytest.warns(UserWarning, match="2 of 6 reference lines are no molecules"):
        made = reference([*LINES, "C1CC", ""])
    assert same(made, reference(LINES))


@pytest.mark.parametrize("lines", [[], ["x", ""]])
def test_a_reference_without_a_molecule_is_refused(cache: Path, lines: list[str]):
    with pytest.raises(FreerunError, match=f"none of the {len(lines)} reference lines is a molecule"):
        reference(lines)
    assert not list(cache.rglob("*.npz"))
