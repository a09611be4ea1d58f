"""The run-time type check of the tests: beartype, but for `Self`, which it knows only on whole classes.

A check takes longer than most functions that it guards, and a training of tiny networks makes 100,000. So each test
checks its first calls, and of the later ones one in so many.
"""

from collections.abc import Callable
from typing import Any, Self, get_args

import jaxtyping
from beartype import beartype

N_CHECKED = 1000
NESTED: dict[tuple, Callable] = {}
STRIDE = 61  # a prime: as a step of a training repeats its calls, another one is checked each time


class Sparing(type(jaxtyping.config)):
    """The settings that jaxtyping reads before each check."""

    calls = 0

    @property
    def jaxtyping_disable(self) -> bool:
        self.calls += 1
        return self.calls > N_CHECKED and self.calls % STRIDE != 0


def spare() -> None:
    """From here on; for a new test, from the start."""
    jaxtyping.config.__class__ = Sparing
    jaxtyping.config.__dict__["calls"] = 0


def checked(function: Callable) -> Callable:
    """What jaxtyping's import hook puts around every annotated function (a fresh copy: we may edit it).

    The copy holds nothing but the signature. That of a function within a function comes anew with every call of the
    outer one, so it is made once.
    """
    annotations = function.__annotations__
    function.__annotations__ = {name: Any if mentions_self(hint) else hint for name, hint in annotations.items()}
    if "<locals>" not in function.__qualname__:
        return beartype(function)
    key = (function.__module__, function.__qualname__, tuple(function.__annotations__.items()))
    if key not in NESTED:
        NESTED[key] = beartype(function)
    return NESTED[key]


def mentions_self(hint: Any) -> bool:
    return hint is Self or any(mentions_self(part) for part in get_args(hint))
