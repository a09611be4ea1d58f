"""Checked objects from tables of settings: a value of the wrong type, or an unknown name, is told with the remedy."""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import pydantic

from freerun.errors import UsageError

T = TypeVar("T")


def named(registry: Mapping[str, T], name: str, what: str) -> T:
    if name not in registry:
        raise UsageError(f"{what} {name!r} is not known{nearest(name, registry)}; there are {', '.join(registry)}")
    return registry[name]


def nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def settings_of(kind: type) -> set[str]:
    """Names of what a dataclass is made from."""
    return {field.name for field in dataclasses.fields(kind) if field.init}  # pyright: ignore[reportArgumentType]


def built_by_name(
    registry: Mapping[str, type[T]], table: Mapping[str, Any], where: str, without: Sequence[str] = ()
) -> T:
    fields = dict(table)
    if "name" not in fields:
        raise UsageError(f"[{where}] needs a name; there are {', '.join(registry)}")
    return built(named(registry, fields.pop("name"), where), fields, where, without)


def built(kind: type[T], table: Mapping[str, Any], where: str, without: Sequence[str] = ()) -> T:
    """A dataclass from a table, each value checked strictly against its field's type."""
    hints = typing.get_type_hints(kind)
    fields = settings_of(kind) - set(without)
    values = {}
    for key, value in table.items():
        if key not in fields:
            raise UsageError(
                f"{where}.{key} is not known{nearest(key, fields)}; [{where}] takes {', '.join(sorted(fields))}"
            )
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(value, dict) and isinstance(hint, type):
            values[key] = built(hint, value, f"{where}.{key}")
        else:
            values[key] = _checked(hint, value, f"{where}.{key}")
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        raise UsageError(f"[{where}]: {error}") from error


def _checked(hint: Any, value: Any, where: str) -> Any:
    try:
        return pydantic.TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except (pydantic.ValidationError, TypeError):
        raise UsageError(f"{where} must be {_spelled(hint)}, not {value!r}") from None


def _spelled(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    if hint in names:
        return names[hint]
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in typing.get_args(hint))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_spelled(choice) for choice in typing.get_args(hint) if choice is not types.NoneType)
    return str(hint)
