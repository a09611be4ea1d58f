"""Bytes out of files: plain, gzipped, or one member of a wheel or a tar archive; standard input spooled once."""

import contextlib
import functools
import gzip
import hashlib
import io
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freerun.errors import FreerunError, UsageError
from freerun.files import sha256

_GZIP = b"\x1f\x8b"


class Stream:
    """A binary stream whose faults are said in one line that names the file."""

    def __init__(self, stream: Any, name: str):
        self._stream, self._name = stream, name

    def read(self, n: int = -1) -> bytes:
        try:
            return self._stream.read(n)
        except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
            raise FreerunError(
                f"{self._name} cannot be read to its end ({error}); is it cut short or damaged? Fetch or copy it again"
            ) from error


@dataclass(frozen=True)
class File:
    """A file that strings are read from.

    Args:
        path: Where it lies.
        name: What the user calls it; in refusals and errors.
        member: The file inside it that is meant, for a wheel or a tar archive.
        pinned: Its known content hash; empty: computed on first need.
        keep: What must live as long as this file (the spool of standard input).
    """

    path: Path
    name: str
    member: str = ""
    pinned: str = ""
    keep: Any = None

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes on disk, or the pinned hash."""
        return self.pinned or sha256(self.path)

    @contextlib.contextmanager
    def open(self) -> Iterator[Stream]:
        """The uncompressed bytes.

        Raises:
            FreerunError: If the file is missing, unreadable, damaged, or lacks the member.
        """
        with contextlib.ExitStack() as stack:
            try:
                stream = self._stream(stack)
            except (OSError, EOFError, KeyError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else error
                raise FreerunError(f"cannot read {self.name}: {reason}") from error
            yield Stream(stream, self.name)

    def _stream(self, stack: contextlib.ExitStack) -> Any:
        if not self.member:
            stream = stack.enter_context(self.path.open("rb"))
        elif zipfile.is_zipfile(self.path):
            stream = stack.enter_context(stack.enter_context(zipfile.ZipFile(self.path)).open(self.member))
        else:
            archive = stack.enter_context(tarfile.open(self.path, "r:*"))  # noqa: SIM115
            stream = stack.enter_context(archive.extractfile(self.member) or io.BytesIO())
        buffered = stack.enter_context(io.BufferedReader(stream))  # type: ignore[arg-type]
        if buffered.peek(2)[:2] == _GZIP:
            return stack.enter_context(gzip.open(buffered))
        return buffered


def existing(path: Path) -> File:
    """The user's own file.

    Raises:
        UsageError: If there is none, it is a folder, or it is empty.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.exists():
        raise UsageError(f"there is no file {path}")
    if path.is_file() and path.stat().st_size == 0:
        raise FreerunError(f"{path} is empty; it should hold one string a line")
    try:
        with path.open("rb") as stream:
            return File(path, str(path)) if path.is_file() else spooled(stream, str(path))
    except OSError as error:
        raise FreerunError(f"cannot read {path}: {error.strerror or error}") from error


@functools.cache
def standard_input() -> File:
    """Standard input, copied once in a process to a file of its own, since a corpus is read more than once."""
    return spooled(sys.stdin.buffer, "standard input")


def spooled(stream: Any, name: str) -> File:
    """A temporary copy of what can be read only once; it goes when the last who holds the `File` goes.

    Raises:
        FreerunError: If nothing comes, or the disk is full.
    """
    spool = tempfile.NamedTemporaryFile(prefix="freerun-")  # noqa: SIM115
    digest = hashlib.sha256()
    try:
        while block := stream.read(1 << 20):
            digest.update(block)
            spool.write(block)
        spool.flush()
    except OSError as error:
        raise FreerunError(f"cannot copy {name} to {tempfile.gettempdir()}: {error.strerror or error}") from error
    if spool.tell() == 0:
        raise FreerunError(f"{name} is empty; it should hold one string a line")
    return File(Path(spool.name), name, pinned=digest.hexdigest(), keep=spool)


def unpacked(file: File) -> File:
    """A gzipped file copied out, for formats that are read by seeking."""
    spool = tempfile.NamedTemporaryFile(prefix="freerun-")  # noqa: SIM115
    with file.open() as stream:
        shutil.copyfileobj(stream, spool, 1 << 20)  # type: ignore[arg-type]
    spool.flush()
    return File(Path(spool.name), file.name, pinned=file.digest, keep=spool)
