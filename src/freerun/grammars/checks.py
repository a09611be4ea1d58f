"""From rules as they were read to a grammar that can be used, or the first reason why it cannot, at its place.

Refused: names without rules, rules that stand twice, nonterminals that no string needs (never reached, or without an
end), and nonterminals that derive themselves alone: one string would have infinitely many derivations.
"""

import difflib
from collections.abc import Iterable

from freerun.grammars.draft import Draft, Named, Place, Source
from freerun.grammars.grammar import Grammar, Rule


def checked(source: Source, drafts: list[Draft], start: str) -> Grammar:
    """The grammar of these rules, in their order; its nonterminals are the start symbol, then left sides in order.

    Raises:
        GrammarError: If a rule is wrong, or the rules are together.
    """
    places = {}
    for draft in drafts:
        places.setdefault(draft.left, draft.place)
    _check_names(source, drafts, places)
    _check_duplicates(source, drafts)
    names = (start, *(name for name in places if name != start))
    number = {name: index for index, name in enumerate(names)}
    rules = tuple(
        Rule(number[draft.left], tuple(number[s.name] if isinstance(s, Named) else s for s in draft.right))
        for draft in drafts
    )
    grammar = Grammar(names, rules)
    _check_ends(source, grammar, places)
    _check_reached(source, grammar, places)
    _check_cycles(source, grammar, places)
    return grammar


def nearest(name: str, others: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no name is near."""
    close = difflib.get_close_matches(name, list(others), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_names(source: Source, drafts: list[Draft], places: dict[str, Place]) -> None:
    named = [symbol for draft in drafts for symbol in draft.right if isinstance(symbol, Named)]
    undefined = [symbol for symbol in named if symbol.name not in places]
    if undefined:
        first = min(undefined, key=lambda symbol: symbol.place)
        raise source.error(first.place, f"{first.name!r} is not defined{nearest(first.name, places)}")


def _check_duplicates(source: Source, drafts: list[Draft]) -> None:
    seen: dict[tuple[str, tuple[Named | str, ...]], Place] = {}
    for draft in drafts:
        rule = (draft.left, draft.right)
        if rule in seen:
            before = f"line {seen[rule].line}, column {seen[rule].column}"
            raise source.error(
                draft.place,
                f"{draft.left!r} has this rule already ({before}): each string that uses it would have two "
                "derivations; drop one",
            )
        seen[rule] = draft.place


def _check_ends(source: Source, grammar: Grammar, places: dict[str, Place]) -> None:
    endless = [number for number, need in enumerate(grammar.n_needed) if need < 0]
    if endless:
        first = grammar.nonterminals[_root(grammar, endless[0], set(endless))]
        whole = "" if grammar.n_needed[0] > 0 else ", so the language holds no string"
        raise source.error(
            places[first],
            f"{first!r} never ends: each of its rules needs a nonterminal that never ends{whole}; add a rule that does",
        )


def _root(grammar: Grammar, number: int, endless: set[int]) -> int:
    """Of nonterminals without an end, one that needs itself: not one that merely needs such a one."""
    seen = []
    while number not in seen:
        seen.append(number)
        rule = grammar.rules[grammar.rules_of[number][0]]
        number = next(s for s in rule.right if isinstance(s, int) and s in endless)
    return number


def _check_reached(source: Source, grammar: Grammar, places: dict[str, Place]) -> None:
    reached, front = {0}, [0]
    while front:
        for rule in grammar.rules_of[front.pop()]:
            new = {s for s in grammar.rules[rule].right if isinstance(s, int)} - reached
            reached |= new
            front += new
    lost = [name for number, name in enumerate(grammar.nonterminals) if number not in reached]
    if lost:
        first = min(lost, key=places.__getitem__)
        raise source.error(
            places[first],
            f"{first!r} cannot be reached from the start symbol {grammar.nonterminals[0]!r}; use it or drop its rules",
        )


def _check_cycles(source: Source, grammar: Grammar, places: dict[str, Place]) -> None:
    """No nonterminal may derive itself beside nothing: A -> B .. -> A where all that stands beside can be empty."""
    can_be_empty = [length == 0 for length in grammar.n_characters_needed]
    alone: list[list[int]] = [[] for _ in grammar.nonterminals]
    for rule in grammar.rules:
        filled = [s for s in rule.right if isinstance(s, str) or not can_be_empty[s]]
        for symbol in rule.right:
            if isinstance(symbol, int) and (not filled or (len(filled) == 1 and filled[0] == symbol)):
                alone[rule.left].append(symbol)
    for number, name in enumerate(grammar.nonterminals):
        path = _path_back(alone, number)
        if path:
            way = " -> ".join(grammar.nonterminals[step] for step in path)
            raise source.error(
                places[name],
                f"{name!r} derives itself without writing anything ({way}): a string would have infinitely many "
                "derivations; drop a rule of this circle, or repeat only what cannot be empty",
            )


def _path_back(edges: list[list[int]], start: int) -> list[int]:
    """A shortest way from a node back to it, both ends included; [] where there is none."""
    paths = [[start]]
    seen = set()
    for path in paths:  # grows while it is walked: breadth first
        for following in edges[path[-1]]:
            if following == start:
                return [*path, start]
            if following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return []
