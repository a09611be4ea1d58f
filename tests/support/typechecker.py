"""The run-time type check of the tests: beartype, but for `Self`, which it knows only on whole classes."""

from collections.abc import Callable
from typing import Any, Self, get_args

from beartype import beartype


def checked(function: Callable) -> Callable:
    """What jaxtyping's import hook puts around every annotated function (a fresh copy: we may edit it)."""
    annotations = function.__annotations__
    function.__annotations__ = {name: Any if mentions_self(hint) else hint for name, hint in annotations.items()}
    return beartype(function)


def mentions_self(hint: Any) -> bool:
    return hint is Self or any(mentions_self(part) for part in get_args(hint))
