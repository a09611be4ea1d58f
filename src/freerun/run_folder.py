"""The folder of one run: what is in it, and how it stays whole when a process is killed."""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from freerun.errors import FreerunError, UsageError
from freerun.files import finite, write_json, written_aside

VERSION = 1


class RunFolder:
    """Paths and records of one run.

    `config.toml` resolved configuration; `run.json` facts (representation, budget, corpus, model, status); `log.jsonl`
    what was logged, without a clock; `timing.jsonl` the clock; `model.safetensors` best weights; `last.safetensors`
    last ones; `state.pt` all that training needs to go on.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.facts = self.path / "run.json"
        self.log = self.path / "log.jsonl"
        self.timing = self.path / "timing.jsonl"
        self.best = self.path / "model.safetensors"
        self.last = self.path / "last.safetensors"
        self.state = self.path / "state.pt"

    @classmethod
    def created(cls, path: Path) -> "RunFolder":
        """A new folder.

        Raises:
            UsageError: If a run stands there already.
        """
        folder = cls(path)
        if folder.facts.exists():
            raise UsageError(
                f"{path} holds a run already; `freerun resume {path}` goes on with it, or choose another --out"
            )
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file; --out needs a folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FreerunError(f"cannot make the folder {path}: {error.strerror}") from error
        return folder

    @classmethod
    def found(cls, name: str | Path, root: Path = Path("runs")) -> "RunFolder":
        """An existing run: a path, a name under `runs/`, or `last`, the one that was written to last.

        Raises:
            UsageError: If there is none.
        """
        if str(name) == "last":
            runs = existing(root)
            if not runs:
                raise UsageError(f"there is no run in {root.resolve()}; start one with `freerun train`")
            return runs[-1]
        for path in (Path(name), root / name):
            if (path / "run.json").exists():
                return cls(path)
        known = [run.path.name for run in existing(root)]
        raise UsageError(
            f"{name} is no run folder (no run.json in it)" + (f"; runs: {', '.join(known)}" if known else "")
        )

    def read_facts(self) -> dict[str, Any]:
        """`run.json`.

        Raises:
            FreerunError: If it cannot be read or was written by another version of the format.
        """
        try:
            facts = json.loads(self.facts.read_text(encoding="utf-8"))
            version = facts["version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FreerunError(
                f"{self.facts} cannot be read ({error}); the run folder is damaged, train again"
            ) from error
        if version != VERSION:
            raise FreerunError(
                f"{self.path} was written in format {version}, this freerun reads format {VERSION}; "
                "use the freerun that wrote it or train again"
            )
        return facts

    def write_facts(self, facts: Mapping[str, Any]) -> None:
        write_json(self.facts, {"version": VERSION, **facts})

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Only one process trains in a folder.

        Raises:
            FreerunError: If another one does.
        """
        import filelock

        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise FreerunError(
                f"{self.path} is in use by another process; wait for it or choose another --out"
            ) from None
        except OSError as error:
            raise FreerunError(f"cannot write in {self.path}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def append(self, path: Path, record: Mapping[str, Any]) -> None:
        """One more line of JSON, on the disk when this returns."""
        line = json.dumps(finite(dict(record)), ensure_ascii=False, allow_nan=False) + "\n"
        try:
            with open(path, "a", encoding="utf-8", newline="\n") as file:
                file.write(line)
        except OSError as error:
            raise FreerunError(
                f"cannot write {path}: {error.strerror or error}; nothing written before is lost"
            ) from error

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def cut_log(self, size: int) -> None:
        """Back to what a checkpoint knew."""
        if self.log.exists():
            os.truncate(self.log, size)
        elif size:
            raise FreerunError(f"{self.log} is missing; restore it or train again")

    def records(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def existing(root: Path = Path("runs")) -> list[RunFolder]:
    """All runs under `root`, the one that was written to last at the end."""
    runs = [RunFolder(path.parent) for path in root.glob("*/run.json")]
    return sorted(runs, key=lambda run: max(path.stat().st_mtime for path in (run.facts, run.log) if path.exists()))


def new_path(config_name: str, root: Path = Path("runs")) -> Path:
    """`runs/<config>-<time>`, with a number behind where that is taken."""
    stem = f"{config_name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path = root / stem
    number = 2
    while path.exists():
        path, number = root / f"{stem}-{number}", number + 1
    return path


def save_weights(path: Path, weights: Mapping[str, Any], notes: Mapping[str, str]) -> None:
    """safetensors; a tensor that stands under two names (tied weights) is written once."""
    import safetensors.torch

    seen: set[int] = set()
    kept = {}
    for name, value in weights.items():
        if value.data_ptr() not in seen:
            seen.add(value.data_ptr())
            kept[name] = value.detach().cpu().contiguous()
    with written_aside(path) as file:
        file.write(safetensors.torch.save(kept, dict(notes)))


def step_of_weights(path: Path) -> int | None:
    """The step at which they were kept; None where the file cannot be read, or does not say."""
    import safetensors

    try:
        with safetensors.safe_open(path, "pt") as file:
            return int((file.metadata() or {})["step"])
    except (OSError, safetensors.SafetensorError, KeyError, ValueError):
        return None


def load_weights(path: Path) -> dict[str, Any]:
    """
    Raises:
        FreerunError: If the file is missing, cut short, or no safetensors file.
    """
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise FreerunError(
            f"{path} is damaged or no safetensors file ({error}); train again or restore the file"
        ) from error
