"""Configurations as TOML: read from a file, changed by `TABLE.KEY=VALUE`, written so that all is said."""

import importlib.resources
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from freerun.errors import UsageError
from freerun.methods import METHODS
from freerun.representations import REPRESENTATIONS
from freerun.settings import named, settings_of

NUMBERS = {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}  # in JSON -> in TOML
KINDS: dict[str, Mapping[str, type]] = {"method": METHODS, "representation": REPRESENTATIONS}


def bundled() -> dict[str, Path]:
    """The configurations that come with the package, by name."""
    folder = Path(str(importlib.resources.files("freerun.configs")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_tables(name_or_path: str, overrides: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The tables of a TOML file or a bundled configuration, with `TABLE.KEY=VALUE` overrides applied.

    Where one of these names another method or representation, settings of the file that it does not have are left out.

    Raises:
        UsageError: If there is no such file, it is not TOML, or an override cannot be read.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = named(bundled(), name_or_path, "config")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the config {path}: {error}") from error
    given: dict[str, Any] = {}
    for override in overrides:
        apply_override(given, override)
    for table, kinds in KINDS.items():
        name = given.get(table, {}).get("name")
        if isinstance(name, str) and name in kinds and table in tables:
            tables[table] = _of_kind(tables[table], name, kinds[name])
    for override in overrides:
        apply_override(tables, override)
    return tables


def _of_kind(table: Any, name: str, kind: type) -> Any:
    """The table as it is; where it is of another name, without what this kind has no setting for."""
    if not isinstance(table, dict) or table.get("name") == name:
        return table
    return {key: value for key, value in table.items() if key in settings_of(kind)}


def apply_override(tables: dict[str, Any], override: str) -> None:
    """`method.descent.lr=1e-3`: the value is TOML, or a plain string where it is not."""
    key, text = _parted(override)
    *path, last = _path(key)
    if not path or not last:
        raise UsageError(f"--set {override!r} must be TABLE.KEY=VALUE, for example method.batch_size=64")
    table = tables
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UsageError(f"--set {override!r}: {part!r} is a value, not a table")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = text


def _parted(override: str) -> tuple[str, str]:
    """Key and value; an equals sign within quotation marks belongs to the key."""
    found = re.match(r"""((?:"[^"]*"|'[^']*'|[^"'=])*)=(.*)""", override, re.DOTALL)
    return (found[1].strip(), found[2]) if found else ("", "")


def _path(key: str) -> list[str]:
    """`objective.shapes."mine.py:score"` -> its three names."""
    try:
        table = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return key.split(".")
    path = []
    while isinstance(table, dict):
        ((name, table),) = table.items()
        path.append(name)
    return path


def to_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """TOML text of nested tables; a value of None is left out, as TOML has none."""
    lines: list[str] = []

    def write(path: str, table: Mapping[str, Any]) -> None:
        lines.append(f"[{path}]")
        for key, value in table.items():
            if value is not None and not isinstance(value, Mapping):
                text = json.dumps(value, ensure_ascii=False)
                lines.append(f"{key} = {NUMBERS.get(text, text)}")
        lines.append("")
        for key, value in table.items():
            if isinstance(value, Mapping):
                bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
                write(f"{path}.{key if bare else json.dumps(key, ensure_ascii=False)}", value)

    for name, table in tables.items():
        write(name, table)
    return "\n".join(lines)
