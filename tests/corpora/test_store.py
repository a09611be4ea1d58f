import dataclasses
from pathlib import Path

import numpy as np
import pytest

from freerun.corpora.store import entry_path, read_entry, smallest_type, write_entry
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

ARRAYS = {"offsets": np.arange(7, dtype=np.int64), "ids": np.arange(13, dtype=np.uint8)}


def entry(path: Path, arrays: dict[str, np.ndarray] = ARRAYS) -> Path:
    with path.open("wb") as out:
        write_entry(out, {"alphabet": ["a", "é"]}, {name: [a[:4], a[4:]] for name, a in arrays.items()})
    return path


def test_an_entry_reads_back(tmp_path):
    found = read_entry(entry(tmp_path / "e"))
    assert found is not None
    record, arrays = found
    assert record["alphabet"] == ["a", "é"]
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype
        assert not arrays[name].flags.writeable
    assert isinstance(arrays["ids"], np.memmap)


def test_an_entry_without_rows_reads_back(tmp_path):
    nothing = {"offsets": np.zeros(0, np.int64), "ids": np.zeros(0, np.uint8)}
    found = read_entry(entry(tmp_path / "e", nothing))
    assert found is not None
    assert {name: len(values) for name, values in found[1].items()} == {"offsets": 0, "ids": 0}


@pytest.mark.parametrize("keep", [0, 1, 7, 60, 100, -1])
def test_a_cut_entry_is_none(tmp_path, keep):
    path = entry(tmp_path / "e")
    path.write_bytes(path.read_bytes()[:keep])
    assert read_entry(path) is None


def test_no_changed_byte_goes_unseen_in_the_arrays(tmp_path):
    path = entry(tmp_path / "e")
    good = path.read_bytes()
    for place in range(sum(array.nbytes for array in ARRAYS.values())):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert read_entry(path) is None


def test_another_file_is_none(tmp_path):
    assert read_entry(tmp_path / "none") is None
    (tmp_path / "e").write_bytes(b"x" * 1000)
    assert read_entry(tmp_path / "e") is None
    assert read_entry(tmp_path) is None


def test_the_name_depends_on_content_and_settings_but_not_on_the_vocabulary(tmp_path):
    names = {
        entry_path(tmp_path, "a", Smiles()),
        entry_path(tmp_path, "b", Smiles()),
        entry_path(tmp_path, "a", Text()),
        entry_path(tmp_path, "a", dataclasses.replace(Smiles(), kekule=True)),
    }
    assert len(names) == 4
    assert entry_path(tmp_path, "a", Smiles().with_vocab(["C"])) == entry_path(tmp_path, "a", Smiles())


@pytest.mark.parametrize(("n", "kind"), [(1, "u1"), (256, "u1"), (257, "u2"), (65_536, "u2"), (65_537, "u4")])
def test_the_smallest_type_holds_all_ids(n, kind):
    assert np.dtype(smallest_type(n)) == np.dtype(kind)
    assert np.iinfo(smallest_type(n)).max >= n - 1
