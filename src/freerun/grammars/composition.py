"""A grammar and a finite automaton composed.

The nonterminal (q, A, q') writes what A writes while the automaton goes from q to q'. Only triples that can be reached
and that write something are built, by Earley's agenda.

Source: Bar-Hillel, Perles & Shamir 1961; with an automaton that writes, Hopcroft & Ullman 1979, theorem 6.3.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from freerun.grammars.simplify import simplified

Tokens = frozenset[int]  # any one of these tokens
Symbol = int | Tokens  # a nonterminal, or one token out of a set
Moves = Callable[[Hashable, Hashable], Sequence[tuple[Hashable, Tokens | None]]]  # state, terminal -> state, written
Rules = Sequence[Sequence[tuple]]  # right sides of each nonterminal: nonterminals (int) and terminals (anything else)
Triple = tuple[Hashable, int, Hashable]  # state, nonterminal, state
Ends = dict[tuple[Hashable, int], set[Hashable]]  # state, nonterminal -> states in which what it writes there can end
MayEnd = Callable[[int, Hashable], bool]  # nonterminal, state: False where no string could go on from there


def composed(
    rules: Rules, start: int, moves: Moves, origin: Hashable, finals: Sequence[Hashable], may_end: MayEnd
) -> tuple[tuple[tuple[Symbol, ...], ...], ...] | None:
    """Right sides over triples, simplified, the start symbol first; None where nothing can be written.

    Args:
        moves: Of the automaton: from a state, by a terminal of the grammar, to states, each writing one token or none.
        origin: State before the string.
        finals: States after it.
        may_end: May rule out that a nonterminal ends in a state; where nothing can follow it there, it should.
    """
    ends = _ends(rules, start, moves, origin, may_end)
    tops = [(origin, start, final) for final in finals if final in ends[origin, start]]
    if not tops:
        return None
    number: dict[Triple | None, int] = {None: 0}  # None: the new start symbol
    found: list[list[tuple[Symbol, ...]]] = [[]]

    def named(triple: Triple) -> int:
        if triple not in number:
            number[triple] = len(number)
            found.append([])
            waiting.append(triple)
        return number[triple]

    waiting: list[Triple] = []
    found[0] = [(named(top),) for top in tops]
    while waiting:
        triple = waiting.pop()
        state, left, end = triple
        for right in rules[left]:
            for path in _paths(right, state, end, ends, moves):
                found[number[triple]].append(tuple(named(s) if isinstance(s, tuple) else s for s in path))
    return simplified(found)


def _ends(rules: Rules, start: int, moves: Moves, origin: Hashable, may_end: MayEnd) -> Ends:
    """For each state and nonterminal that is asked for there."""
    ends: Ends = defaultdict(set)
    callers: dict[tuple[Hashable, int], list[tuple]] = {}
    seen: set[tuple] = set()
    agenda: list[tuple] = []

    def add(item: tuple) -> None:
        if item not in seen:
            seen.add(item)
            agenda.append(item)

    def ask(state: Hashable, left: int) -> None:
        if (state, left) not in callers:
            callers[state, left] = []
            for right in rules[left]:
                if not right or isinstance(right[0], int) or moves(state, right[0]):
                    add((state, left, right, 0, state))

    ask(origin, start)
    while agenda:
        first, left, right, dot, state = agenda.pop()
        if dot == len(right):
            if state not in ends[first, left] and may_end(left, state):
                ends[first, left].add(state)
                for caller_first, caller_left, caller_right, caller_dot in callers[first, left]:
                    add((caller_first, caller_left, caller_right, caller_dot + 1, state))
        elif isinstance(symbol := right[dot], int):
            ask(state, symbol)
            callers[state, symbol].append((first, left, right, dot))
            for end in list(ends[state, symbol]):
                add((first, left, right, dot + 1, end))
        else:
            for end, _ in moves(state, symbol):
                add((first, left, right, dot + 1, end))
    return ends


def _paths(right: tuple, state: Hashable, end: Hashable, ends: Ends, moves: Moves) -> list[tuple]:
    """Every way of writing a right side between two states, as triples and token sets."""
    done: dict[tuple[int, Hashable], list[tuple]] = {}

    def rest(dot: int, at: Hashable) -> list[tuple]:
        if dot == len(right):
            return [()] if at == end else []
        if (dot, at) not in done:
            symbol = right[dot]
            if isinstance(symbol, int):
                steps = [((at, symbol, to), to) for to in ends[at, symbol]]
            else:
                steps = [(written, to) for to, written in moves(at, symbol)]
            done[dot, at] = [
                tail if head is None else (head, *tail) for head, to in steps for tail in rest(dot + 1, to)
            ]
        return done[dot, at]

    return rest(0, state)
