"""Latent codes out of files, of any kind that `code_files` writes. Nothing here can run code: arrays of objects are
refused.
"""

import array
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from freerun.corpora.containers import File, existing, standard_input, unpacked
from freerun.corpora.own_files import open_file
from freerun.corpora.reading import Reading, Refusal, listed
from freerun.corpora.tables import Table, numbered_rows
from freerun.corpora.values import is_missing, number
from freerun.errors import FreerunError, UsageError

READ = ".npy, .npz, .csv, .tsv, .parquet, or - for stdin"


def read_codes(name: str, d_latent: int) -> Float[np.ndarray, "codes latent"]:
    """Codes out of a file, or of stdin for `-`: an array, `mean` of an .npz, or the columns z_0, z_1 .. of a table.

    Args:
        d_latent: Their width; an array of this length alone is one code.

    Raises:
        UsageError: If the file is none of these, or the codes are of another width or no floating-point numbers.
        FreerunError: If it is damaged.
    """
    if name != "-" and Path(name).is_file() and not Path(name).stat().st_size:
        raise FreerunError(f"{name} is empty; give what `freerun encode` writes: {READ}")
    file = standard_input() if name == "-" else existing(Path(name))
    with file.open() as stream:
        head = stream.read(8)
    if head.startswith((b"\x93NUMPY", b"PK\x03\x04")):
        codes = _array(_seekable(file))
    elif head.startswith(b"PAR1"):
        codes = _of_parquet(_seekable(file))
    elif name == "-" or set(Path(name.lower()).suffixes) & {".csv", ".tsv"}:
        codes = _of_table(name)
    else:
        raise UsageError(f"{file.name} holds no codes; give what `freerun encode` writes: {READ}")
    if codes.dtype.kind != "f":
        raise UsageError(f"{file.name} holds {codes.dtype}, and codes are floating-point numbers; save them as float32")
    codes = codes[None] if codes.shape == (d_latent,) else codes
    if codes.ndim != 2 or codes.shape[1] != d_latent:
        raise UsageError(
            f"{file.name} holds codes of shape {codes.shape}; this run has codes of width {d_latent}, one a row"
        )
    return codes


def _seekable(file: File) -> File:
    with file.path.open("rb") as stream:
        return unpacked(file) if stream.read(2) == b"\x1f\x8b" else file


def _array(file: File) -> np.ndarray:
    try:
        with file.path.open("rb") as stream:  # numpy leaves a damaged archive open
            if stream.read(2) != b"PK":
                return np.load(file.path, mmap_mode="r", allow_pickle=False)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as found:
                if "mean" not in found.files:
                    raise UsageError(f"{file.name} has no array 'mean'; it has {listed(found.files)}")
                return found["mean"]
    except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile) as error:
        reason = (
            "it holds Python objects, which are not read"
            if "allow_pickle" in str(error) or "Python objects" in str(error)
            else error
        )
        raise FreerunError(f"{file.name} cannot be read as an array of numbers: {reason}") from error


def _of_parquet(file: File) -> np.ndarray:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(file.path)
        names = _axes(table.schema_arrow.names, file.name)
        columns = table.read(names).columns
        return np.stack([column.cast(pyarrow.float64()).to_numpy() for column in columns], 1)
    except pyarrow.ArrowException as error:
        raise FreerunError(f"{file.name} cannot be read as a table of codes: {error}") from error


def _of_table(name: str) -> np.ndarray:
    """Empty cells are NaN."""
    table = open_file(name, "z_0")
    assert isinstance(table, Table)
    rows = numbered_rows(table.file, table.delimiter, Reading())
    header = table.column_names()
    names, cells = _axes(header, table.file.name), array.array("d")
    places = [header.index(axis) for axis in names]
    next(rows)
    for line, row in rows:
        if isinstance(row, Refusal):
            raise FreerunError(f"{row}")
        if len(row) != len(header):
            raise FreerunError(f"{table.file.name}, line {line}: {len(row)} fields where the header has {len(header)}")
        for axis, place in zip(names, places, strict=True):
            cell = row[place]
            value = math.nan if is_missing(cell) else number(cell)
            if value is None:
                raise FreerunError(f"{table.file.name}, line {line}: {axis} is {cell!r}, which is no finite number")
            cells.append(value)
    return np.array(cells).reshape(-1, len(names))


def _axes(names: Sequence[str], file: str) -> list[str]:
    """z_0, z_1 .. as far as they go."""
    found = [name for name in names if re.fullmatch(r"z_\d+", name)]
    axes = [f"z_{axis}" for axis in range(len(found))]
    if sorted(found) != sorted(axes) or not found:
        raise UsageError(
            f"{file} should have the columns z_0, z_1 ..; " + (f"it has {listed(names)}" if names else "it has none")
        )
    return axes
