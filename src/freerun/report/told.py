"""Reading what a stranger's JSON file tells: a value of another type, or one that cannot be drawn, is none."""

import math
from collections.abc import Mapping
from typing import Any

from freerun.scores import split_weight

LARGEST = 1e12  # what is larger has no place in a drawing, and its square may not be a number


def number_at(told: dict[str, Any], path: str) -> float:
    """The number at a dotted path; NaN where there is none."""
    value: object = told
    for key in path.split("."):
        value = as_object(value).get(key)
    return finite(value)


def finite(value: object) -> float:
    """The number that a JSON value is; NaN where it is none, or none that can be shown."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LARGEST:
        return math.nan
    return float(value)


def rounded(value: float) -> str:
    return "\u2013" if math.isnan(value) else f"{value:.3g}".replace("-", "\u2212")


def as_object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def entries_of(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def names_of_scores(config: Mapping[str, object]) -> list[str]:
    """Of a run's objective, without their weights."""
    specs = as_object(config.get("objective")).get("scores")
    return [split_weight(spec)[0] for spec in specs if isinstance(spec, str)] if isinstance(specs, list) else []
