"""The published statistics of the two MOSES test sets, read from the benchmark's own wheel.

The wheel keeps them as a pickle. It is read once, through an unpickler that knows five names, into a plain file.
"""

import io
import pickle
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np

from freerun.corpora.fetch import fetch, known
from freerun.metrics.frechet import Gaussian
from freerun.metrics.reference import Reference, cached_at, load_cached
from freerun.metrics.tanimoto import pack
from freerun.scores.molecules import PROPERTIES


def moses_reference(split: Literal["test", "test_scaffolds"]) -> Reference:
    """The 176,074 molecules of the test set, or the 176,225 of the scaffold test set, as published.

    Raises:
        FreerunError: If the benchmark's wheel is neither in the data folder nor can be fetched.
    """
    path = cached_at(known("moses").files[0].hash, split)
    found = load_cached(path)
    if found is None:
        (wheel,) = fetch(["moses"])["moses"]
        found = _converted(_statistics(wheel, split))
        found.save(path)
    return found


def _converted(published: dict[str, dict[str, Any]]) -> Reference:
    fingerprints = pack(published["SNN"]["fps"])
    return Reference(
        fingerprints=fingerprints,
        properties={name: np.array(published[name]["values"], dtype=np.float64) for name in PROPERTIES},
        fragments=published["Frag"]["frag"],
        scaffolds=published["Scaf"]["scaf"],
        gaussian=Gaussian(published["FCD"]["mu"].astype(np.float64), published["FCD"]["sigma"], len(fingerprints)),
    )


def _statistics(wheel: Path, split: str) -> dict[str, dict[str, Any]]:
    """The one object in the one array of moses/dataset/data/<split>_stats.npz."""
    with zipfile.ZipFile(wheel) as outer:
        inner = io.BytesIO(outer.read(f"moses/dataset/data/{split}_stats.npz"))
    with zipfile.ZipFile(inner) as archive, archive.open("stats.npy") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        return _AllowList(file).load().item()


def _latin1(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not allowed, only latin1")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.zeros(0))[0],  # its own name for it
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    ("collections", "Counter"): Counter,
}


class _AllowList(pickle.Unpickler):
    """Arrays, their types and bytes, and counters; any other name ends the reading."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"{module_name}.{global_name} is not among the {len(_ALLOWED)} names that may be unpickled"
            ) from None
