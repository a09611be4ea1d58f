"""Strings as derivations: each token is a production rule of a context-free grammar.

Source: Kusner, Paige and Hernandez-Lobato 2017, arXiv:1703.01925. Ours takes any grammar, in a file of its own; theirs
is `smiles76`, or `formulas`.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from freerun.constraints.base import SPECIALS, AbstractConstraint
from freerun.constraints.productions import Productions
from freerun.errors import InvalidSequence, excerpt
from freerun.grammars.derivation import Speller
from freerun.grammars.earley import Parser
from freerun.grammars.reading import grammar_of, load
from freerun.representations.base import AbstractRepresentation
from freerun.representations.molecules import is_molecule, rewritten

OF_MOLECULES = ("smiles", "smiles76")


@dataclasses.dataclass(frozen=True)
class GrammarRules(AbstractRepresentation):
    """The rules of the leftmost derivation, in pre-order, shown as `S -> S '+' T`.

    The vocabulary is all rules of the grammar in its order, whatever a corpus uses: token 4 + r is rule r. A string
    with several derivations always gets the same one, the first that the parser finds.

    White space around a string is dropped; white space within it, too, if no rule writes any and the strings are not
    molecules: `1 / 3 + ( x )` is `1/3+(x)`. What is no complete derivation is decoded as far as it goes, then what
    stands in the wrong place and what is due, in angle brackets: `x+⟨T⟩`.

    Raises:
        UsageError: If there is no such grammar, or its text is none.
    """

    name: ClassVar[str] = "grammar"

    grammar: str = "formulas"  # a grammar that comes with the package, or the path of a file
    text: str = ""  # the grammar itself; left out, it is read from `grammar`, once: the file is not needed again
    molecules: bool = False  # the strings are SMILES; always so for the grammars smiles and smiles76

    def __post_init__(self):
        object.__setattr__(self, "text", self.text or load(self.grammar))
        object.__setattr__(self, "molecules", self.molecules or self.grammar in OF_MOLECULES)
        _ = self._grammar  # a text that is no grammar is refused here

    @property
    def is_chemical(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.molecules

    @property
    def code_version(self) -> str:
        return "1"

    @property
    def separator(self) -> str:
        return " "

    def normalise(self, text: str) -> str:
        normal = self._stripped(text)
        self._rules(text)
        return normal

    def tokenize(self, text: str) -> list[str]:
        shown = self._grammar.shown
        return [shown[rule] for rule in self._rules(text)]

    def encode(self, text: str) -> list[int]:
        _ = self.token_ids  # an unfitted representation says so
        return [len(SPECIALS) + rule for rule in self._rules(text)]

    def tokenize_prefix(self, text: str) -> list[str]:
        """Of the empty string alone: the first rules of a derivation depend on how its string ends."""
        if not text:
            return []
        raise InvalidSequence(
            text, 0, "the first rules of a string's derivation depend on how it goes on; leave the prefix out"
        )

    def detokenize(self, tokens: Sequence[str]) -> str:
        number_of = self._grammar.number_of
        written = self._grammar.speller.written(number_of.get(token, -1) for token in tokens)
        if written.n_used == len(tokens) and not written.due:
            return written.text
        wrong = [f"⟨{tokens[written.n_used]}⟩"] if written.n_used < len(tokens) else []
        names = self._grammar.parser.grammar.nonterminals
        due = [f"⟨{names[symbol]}⟩" if isinstance(symbol, int) else symbol for symbol in written.due]
        return "".join([written.text, *wrong, *due])

    def is_valid(self, text: str) -> bool:
        return self._grammar.parser.accepts(self._stripped(text)) and (not self.molecules or is_molecule(text))

    def augment(self, text: str, rng: np.random.Generator) -> str:
        """A random SMILES, if the grammar can write it."""
        if not self.molecules:
            return text
        other = rewritten(text.strip(), rng, kekule=False)
        return other if self._grammar.parser.accepts(other) else text

    def with_vocab(self, tokens: Iterable[str]) -> Self:
        """All rules, whichever of them are given.

        Raises:
            ValueError: If a token is no rule of this grammar.
        """
        for token in tokens:
            if token not in self._grammar.number_of and token not in SPECIALS:
                raise ValueError(f"token {token!r} is no rule of the grammar {self.grammar!r}; encode the corpus anew")
        return dataclasses.replace(self, vocab=(*SPECIALS, *self._grammar.shown))

    def remark(self, texts: Sequence[str]) -> str:
        """Which of these strings is the first that has several derivations; empty if none has."""
        found = self._grammar.parser.parse_many([self._stripped(text) for text in texts]).ambiguous
        if not found.any():
            return ""
        return (
            f"the grammar {self.grammar!r} is ambiguous: {excerpt(texts[int(found.argmax())])} has several "
            f"derivations, of which the first found is always taken ({found.sum():,} of {len(texts):,} strings here)"
        )

    def constraint(self) -> AbstractConstraint:
        """Derivations of this grammar alone."""
        return Productions(self.text)

    def _rules(self, text: str) -> list[int]:
        try:
            return self._grammar.parser.parse(self._stripped(text)).rules.tolist()
        except InvalidSequence as error:
            raise InvalidSequence(text, self._place(text, error.position), error.reason) from None

    def _stripped(self, text: str) -> str:
        text = text.strip()
        return "".join(text.split()) if self._blanks_are_dropped else text

    def _place(self, text: str, position: int) -> int:
        """Where the character of the stripped text stands in the text; behind the last one for its end."""
        begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
        kept = [i for i in range(begin, end) if not (self._blanks_are_dropped and text[i].isspace())]
        return kept[position] if position < len(kept) else end

    @property
    def _blanks_are_dropped(self) -> bool:
        return not self.molecules and not self._grammar.writes_blanks

    @functools.cached_property
    def _grammar(self) -> "_Grammar":
        return _read(self.text, Path(self.grammar).name)


@dataclasses.dataclass(frozen=True)
class _Grammar:
    """Args:
    shown: The rules as tokens.
    number_of: Number of each.
    writes_blanks: Some rule writes white space.
    """

    parser: Parser
    speller: Speller
    shown: tuple[str, ...]
    number_of: dict[str, int]
    writes_blanks: bool


@functools.cache
def _read(text: str, name: str) -> _Grammar:
    """One for all copies of a representation."""
    grammar = grammar_of(text, name)
    shown = tuple(map(grammar.shown, range(len(grammar.rules))))
    literals = "".join(symbol for rule in grammar.rules for symbol in rule.right if isinstance(symbol, str))
    return _Grammar(
        Parser(grammar),
        Speller(grammar),
        shown,
        {token: number for number, token in enumerate(shown)},
        any(map(str.isspace, literals)),
    )
