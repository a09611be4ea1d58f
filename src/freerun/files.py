"""Files are written aside and renamed: whoever looks sees the old one whole or the new one whole."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from freerun.errors import FreerunError


@contextlib.contextmanager
def written_aside(path: Path, mode: str = "wb") -> Iterator[IO[Any]]:
    """A file that takes its name only when the block ends without an error; flushed to the disk before.

    Raises:
        FreerunError: If the disk is full or the folder cannot be written; what stood at `path` is still there.
    """
    path = Path(path)
    encoding = None if "b" in mode else "utf-8"
    newline = None if "b" in mode else "\n"
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise FreerunError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder, "
            "what was written before is kept"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    with written_aside(path, "w") as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Strict JSON: NaN and infinities become null."""
    write_text(path, json.dumps(finite(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """The same value with every NaN and infinity replaced by None, as JSON has neither."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_folder() -> Path:
    """Where fetched corpora are kept: `$FREERUN_DATA`, else the user's cache folder."""
    return Path(os.environ.get("FREERUN_DATA") or _user_cache() / "data")


def cache_folder() -> Path:
    """Where computed tables are kept (encoded corpora, reference statistics): `$FREERUN_CACHE`, else the user's cache
    folder.

    All of it can be deleted at any time: it is computed again.
    """
    return Path(os.environ.get("FREERUN_CACHE") or _user_cache() / "computed")


def _user_cache() -> Path:
    import pooch

    return Path(pooch.os_cache("freerun"))
