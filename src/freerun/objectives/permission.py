"""Whether code that a config names may run. Nothing else that freerun reads can make anything run."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from freerun.errors import UsageError
from freerun.files import sha256
from freerun.objectives.settings import ObjectiveSettings
from freerun.objectives.terms import is_file, names_function
from freerun.scores import split_weight
from freerun.scores.command import found
from freerun.scores.guard import EXTERNAL


def code_of(settings: ObjectiveSettings) -> dict[str, str]:
    """The files that the objective would execute, with their SHA-256: of `FILE.py:FUNCTION` the file, of `command:` the
    program and every argument that is a file (`python dock.py` is two). What they load in turn is not looked at.

    Raises:
        UsageError: If one is not there.
    """
    return {path: _hash(path) for paths in _files(settings).values() for path in paths}


def refuse_code(settings: ObjectiveSettings, allowed: bool, known: Mapping[str, str]) -> None:
    """Lets pass what names no code, or code that the user has allowed and that is what it was.

    Args:
        allowed: The user has said `--allow-code`.
        known: What `code_of` told when the objective was used last; empty: it never was.

    Raises:
        UsageError: If it must not run. It says what would.
    """
    files = _files(settings)
    if not files:
        return
    code = code_of(settings)
    changed = [path for path, digest in code.items() if known and known.get(path) != digest]
    if changed:
        raise UsageError(
            f"{', '.join(map(repr, changed))} is not what it was when this objective was used last (SHA-256 "
            f"{', '.join(code[path] for path in changed)}); put the old file back, or start a new run"
        )
    if not allowed:
        would_run = "; ".join(
            f"{spec!r}, that is " + " and ".join(f"{path!r} (SHA-256 {code[path]})" for path in paths)
            for spec, paths in files.items()
        )
        raise UsageError(f"this config would run code on your machine: {would_run}. If you trust it, say --allow-code")


def _files(settings: ObjectiveSettings) -> dict[str, tuple[str, ...]]:
    """Score -> the files that it executes, for those that do."""
    names = [split_weight(spec)[0] for spec in settings.scores]
    return {name: tuple(dict.fromkeys(_executed(name))) for name in names if is_code(name)}


def is_code(name: str) -> bool:
    """Whether the score would execute a file of the user's."""
    return names_function(name) or name.startswith(EXTERNAL)


def _executed(name: str) -> Iterator[str]:
    if not name.startswith(EXTERNAL):
        yield name.rpartition(":")[0]
        return
    program, *arguments = found(name.removeprefix(EXTERNAL))
    yield program
    yield from (argument for argument in arguments if is_file(argument))


def _hash(path: str) -> str:
    try:
        return sha256(Path(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}, which the objective names: {error.strerror or error}") from error
