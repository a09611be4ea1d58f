"""NumPy arrays out of other people's pickles, and nothing else."""

import io
import pickle
from typing import Any

import numpy as np

from freerun.errors import FreerunError

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.zeros(0))[0],
    ("numpy._core.multiarray", "_reconstruct"): np.ndarray.__reduce__(np.zeros(0))[0],
    ("numpy.core.multiarray", "scalar"): np.float64.__reduce__(np.float64())[0],
    ("numpy._core.multiarray", "scalar"): np.float64.__reduce__(np.float64())[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no NumPy array") from None


def arrays(data: bytes, name: str, encoding: str = "ASCII") -> Any:
    """What a pickle holds, if that is NumPy arrays, numbers and strings in lists, tuples and dicts.

    Args:
        data: The pickle.
        name: What to call it in an error.
        encoding: For strings pickled by Python 2.

    Raises:
        FreerunError: If it names anything else (it could run code), or is damaged.
    """
    try:
        return _ArraysOnly(io.BytesIO(data), encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
        raise FreerunError(f"{name} is not read: {error}") from error
