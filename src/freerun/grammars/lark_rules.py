"""From the trees of a lark grammar to plain rules, without adding ambiguity.

x*      ->  x* = x x* | ε              one helper a repeated tree, shared by all who repeat it
x+      ->  x x*
x? [x]  ->  x? = x | ε
x~2..4  ->  x x x~..2,  x~..2 = x x~..1 | ε,  x~..1 = x | ε
(a | b) ->  rule(1) = a | b
%ignore ->  after each terminal, and before the start: the automaton of (A | B ..)*
"""

from freerun.grammars import lark_form
from freerun.grammars.draft import Draft, Named, Place, Source
from freerun.grammars.lark_trees import (
    Choice,
    Definition,
    Literal,
    Mention,
    Pattern,
    Repeat,
    Sequence,
    Tree,
    is_terminal,
    shown,
)
from freerun.grammars.right_linear import right_linear
from freerun.grammars.terminals import Terminals

Symbols = tuple[Named | str, ...]
IGNORED, START = "%ignore", "%start"


def read(source: Source) -> tuple[list[Draft], str]:
    """Rules in the order of the file, each followed by the helpers it is the first to need; and the start symbol.

    Raises:
        GrammarError: Where the text is no grammar or asks for what is not supported.
    """
    file = lark_form.read(source)
    rules = [definition for definition in file.definitions if not definition.is_terminal]
    if not rules:
        raise source.error(Place(1, 1), 'no rule; write one like start: "x" | "(" start ")"')
    translator = _Translator(source, Terminals(source, file), bool(file.ignored))
    start = next((rule for rule in rules if rule.name == "start"), rules[0])
    drafts: list[Draft] = []
    if file.ignored:
        place = file.ignored[0].alternatives[0].place
        every = Repeat(Choice(tuple(one for choice in file.ignored for one in choice.alternatives)), 0, None)
        drafts = right_linear(IGNORED, translator.terminals.automaton(every, place), place)
        drafts = [Draft(START, (Named(IGNORED, place), Named(start.name, start.place)), start.place), *drafts]
    for rule in rules:
        drafts += translator.rule(rule)
    return drafts, START if file.ignored else start.name


class _Translator:
    """Turns trees into symbols; what they need besides comes out as drafts after the rule that needed it first."""

    def __init__(self, source: Source, terminals: Terminals, ignores: bool):
        self.source, self.terminals, self.ignores = source, terminals, ignores
        self.helpers: dict[tuple[Tree, str], str] = {}
        self.added: list[Draft] = []
        self.inside = ""  # the rule at hand, after which its groups are named
        self.n_groups = 0

    def rule(self, definition: Definition) -> list[Draft]:
        self.inside, self.n_groups, self.added = definition.name, 0, []
        own = self.alternatives(definition.name, definition.choice, (), definition.place)
        return own + self.added

    def alternatives(self, left: str, tree: Tree, last: Symbols, place: Place) -> list[Draft]:
        """One rule for each alternative of a tree, `last` after each."""
        sequences = tree.alternatives if isinstance(tree, Choice) else (Sequence((tree,), place),)
        return [Draft(left, self.sequence(one) + last, one.place) for one in sequences]

    def sequence(self, sequence: Sequence) -> Symbols:
        return tuple(s for tree in sequence.trees for s in self.symbols(tree, sequence.place))

    def symbols(self, tree: Tree, place: Place) -> Symbols:
        """What a tree stands for in a right side."""
        if isinstance(tree, Repeat):
            return self.repeat(tree, place)
        if isinstance(tree, Choice):
            if len(tree.alternatives) == 1:
                return self.sequence(tree.alternatives[0])
            return (self.helper(tree, "", tree.alternatives[0].place),)
        if isinstance(tree, Mention) and not is_terminal(tree.name):
            return (Named(tree.name, tree.place),)
        return self.terminal(tree, place)

    def terminal(self, tree: Literal | Pattern | Mention, place: Place) -> Symbols:
        after: Symbols = (Named(IGNORED, place),) if self.ignores else ()
        literals = self.terminals.literals(tree)
        if literals == ("",):
            return ()
        if literals and len(literals) == 1:
            return (literals[0], *after)
        name = self.helpers.get((tree, ""))
        if name is None:
            name = self.helpers[tree, ""] = shown(tree)
            own = self.terminals.own.get(tree.name) if isinstance(tree, Mention) else None
            at = own.place if own else place
            if literals:
                drafts = [Draft(name, (text,) if text else (), at) for text in literals]
            else:
                drafts = right_linear(name, self.terminals.automaton(tree, at), at)
            if self.ignores and any(draft.left == name and not draft.right for draft in drafts):
                reason = (
                    f"{name} can be empty, which %ignore makes ambiguous; let it be one character or more, and write"
                )
                raise self.source.error(place, f"{reason} {name}? in the rule")
            self.added += drafts
        return (Named(name, place), *after)

    def repeat(self, tree: Repeat, place: Place) -> Symbols:
        found = tuple(s for _ in range(tree.low) for s in self.symbols(tree.tree, place))
        if tree.high is None:
            return (*found, self.helper(tree.tree, "*", place))
        if (tree.low, tree.high) == (0, 1):
            return (self.helper(tree.tree, "?", place),)
        for n in range(1, tree.high - tree.low + 1):
            helper = self.helper(tree.tree, f"~..{n}", place)  # made of the one before it
            if n == tree.high - tree.low:
                return (*found, helper)
        return found

    def helper(self, tree: Tree, suffix: str, place: Place) -> Named:
        """A nonterminal for a tree: itself (""), any number of it ("*"), one or none ("?"), at most n ("~..n")."""
        name = self.helpers.get((tree, suffix))
        if name is not None:
            return Named(name, place)
        if isinstance(tree, Choice) and (tree, "name") not in self.helpers:
            self.n_groups += 1
            self.helpers[tree, "name"] = f"{self.inside}({self.n_groups})"
        name = self.helpers.get((tree, "name"), "") or shown(tree)
        name = self.helpers[tree, suffix] = name + suffix
        last: Symbols = ()
        if suffix == "*":
            last = (Named(name, place),)
        elif suffix.startswith("~..") and suffix != "~..1":
            last = (self.helper(tree, f"~..{int(suffix[3:]) - 1}", place),)
        at = len(self.added)
        drafts = self.alternatives(name, tree, last, place)
        if suffix:
            drafts.append(Draft(name, (), place))
        self.added[at:at] = drafts
        return Named(name, place)
