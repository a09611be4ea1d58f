"""Latent codes into files, by suffix. A row is a code; of a string that has none it is all NaN.

    .npy                    the means, float32
    .npz                    `mean` and `log_var`, float32
    .csv .tsv .parquet, -   `string`, then z_0, z_1 ..: the means

`code_sources` reads them back.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float

from freerun.errors import UsageError
from freerun.files import written_aside
from freerun.table_files import SUFFIXES, Kind, table

Codes = Float[np.ndarray, "strings latent"]
Put = Callable[[Sequence[str], Codes, Codes], None]
"""Takes strings, the means of their codes, and the logarithms of the variances."""


def check_suffix(out: str) -> str:
    """The suffix that names the form of the file; empty for stdout.

    Raises:
        UsageError: If it is not known.
    """
    suffix = "" if out == "-" else Path(out).suffix.lower() or "(none)"
    if suffix not in WRITERS:
        known = ", ".join(filter(None, WRITERS))
        raise UsageError(f"{out}: unknown suffix {suffix!r}; choose one of {known}, or - for stdout")
    return suffix


@contextlib.contextmanager
def writer(out: str, d_latent: int) -> Iterator[Put]:
    """A function that writes codes, piece by piece; the file takes its name when the block ends without an error.

    Raises:
        UsageError: If the suffix is not known.
    """
    with WRITERS[check_suffix(out)](out, d_latent) as put:
        yield put


@contextlib.contextmanager
def _npy(out: str, d_latent: int) -> Iterator[Put]:
    """The header leaves room for any number of rows, and is written again when that is known."""
    n = 0

    def write_header(file: IO[bytes]) -> None:
        file.seek(0)
        header = {"descr": "<f4", "fortran_order": False, "shape": (n, d_latent)}
        np.lib.format.write_array_header_1_0(file, header)

    with written_aside(Path(out)) as file:
        write_header(file)

        def put(strings: Sequence[str], means: Codes, log_vars: Codes) -> None:
            nonlocal n
            n += len(means)
            file.write(np.ascontiguousarray(means, "<f4").tobytes())

        yield put
        write_header(file)


@contextlib.contextmanager
def _npz(out: str, d_latent: int) -> Iterator[Put]:
    empty = np.zeros((0, d_latent), np.float32)
    means, log_vars = [empty], [empty]

    def put(strings: Sequence[str], mean: Codes, log_var: Codes) -> None:
        means.append(mean)
        log_vars.append(log_var)

    yield put
    with written_aside(Path(out)) as file:
        np.savez(file, allow_pickle=False, mean=np.concatenate(means), log_var=np.concatenate(log_vars))


@contextlib.contextmanager
def _table(out: str, d_latent: int) -> Iterator[Put]:
    kinds: dict[str, Kind] = {"string": "text", **{f"z_{axis}": "single" for axis in range(d_latent)}}
    with table(out, kinds) as put_columns:
        yield lambda strings, means, _: put_columns([strings, *means.T.tolist()])


WRITERS = {"": _table, ".npy": _npy, ".npz": _npz} | dict.fromkeys(SUFFIXES, _table)
