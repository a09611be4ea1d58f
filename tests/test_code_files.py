"""Codes into files and back, by every form; what is no file of codes is refused in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from freerun.code_files import writer
from freerun.code_sources import read_codes
from freerun.errors import FreerunError, UsageError

MEANS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
MEANS[2] = np.nan
STRINGS = ["CCO", 'a "quoted", one', "", "c1ccccc1", "N"]


def written(path: Path, n_pieces: int = 2) -> Path:
    with writer(str(path), 3) as put:
        for rows in np.array_split(np.arange(5), n_pieces):
            put([STRINGS[row] for row in rows], MEANS[rows], MEANS[rows] - 1)
    return path


@pytest.mark.parametrize("name", ["z.npy", "z.npz", "z.csv", "z.TSV", "z.parquet"])
def test_what_is_written_in_pieces_is_read_back_to_the_bit(tmp_path, name):
    read = read_codes(str(written(tmp_path / name)), 3)
    np.testing.assert_array_equal(read.astype(np.float32), MEANS)


def test_an_array_is_the_file_that_numpy_writes(tmp_path):
    np.save(tmp_path / "theirs.npy", MEANS)
    assert np.load(written(tmp_path / "ours.npy"), allow_pickle=False).dtype == np.float32
    np.testing.assert_array_equal(np.load(tmp_path / "ours.npy"), np.load(tmp_path / "theirs.npy"))
    both = np.load(written(tmp_path / "z.npz"), allow_pickle=False)
    assert sorted(both.files) == ["log_var", "mean"]
    np.testing.assert_array_equal(both["log_var"], MEANS - 1)


def test_tables_hold_the_strings_and_no_number_where_there_is_no_code(tmp_path):
    table = pyarrow.parquet.read_table(written(tmp_path / "z.parquet")).to_pylist()
    assert [row["string"] for row in table] == STRINGS
    assert table[2] == {"string": "", "z_0": None, "z_1": None, "z_2": None}
    assert written(tmp_path / "z.csv").read_text().splitlines()[3] == ",,,"


def test_no_codes_are_an_empty_array(tmp_path):
    with writer(str(tmp_path / "z.npy"), 3):
        pass
    assert read_codes(str(tmp_path / "z.npy"), 3).shape == (0, 3)


def test_one_code_alone_and_doubles_are_read(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(3.0))
    assert read_codes(str(tmp_path / "one.npy"), 3).tolist() == [[0.0, 1.0, 2.0]]


def test_columns_may_stand_in_any_order_beside_others(tmp_path):
    (tmp_path / "z.csv").write_text("z_1,name,z_0\n1.5,a,2\n,b,\n")
    np.testing.assert_array_equal(read_codes(str(tmp_path / "z.csv"), 2), [[2.0, 1.5], [np.nan, np.nan]])


def test_an_error_leaves_no_file(tmp_path):
    for name in ("z.npy", "z.npz", "z.csv", "z.parquet"):
        with pytest.raises(ZeroDivisionError), writer(str(tmp_path / name), 3):
            raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def saved(array: object, **options) -> Callable[[Path], None]:
    return lambda path: np.save(path, np.asarray(array), **options)


BAD: list[tuple[str, Callable[[Path], object], str]] = [
    ("wide.npy", saved(np.zeros((2, 4))), r"shape \(2, 4\); this run has codes of width 3"),
    ("flat.npy", saved(np.zeros(6)), r"shape \(6,\)"),
    ("whole.npy", saved(np.zeros((2, 3), int)), "holds int64, and codes are floating-point numbers"),
    ("texts.npy", saved(["a", "b"]), "holds <U1"),
    ("objects.npy", saved(np.array([[1.0, None, "x"]], dtype=object)), "Python objects, which are not read"),
    ("cut.npy", lambda path: path.write_bytes(written(path).read_bytes()[:150]), "cannot be read as an array"),
    ("junk.npy", lambda path: path.write_text("hello"), "junk.npy holds no codes; give what `freerun encode` writes"),
    ("empty.npy", lambda path: path.touch(), "empty.npy is empty"),
    ("other.npz", lambda path: np.savez(path, z=MEANS), "has no array 'mean'; it has 'z'"),
    ("cut.npz", lambda path: path.write_bytes(written(path).read_bytes()[:90]), "cannot be read"),
    ("cut.parquet", lambda path: path.write_bytes(written(path).read_bytes()[:90]), "cannot be read as a table"),
    ("none.csv", lambda path: path.write_text("string\nCCO\n"), "no column 'z_0'"),
    ("gap.csv", lambda path: path.write_text("z_0,z_2\n1,2\n"), "should have the columns z_0, z_1"),
    ("word.csv", lambda path: path.write_text("z_0,z_1,z_2\n1,2,3\n1,x,3\n"), "line 3: z_1 is 'x'"),
    ("short.csv", lambda path: path.write_text("z_0,z_1,z_2\n1,2\n"), "line 2: 2 fields where the header has 3"),
    ("strings.smi", lambda path: path.write_text("CCO\n"), "holds no codes"),
    ("missing.npy", lambda path: None, "there is no file"),
]


@pytest.mark.parametrize(("name", "make", "message"), BAD, ids=[name for name, *_ in BAD])
def test_what_is_no_file_of_codes_is_one_line_with_its_name(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(FreerunError, match=message) as told:
        read_codes(str(tmp_path / name), 3)
    assert name in str(told.value)


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"unknown suffix '.doc'; choose one of .npy, .npz"), writer("z.doc", 3):
        pass
