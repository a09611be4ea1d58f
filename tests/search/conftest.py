"""A latent space whose objective is known in closed form: strings are points of a grid, decoded by rounding."""

from collections.abc import Sequence

import numpy as np
import pytest

from freerun.errors import InvalidSequence
from freerun.objectives.objective import Objective
from freerun.objectives.terms import Term
from freerun.scores.base import Score
from freerun.search.history import Asked
from freerun.search.latent_bo import Space

D_LATENT = 5
OPTIMUM = np.array([0.6, -0.4, 0.2, -0.8, 1.0])
GRID = 0.1


def written(point: np.ndarray) -> str:
    return " ".join(f"{value:.0f}" for value in np.round(point / GRID))


def read(string: str) -> np.ndarray:
    return GRID * np.array([float(word) for word in string.split()])


def encode(strings: Sequence[str]) -> np.ndarray:
    if "unreadable" in strings:
        raise InvalidSequence("unreadable", 0, "it is no point")
    return np.array([read(string) for string in strings]).reshape(len(strings), D_LATENT)


def decode(z: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
    if n_each == 0:
        return [[written(point)] for point in z]
    noise = 0.3 * GRID * np.random.default_rng(seed).standard_normal((len(z), n_each, D_LATENT))
    return [[written(point) for point in points] for points in z[:, None] + noise]


def distance(strings: Sequence[str]) -> np.ndarray:
    """Squared, from the optimum: the sphere, 0 at best."""
    return np.array([np.square(read(string) - OPTIMUM).sum() for string in strings])


SPHERE = Term("sphere", Score("sphere", "distance", "lower", (0.0, np.inf), 100.0, distance))


@pytest.fixture
def space() -> Space:
    return Space(D_LATENT, encode, decode)


@pytest.fixture
def objective() -> Objective:
    return Objective([SPHERE], None, lambda string: (string, True))


@pytest.fixture
def start(objective: Objective) -> Asked:
    """Far from the optimum: none is nearer than a squared distance of 4."""
    points = np.random.default_rng(0).normal(-0.5, 1.0, (200, D_LATENT))
    strings = [string for string in map(written, points) if distance([string])[0] > 4]
    return Asked(tuple(strings), encode(strings), objective(strings))
