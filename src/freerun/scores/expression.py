"""Formulas of one variable: read, checked, and computed over a whole array at once. No string is ever executed.

    formula  = operand (operator operand)*
    operand  = number | "x" | "pi" | "e" | function? "(" formula ")" | "-" formula
    operator = "+" | "-"  <  "*" | "/"  <  the sign  <  "**" | "^"

Powers are right-associative, all else left-associative: -x**2 is -(x**2), 2**-x is allowed and x**x**x is x**(x**x), as
in Python. Division is true division: 1/2 is one half.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from freerun.errors import InvalidSequence, excerpt

MAX_DEPTH = 100
"""Of brackets, signs and right-hand sides inside one another: each level is two calls deep."""

CONSTANTS = {"pi": np.float64(np.pi), "e": np.float64(np.e)}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
}
OPERATORS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "+": (1, 2, np.add),
    "-": (1, 2, np.subtract),
    "*": (2, 3, np.multiply),
    "/": (2, 3, np.divide),
    "**": (4, 3, np.power),
    "^": (4, 3, np.power),
}
"""How tightly each binds, and how tightly an operator must bind to belong to its right-hand side (a sign: 3)."""

SIGN = 3

TOKEN = re.compile(r"\s*((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[A-Za-z_]+[0-9A-Za-z_]*|\*\*|[-+*/^()])")
SPACE = re.compile(r"\s*")

Instruction = np.float64 | str | Callable[..., Any]
"""A number, the name `x`, or a function of what was computed last (two values for an operator)."""

Program = list[tuple[Instruction, int]]
"""Instructions in reverse Polish order, each with how many values it takes from the stack."""


def parse(text: str) -> Program:
    """What the formula computes.

    Raises:
        InvalidSequence: If it is no formula, or deeper than `MAX_DEPTH`.
    """
    return _Parser(text).program


def evaluate(program: Program, x: Float64[np.ndarray, " points"]) -> Float64[np.ndarray, " points"]:
    """The formula at each x; NaN and infinities as IEEE arithmetic has them, without a warning."""
    stack: list[Any] = []
    with np.errstate(all="ignore"):
        for instruction, n_values in program:
            if n_values == 0:
                stack.append(x if isinstance(instruction, str) else instruction)
            else:
                values = stack[-n_values:]
                del stack[-n_values:]
                stack.append(instruction(*values))  # type: ignore[operator]
    return np.broadcast_to(np.float64(stack[0]), x.shape) if np.ndim(stack[0]) == 0 else stack[0]


class _Parser:
    """Precedence climbing: an operator takes all on its right that binds more tightly than itself."""

    def __init__(self, text: str):
        self.text = text
        self.program: Program = []
        self.depth = 0
        self._end = 0
        self._next()
        self.formula(least=1)
        if self.token:
            raise self.wrong(f"{self.found()} where an operator or the end was expected")

    def formula(self, least: int) -> None:
        """An operand, and every operator after it that binds as tightly as `least`, with its right-hand side."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.wrong(f"nested deeper than {MAX_DEPTH} levels (write it flatter)")
        self.operand()
        while (operator := OPERATORS.get(self.token)) and operator[0] >= least:
            _, least_on_the_right, function = operator
            self._next()
            self.formula(least_on_the_right)
            self.program.append((function, 2))
        self.depth -= 1

    def operand(self) -> None:
        token = self.token
        if token == "-":
            self._next()
            self.formula(SIGN)
            self.program.append((np.negative, 1))
        elif token == "(":
            self.bracket()
        elif token in FUNCTIONS:
            self._next()
            self.bracket()
            self.program.append((FUNCTIONS[token], 1))
        elif token == "x" or token in CONSTANTS:
            self._next()
            self.program.append((CONSTANTS.get(token, token), 0))
        elif token[:1].isdigit() or token[:1] == ".":
            self._next()
            self.program.append((np.float64(token), 0))
        else:
            operands = ", ".join(["x", *CONSTANTS, *FUNCTIONS])
            raise self.wrong(f"{self.found()} where a number, a bracket or one of {operands} was expected")

    def bracket(self) -> None:
        self.take("(")
        self.formula(least=1)
        self.take(")")

    def take(self, expected: str) -> None:
        if self.token != expected:
            raise self.wrong(f"{self.found()} where {expected!r} was expected")
        self._next()

    def found(self) -> str:
        return excerpt(self.token, width=20) if self.token else "the end"

    def wrong(self, reason: str) -> InvalidSequence:
        return InvalidSequence(self.text, self.position, reason)

    def _next(self) -> None:
        """The next token, and where it begins; the empty one at the end."""
        found = TOKEN.match(self.text, self._end)
        if found:
            self.token, self.position, self._end = found[1], found.start(1), found.end()
            return
        space = SPACE.match(self.text, self._end)
        assert space is not None
        self.token, self.position = "", space.end()
        if self.position < len(self.text):
            raise self.wrong(f"{self.text[self.position]!r} does not belong into a formula")
