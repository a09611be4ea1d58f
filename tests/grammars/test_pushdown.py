"""Machines of small grammars, worked out by hand; what they read is tested with `constraints/language.py`."""

import pytest

from freerun.grammars import derivatives
from freerun.grammars import pushdown as machines
from freerun.grammars.over_tokens import over_tokens
from freerun.grammars.pushdown import Pushdown, pushdown
from freerun.grammars.reading import grammar_of


def machine(grammar: str, words: str, *, wide: bool = True) -> Pushdown:
    return pushdown(over_tokens(grammar_of(grammar), words.split()), wide=wide)


def stack_after(made: Pushdown, tokens: list[int]) -> list[int]:
    """The stack that a deterministic machine is left with."""
    stack = list(made.start)
    for token in tokens:
        while not (outcome := int(made.outcome[stack[-1], made.of_token[token], 0])):
            assert made.need[stack.pop()] == 0
        stack.pop()
        stack += [int(symbol) for symbol in made.pushed[outcome] if symbol]
    return stack


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_stack_owes_as_many_tokens_as_the_shortest_end(n):
    made = machine("S -> 'a' S 'b' | 'ab'", "a b")
    assert sum(made.need[symbol] for symbol in stack_after(made, [0] * n)) == n
    assert sum(made.need[symbol] for symbol in stack_after(made, [0] * n + [1])) == n - 1


def test_a_token_makes_no_stack_higher_by_more_than_one():
    made = machine("S -> S '+' T | T\nT -> '(' S ')' | 'sin(' S ')' | 'x'", "( ) + s i n x")
    assert made.n_pushed.max() == 2
    assert made.outcome.shape[2] == 1


def test_what_is_written_last_leaves_nothing_on_the_stack():
    """Right recursion, and left recursion turned right: the stack does not grow with the string."""
    for grammar in ("S -> 'a' S | 'a'", "S -> S 'a' | 'a'", "S -> S S | 'a'"):
        made = machine(grammar, "a")
        assert len(stack_after(made, [0] * 50)) <= 2


def test_tokens_that_are_never_told_apart_share_a_class():
    made = machine("S -> S D | D\nD -> '0' | '1' | '2' | 'x' D", "0 1 2 x")
    assert [made.of_token[token] for token in range(3)] == [made.of_token[0]] * 3
    assert made.of_token[3] != made.of_token[0]
    assert made.outcome.shape[1] == 2


def test_alternatives_of_one_token_are_one_set_or_several_outcomes():
    grammar = "S -> 'a' 'b' | 'a' 'c' S"
    assert machine(grammar, "a b c").is_deterministic
    narrow = machine(grammar, "a b c", wide=False)
    assert narrow.outcome.shape[2] == 2
    assert not narrow.is_deterministic


def test_machines_whose_tables_would_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(machines, "MOST_OUTCOMES", 3)
    with pytest.raises(ValueError, match="has more than 3 moves"):
        machine("S -> 'a' S 'b' | 'ab'", "a b")


def test_sets_that_outgrow_their_width_end_a_strict_attempt_only():
    strings = frozenset({(1, 2, 3), (1,)})
    assert derivatives.Width(2, 3, 9, is_strict=True).holds(strings)
    assert not derivatives.Width(2, 2, 9, is_strict=False).holds(strings)
    with pytest.raises(derivatives.TooWide):
        derivatives.Width(1, 3, 9, is_strict=True).holds(strings)
