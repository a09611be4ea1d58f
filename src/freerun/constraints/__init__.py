"""Which token may come next: the constraints by name."""

from freerun.constraints.automaton import Automaton
from freerun.constraints.base import AbstractConstraint
from freerun.constraints.kekule import Kekule
from freerun.constraints.language import Language
from freerun.constraints.length import Anything, Length
from freerun.constraints.productions import Productions

CONSTRAINTS: dict[str, type[AbstractConstraint]] = {
    "anything": Anything,
    "length": Length,
    "automaton": Automaton,
    "productions": Productions,
    "grammar": Language,
    "kekule": Kekule,
}
