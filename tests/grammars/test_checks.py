import pytest

from freerun.grammars.draft import GrammarError
from freerun.grammars.reading import grammar_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('start: sum\nsume: "x"', "g:1:8: 'sum' is not defined; did you mean 'sume'?"),
        ('start: "a" | b "c"\nb: "x" zzz', "g:2:8: 'zzz' is not defined"),
        ("S -> a\nT -> b", "g:2:6: 'T' cannot be reached from the start symbol 'S'"),
        ("S -> a S", "g:1:6: 'S' never ends: each of its rules needs a nonterminal that never ends, so the language"),
        (
            "S -> a | T\nT -> b U | c U\nU -> T",
            "g:2:6: 'T' never ends: each of its rules needs a nonterminal that never ends;",
        ),
        ("S -> T\nT -> U b\nU -> U U", "g:3:6: 'U' never ends"),
        ("S -> a | b | a", "g:1:14: 'S' has this rule already (line 1, column 6)"),
        ("S -> a\nT -> b\nS -> T\nS -> a", "g:4:6: 'S' has this rule already (line 1, column 6)"),
        ("S -> S | a", "g:1:6: 'S' derives itself without writing anything (S -> S)"),
        ("S -> a T\nT -> U | b\nU -> T", "g:2:6: 'T' derives itself without writing anything (T -> U -> T)"),
        ("S -> A S A | b\nA -> a |", "g:1:6: 'S' derives itself without writing anything (S -> S)"),
        ("S -> S S | b |", "g:1:6: 'S' derives itself without writing anything (S -> S)"),
        ('start: ("a"?)*', "g:1:8: '\"a\"?*' derives itself without writing anything"),
        ("", "g:1:1: no rule"),
        ("# nothing\n\n", "g:1:1: no rule"),
        ('// nothing\n%ignore " "\n', "g:1:1: no rule"),
    ],
)
def test_grammars_that_cannot_be_used_are_refused(text, message):
    with pytest.raises(GrammarError) as caught:
        grammar_of(text, "g")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "S -> T\nT -> a S | b",  # a unit rule, no circle
        "S -> A S b | b\nA -> a |",  # the nonterminal stands beside a literal
        "S -> A A\nA -> a |",  # ambiguous, finitely
        "S -> S S | a",
        "S -> T | a\nT -> S b",
    ],
)
def test_grammars_that_can_be_used_pass(text):
    assert grammar_of(text).nonterminals[0] == "S"
