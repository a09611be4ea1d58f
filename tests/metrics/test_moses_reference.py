import io
import pickle
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from freerun.errors import FreerunError
from freerun.metrics.moses_reference import _converted, _statistics, moses_reference

PUBLISHED = {
    "FCD": {"mu": np.arange(512, dtype=np.float32), "sigma": np.eye(512)},
    "SNN": {"fps": np.eye(2, 1024, dtype=np.uint8)},
    "Frag": {"frag": Counter({"CCO": 2})},
    "Scaf": {"scaf": Counter()},
    "logP": {"values": [1.0, 2.0]},
    "SA": {"values": [3.0, 4.0]},
    "QED": {"values": [0.5, 0.6]},
    "weight": {"values": [46.0, 78.0]},
}


def wheel(path: Path, statistics: object) -> Path:
    """A file built as the benchmark's: a pickle, in an npy, in an npz, in a wheel."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
        box = np.empty((), dtype=object)
        box[()] = statistics
        body = pickle.dumps(box, protocol=2).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
        archive.writestr("stats.npy", header.getvalue() + body)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("moses/dataset/data/test_stats.npz", inner.getvalue())
    return path


def test_published_statistics_become_plain_arrays(tmp_path: Path):
    made = _converted(_statistics(wheel(tmp_path / "moses.whl", PUBLISHED), "test"))
    assert len(made) == made.gaussian.n == 2
    assert made.gaussian.mean.tolist() == list(range(512))
    assert made.fingerprints[:, 0].tolist() == [1, 2]
    assert not made.fingerprints[:, 1:].any()
    assert made.properties["QED"].tolist() == [0.5, 0.6]
    assert made.fragments == {"CCO": 2}


class Evil:
    def __reduce__(self):
        return print, ("this must not run",)


def test_a_pickle_that_names_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(pickle.UnpicklingError, match="print is not among the 5 names"):
        _statistics(wheel(tmp_path / "moses.whl", {"FCD": Evil()}), "test")
    assert not capsys.readouterr().out


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FREERUN_DATA", str(tmp_path))
    monkeypatch.setenv("FREERUN_CACHE", str(tmp_path / "cache"))
    wheel(tmp_path / "molsets-0.3.1-py3-none-any.whl", PUBLISHED)
    with pytest.raises(FreerunError, match="is not the file it should be"):
        moses_reference("test")
