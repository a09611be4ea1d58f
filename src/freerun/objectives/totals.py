"""How the terms of an objective become one number of each string."""

import abc
import dataclasses
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from freerun.errors import UsageError


class AbstractTotal(abc.ABC):
    """A function of what each term counts."""

    of_invalid: ClassVar[bool]
    """Whether strings that are not valid are scored like the others; else they are worth 0 and no score sees them."""

    @abc.abstractmethod
    def __call__(
        self,
        parts: Float64[np.ndarray, "strings terms"],
        weights: Float64[np.ndarray, " terms"],
        turn: int | None = None,
    ) -> Float64[np.ndarray, " strings"]:
        """
        Args:
            turn: Which term counts, counted on without end; None: all of them. Only `Turns` looks at it.
        """

    def check(self, weights: Float64[np.ndarray, " terms"]) -> None:  # noqa: B027
        """
        Raises:
            UsageError: If these weights say nothing here.
        """


@dataclasses.dataclass(frozen=True)
class Sum(AbstractTotal):
    """sum_k w_k p_k: what a search maximises. Parts and total may be any number."""

    of_invalid: ClassVar[bool] = True

    def __call__(
        self,
        parts: Float64[np.ndarray, "strings terms"],
        weights: Float64[np.ndarray, " terms"],
        turn: int | None = None,
    ) -> Float64[np.ndarray, " strings"]:
        return parts @ weights


@dataclasses.dataclass(frozen=True)
class Arithmetic(AbstractTotal):
    """sum_k w_k p_k / sum_k w_k: in [0, 1] where the parts are."""

    of_invalid: ClassVar[bool] = False

    def __call__(
        self,
        parts: Float64[np.ndarray, "strings terms"],
        weights: Float64[np.ndarray, " terms"],
        turn: int | None = None,
    ) -> Float64[np.ndarray, " strings"]:
        return np.minimum(parts @ (weights / weights.sum()), 1.0)  # the weights' sum is 1 up to rounding


@dataclasses.dataclass(frozen=True)
class Geometric(AbstractTotal):
    """prod_k p_k^(w_k / sum_k w_k): one part of 0 makes the total 0."""

    of_invalid: ClassVar[bool] = False

    def __call__(
        self,
        parts: Float64[np.ndarray, "strings terms"],
        weights: Float64[np.ndarray, " terms"],
        turn: int | None = None,
    ) -> Float64[np.ndarray, " strings"]:
        return (parts ** (weights / weights.sum())).prod(1)


@dataclasses.dataclass(frozen=True)
class Turns(AbstractTotal):
    """One part at a time; of no turn, their mean."""

    of_invalid: ClassVar[bool] = False

    def __call__(
        self,
        parts: Float64[np.ndarray, "strings terms"],
        weights: Float64[np.ndarray, " terms"],
        turn: int | None = None,
    ) -> Float64[np.ndarray, " strings"]:
        return parts.mean(1) if turn is None else parts[:, turn % len(weights)]

    def check(self, weights: Float64[np.ndarray, " terms"]) -> None:
        if (weights != weights[0]).any():
            raise UsageError('combine = "turns" counts one score at a time, so weights say nothing; leave them out')


TOTALS: dict[str, AbstractTotal] = {"arithmetic": Arithmetic(), "geometric": Geometric(), "turns": Turns()}
