"""From derivations back to strings: a leftmost derivation in pre-order spells its string without any search."""

import dataclasses
import functools
from collections.abc import Iterable

from freerun.grammars.grammar import Grammar, Symbol


@dataclasses.dataclass(frozen=True)
class Written:
    """How far some rules lead.

    Args:
        text: What they write before the first nonterminal that is still due.
        due: That nonterminal, and what comes after it; empty if all is derived.
        n_used: Rules that were followed; if there are more, the next one is not of the nonterminal that was due.
    """

    text: str
    due: tuple[Symbol, ...]
    n_used: int


@dataclasses.dataclass(frozen=True)
class Speller:
    """Writes what derivations of a grammar derive."""

    grammar: Grammar

    def written(self, rules: Iterable[int]) -> Written:
        """A derivation, complete or not; it is followed up to the first rule that does not belong there."""
        text: list[str] = []
        stack: list[Symbol] = [0]
        n_used = 0
        for number in rules:
            left, reversed_right = self._reversed.get(number, (None, ()))
            if not stack or stack[-1] != left:
                break
            stack[-1:] = reversed_right
            while stack and isinstance(literal := stack[-1], str):
                text.append(literal)
                stack.pop()
            n_used += 1
        return Written("".join(text), tuple(reversed(stack)), n_used)

    def text_of(self, rules: Iterable[int]) -> str:
        """The string of a complete derivation.

        Raises:
            ValueError: If it is incomplete, or a rule is not of the nonterminal that is due.
        """
        numbers = list(rules)
        written = self.written(numbers)
        due = f"a rule of {self.grammar.nonterminals[int(written.due[0])]}" if written.due else "no further one"
        if written.n_used < len(numbers):
            wrong = numbers[written.n_used]
            known = 0 <= wrong < len(self.grammar.rules)
            shown = self.grammar.shown(wrong) if known else f"the grammar has {len(self.grammar.rules)}"
            raise ValueError(f"rule {wrong} ({shown}) at position {written.n_used} of a derivation: {due} is due")
        if written.due:
            raise ValueError(f"the derivation of {written.text!r} is incomplete: {due} is due after its {len(numbers)}")
        return written.text

    @functools.cached_property
    def _reversed(self) -> dict[int, tuple[int, tuple[Symbol, ...]]]:
        return {number: (rule.left, rule.right[::-1]) for number, rule in enumerate(self.grammar.rules)}
