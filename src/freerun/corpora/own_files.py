"""The user's own file: which reader it needs, by its suffix and a look at its first bytes."""

import re
import shutil
from pathlib import Path

from freerun.corpora.containers import File, existing, standard_input, unpacked
from freerun.corpora.lines import AbstractReader, TextLines
from freerun.corpora.parquet import open_parquet
from freerun.corpora.tables import USUAL, open_table
from freerun.errors import FreerunError, UsageError
from freerun.files import written_aside

SUFFIXES = (".smi", ".smiles", ".txt", ".csv", ".tsv", ".parquet")
_HEAD = 1 << 16
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def open_file(name: str, column: str | None = None) -> AbstractReader:
    """The reader of a file, or of standard input for `-`.

    Args:
        name: A path; suffixes `SUFFIXES`, each also with `.gz`; a name without one is read as plain lines. Standard
            input is a table if a column is asked for or its first line is a header with a usual name, else lines.
        column: The column that holds the strings; for tables only.

    Raises:
        UsageError: If there is no such file, the suffix is unknown, or the column is missing.
        FreerunError: If the file is empty or holds no text.
    """
    file = standard_input() if name == "-" else existing(Path(name))
    head = _head(file)
    if head.startswith(b"PAR1"):
        zipped = file.path.read_bytes()[:2] == b"\x1f\x8b"
        return open_parquet(unpacked(file) if zipped else file, column)
    _check_text(head, file.name)
    kind = _kind(file, head, column) if name == "-" else _suffix(Path(name))
    if kind == ".parquet":
        raise FreerunError(f"{file.name} is no Parquet file: it does not begin with PAR1")
    if kind in (".csv", ".tsv"):
        return open_table(file, "\t" if kind == ".tsv" else None, column)
    if column is not None:
        raise UsageError(
            f"{file.name} holds one string a line and no columns, so there is no column {column!r}; "
            "leave out --column, or name a .csv, .tsv or .parquet file"
        )
    return TextLines(file, first_field=kind in (".smi", ".smiles"))


def keep_standard_input(folder: Path, column: str | None = None) -> Path:
    """A copy of standard input in a folder, with the suffix of what it is: what came through a pipe comes but once."""
    file = standard_input()
    path = folder / f"corpus{_kind(file, _head(file), column)}"
    with file.open() as stream, written_aside(path) as out:
        shutil.copyfileobj(stream, out, 1 << 20)
    return path


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix and suffix not in SUFFIXES:
        raise UsageError(
            f"cannot tell from its suffix {suffix!r} what {path} holds; rename it to one of "
            f"{' '.join(SUFFIXES)} (or these with .gz), or pipe it in: ... - < {path}"
        )
    return suffix


def _kind(file: File, head: bytes, column: str | None) -> str:
    first = head.partition(b"\n")[0].decode("latin-1").strip().lstrip("\xef\xbb\xbf")
    names = [field.strip().strip('"').lower() for field in re.split(r"[,;\t]", first)]
    return ".csv" if column is not None or set(names) & {name.lower() for name in USUAL} else ".txt"


def _head(file: File) -> bytes:
    with file.open() as stream:
        head = stream.read(_HEAD)
    if not head.strip():
        raise FreerunError(f"{file.name} is empty; it should hold one string a line")
    return head


def _check_text(head: bytes, name: str) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FreerunError(f"{name} is UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 {name} > converted.txt")
    lines = [line for line in head.split(b"\n") if line]
    first = _CONTROL.search(head)
    if first and 2 * sum(_CONTROL.search(line) is not None for line in lines) > len(lines):
        raise FreerunError(
            f"{name} is not a text file (byte {first[0][0]:#04x} at offset {first.start()}); "
            f"give {' '.join(SUFFIXES)}, plain or gzipped"
        )
