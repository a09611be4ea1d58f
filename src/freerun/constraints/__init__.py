"""Which token may come next: the constraints by name."""

from freerun.constraints.base import AbstractConstraint
from freerun.constraints.length import Anything, Length

CONSTRAINTS: dict[str, type[AbstractConstraint]] = {
    "anything": Anything,
    "length": Length,
}
