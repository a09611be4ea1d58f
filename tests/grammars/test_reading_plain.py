import pytest

from freerun.grammars.draft import GrammarError
from freerun.grammars.grammar import Rule
from freerun.grammars.reading import grammar_of, load

FORMULAS = (
    Rule(0, (0, "+", 1)),
    Rule(0, (0, "*", 1)),
    Rule(0, (0, "/", 1)),
    Rule(0, (1,)),
    Rule(1, ("(", 0, ")")),
    Rule(1, ("sin(", 0, ")")),
    Rule(1, ("exp(", 0, ")")),
    Rule(1, ("x",)),
    Rule(1, ("1",)),
    Rule(1, ("2",)),
    Rule(1, ("3",)),
)


def test_the_published_grammar_of_formulas_is_read_rule_by_rule():
    grammar = grammar_of(load("formulas"))
    assert grammar.nonterminals == ("S", "T")
    assert grammar.rules == FORMULAS


@pytest.mark.parametrize(
    "text",
    [
        "S -> S '+' T | S '*' T | S '/' T | T\nT -> '(' S ')' | 'sin(' S ')' | 'exp(' S ')' | 'x' | '1' | '2' | '3'",
        "S->S '+' T|S '*' T|S '/' T|T\r\nT->'(' S ')'|\"sin(\" S ')'|'exp(' S ')'|'x'|'1'|'2'|'3'\r\n",
        "# all\n\nS -> S + T # add\n  | S * T\n  | S / T\n  | T\nT -> ( S ) | sin( S ) | exp( S ) | x | 1 | 2\nT -> 3",
    ],
)
def test_ways_of_writing_the_same_rules(text):
    assert grammar_of(text).rules == FORMULAS


@pytest.mark.parametrize("empty", ["", "ε", "''", '""'])
def test_empty_rules(empty):
    assert grammar_of(f"S -> 'a' S | {empty}").rules == (Rule(0, ("a", 0)), Rule(0, ()))
    assert grammar_of(f"S -> {empty} | 'a' S").rules == (Rule(0, ()), Rule(0, ("a", 0)))


def test_escapes_and_marks_in_quotes():
    grammar = grammar_of(r"""S -> '\\' | "'" | '"' | '#' | '->' | '|' | ' ' | '\n' | '\x41' | '\u00e9'""")
    assert [rule.right[0] for rule in grammar.rules] == ["\\", "'", '"', "#", "->", "|", " ", "\n", "A", "é"]


def test_the_first_left_side_is_the_start():
    grammar = grammar_of("whole -> part | part whole\npart -> a")
    assert grammar.nonterminals == ("whole", "part")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S -> 'a", "my.txt:1:6: a quote is opened and not closed"),
        ("S -> a\nS 'b'", "my.txt:2:3: \"'b'\": '->' is expected after the left side"),
        ("S -> a\n 'b' -> c", "my.txt:2:2: \"'b'\": a rule begins with the name of a nonterminal"),
        ("S -> a -> b", "my.txt:1:8: a second '->'"),
        ("S -> a\nT", "my.txt:2:1: 'T': '->' is expected after the left side"),
        ("S -> '\\q'", r"my.txt:1:6: '\\q' is no escape"),
        ("Sum -> Sun '+' Sum | 'x'", "my.txt:1:8: 'Sun' is on no left side; did you mean 'Sum'"),
        ("S -> 'a' | b", "my.txt:1:12: 'b' is on no left side"),
    ],
)
def test_errors_have_their_place(text, message):
    with pytest.raises(GrammarError) as caught:
        grammar_of(text, "my.txt")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_traceback_shows_the_line_and_a_caret():
    with pytest.raises(GrammarError) as caught:
        grammar_of("S -> a\nS -> b\n\tS -> c -> d", "my.txt")
    assert caught.value.__notes__ == ["     S -> c -> d\n" + " " * 12 + "^"]
    assert (caught.value.line, caught.value.column) == (3, 9)
