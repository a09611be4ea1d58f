"""Automata of characters as rules of a grammar."""

from freerun.grammars.draft import Draft, Named, Place
from freerun.grammars.regular import Dfa


def right_linear(name: str, dfa: Dfa, place: Place) -> list[Draft]:
    """Rules that write the strings of an automaton, one derivation each: a state is a nonterminal, a move is a rule.

    States that leave no choice are no nonterminals: their characters join the literal before them. So `"true" | "t"`
    becomes T -> 't' T:1, T:1 -> 'rue' | ε.
    """
    moves = [[(dfa.alphabet[column], int(row[column])) for column in (row >= 0).nonzero()[0]] for row in dfa.moves]
    forced = [len(out) == 1 and not accepting for out, accepting in zip(moves, dfa.accepting, strict=True)]

    def target(literal: str, state: int) -> tuple[str, int | None]:
        while forced[state]:
            character, state = moves[state][0]
            literal += character
        return literal, state if moves[state] else None

    rules = {
        state: [target(*move) for move in out] for state, out in enumerate(moves) if state == 0 or not forced[state]
    }
    order = [0]
    for state in order:  # grows while it is walked
        order += dict.fromkeys(s for _, s in rules[state] if s is not None and s not in order)
    names = {state: f"{name}:{index}" if index else name for index, state in enumerate(order)}
    drafts = []
    for state in order:
        for literal, following in rules[state]:
            right = (literal,) if following is None else (literal, Named(names[following], place))
            drafts.append(Draft(names[state], right, place))
        if dfa.accepting[state]:
            drafts.append(Draft(names[state], (), place))
    return drafts
