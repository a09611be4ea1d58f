"""Terminals of a lark grammar: a literal, a list of literals, or a regular expression of characters."""

import functools
import importlib.resources
import re

from freerun.grammars import lark_form
from freerun.grammars.checks import nearest
from freerun.grammars.draft import Place, Source
from freerun.grammars.lark_trees import (
    Choice,
    Definition,
    File,
    Literal,
    Mention,
    Pattern,
    Repeat,
    Sequence,
    Tree,
    is_terminal,
    mentions,
    shown,
)
from freerun.grammars.nfa import PatternError
from freerun.grammars.regular import Dfa, dfa_of_regex

# lark ends these by looking back ("(?<!"), or by the shortest match; the same strings without either.
_REWRITTEN = r"""
ESCAPED_STRING: "\"" /([^"\\\n]|\\.)*/ "\""
C_COMMENT: "/*" /(\n|[^*]|\*+[^*\/])*\*+\//
"""


class Terminals:
    """The terminals of one file, its imports included.

    Raises:
        GrammarError: If a terminal is named and not defined, defined and not used, or names a rule or itself.
    """

    def __init__(self, source: Source, file: File):
        self.source = source
        self.own = {one.name: one for one in file.definitions if is_terminal(one.name)}
        self.imported = {new: self._imported(name, place) for new, (name, place) in file.imports.items()}
        self.all = self.own | self.imported
        rules = [one for one in file.definitions if not is_terminal(one.name)]
        self._check_names(file, {rule.name for rule in rules})
        for definition in self.own.values():
            self._check_nesting(definition.choice, (definition.name,))
        for choice in file.ignored:
            self._check_nesting(choice, ("%ignore",))
        self._check_used([rule.choice for rule in rules] + list(file.ignored))

    def _imported(self, name: str, place: Place) -> Definition:
        if name not in common():
            raise self.source.error(place, f"lark's common terminals hold no {name!r}{nearest(name, common())}")
        return common()[name]

    def _check_names(self, file: File, rules: set[str]) -> None:
        for choice in [definition.choice for definition in file.definitions] + list(file.ignored):
            for mention in mentions(choice):
                name = mention.name
                if is_terminal(name) and name not in self.all:
                    imports = f"; write %import common.{name}" if name in common() else ""
                    hint = imports or nearest(name, [*self.all, *rules])
                    raise self.source.error(mention.place, f"{name!r} is not defined{hint}")

    def _check_nesting(self, choice: Choice, inside: tuple[str, ...]) -> None:
        for mention in mentions(choice):
            if not is_terminal(mention.name):
                reason = f"{mention.name!r} is a rule; {inside[-1]} is made of terminals alone"
                raise self.source.error(mention.place, reason)
            if mention.name in inside:
                reason = f"{mention.name!r} names itself; what nests is a rule, with a name in lower case"
                raise self.source.error(mention.place, reason)
            if mention.name in self.own:
                self._check_nesting(self.own[mention.name].choice, (*inside, mention.name))

    def _check_used(self, choices: list[Choice]) -> None:
        used: set[str] = set()
        front = [mention.name for choice in choices for mention in mentions(choice)]
        while front:
            name = front.pop()
            if name in self.own and name not in used:
                used.add(name)
                front += [mention.name for mention in mentions(self.own[name].choice)]
        for name, definition in self.own.items():
            if name not in used:
                raise self.source.error(definition.place, f"{name!r} is used nowhere; use it or drop it")

    def literals(self, tree: Tree) -> tuple[str, ...] | None:
        """The strings of a terminal that is a literal or lists literals, in order; None: it says more."""
        if isinstance(tree, Literal) and not tree.ignore_case:
            return (tree.text,)
        if isinstance(tree, Mention) and tree.name in self.own:
            return self.literals(self.own[tree.name].choice)
        if not isinstance(tree, Choice):
            return None
        found: list[str] = []
        for alternative in tree.alternatives:
            listed = self._listed(alternative)
            if listed is None:
                return None
            found += listed
        return tuple(dict.fromkeys(found))

    def _listed(self, sequence: Sequence) -> tuple[str, ...] | None:
        parts = [self.literals(tree) for tree in sequence.trees]
        if len(parts) == 1:
            return parts[0]
        joined = ""
        for part in parts:
            if part is None or len(part) != 1:
                return None
            joined += part[0]
        return (joined,)

    def automaton(self, tree: Tree, place: Place) -> Dfa:
        """The minimal automaton of a terminal.

        Raises:
            GrammarError: If it matches no string, or needs too many states.
        """
        try:
            return dfa_of_regex(self._pattern(tree, self.all))
        except PatternError as error:
            raise self.source.error(place, f"{shown(tree)}: {error.reason}") from error

    def _pattern(self, tree: Tree, defined: dict[str, Definition]) -> str:
        """A terminal as one regular expression; `defined`: what its names mean."""
        if isinstance(tree, Literal):
            return f"(?i:{re.escape(tree.text)})" if tree.ignore_case else re.escape(tree.text)
        if isinstance(tree, Pattern):
            return f"(?:{tree.pattern})"
        if isinstance(tree, Repeat):
            return f"(?:{self._pattern(tree.tree, defined)}){{{tree.low},{'' if tree.high is None else tree.high}}}"
        if isinstance(tree, Choice):
            sequences = ("".join(self._pattern(part, defined) for part in one.trees) for one in tree.alternatives)
            return f"(?:{'|'.join(sequences)})"
        inside = common() if tree.name in self.imported else defined
        return self._pattern(defined[tree.name].choice, inside)


@functools.cache
def common() -> dict[str, Definition]:
    """The terminals of lark's `common`, by name."""
    text = (importlib.resources.files("lark") / "grammars" / "common.lark").read_text("utf-8")
    regular = "\n".join(line for line in text.split("\n") if "(?<!" not in line)
    files = (lark_form.read(Source(part, "common.lark")) for part in (regular, _REWRITTEN))
    found = {definition.name: definition for file in files for definition in file.definitions}
    del found["_STRING_INNER"]  # of use only where the next letters decide where it ends
    return found
