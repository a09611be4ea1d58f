import os
import pickle

import numpy as np
import pytest

from freerun.corpora.unpickle import arrays
from freerun.errors import FreerunError


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_in_lists_and_dicts_are_read(protocol):
    value = {"a": [np.arange(3, dtype=np.float32), np.float64(2.5)], "b": ("x", 1)}
    if protocol == 2:  # bytes are written by _codecs.encode there, which is no array
        value = {"b": ["x", 1]}
    found = arrays(pickle.dumps(value, protocol=protocol), "f.pkl")
    assert repr(found) == repr(value)


def test_an_array_written_by_an_old_numpy_is_read():
    new = pickle.dumps(np.arange(4, dtype=np.int16), protocol=3)
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != new
    np.testing.assert_array_equal(arrays(old, "f.pkl"), [0, 1, 2, 3])


class Evil:
    def __reduce__(self):
        return os.system, ("touch should-not-exist",)


def test_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FreerunError, match=r"f\.pkl is not read: it names (posix|nt)\.system"):
        arrays(pickle.dumps([np.zeros(2), Evil()]), "f.pkl")
    assert not (tmp_path / "should-not-exist").exists()


@pytest.mark.parametrize("data", [b"", b"junk", pickle.dumps(np.arange(99))[:80]])
def test_a_damaged_pickle_is_one_clear_line(data):
    with pytest.raises(FreerunError, match=r"f\.pkl is not read"):
        arrays(data, "f.pkl")
