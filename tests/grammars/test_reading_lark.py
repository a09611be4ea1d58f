import functools
import itertools

import lark
import pytest

from freerun.grammars.draft import GrammarError
from freerun.grammars.grammar import Grammar, Rule
from freerun.grammars.reading import grammar_of
from freerun.grammars.terminals import common

# Each with the letters of which all strings are tried.
LANGUAGES = [
    ('start: "a" start "b" | "c"', "abc"),
    ('start: "a"* "b"+ "c"?', "abc"),
    ('start: ("a" | "b" "c")* "c"', "abc"),
    ('start: ["a" ("," "a")*]', "a,"),
    ('start: "a"~2 "b"~1..3 "c"~0..2', "abc"),
    ('start: ("a" | "b")~2..3 [x]\nx: "c" | "c" x', "abc"),
    ('!start: _sum\n_sum: product\n  | _sum "+" product\n?product.2: "a" -> one | product "*" "a" -> more', "a+*"),
    ("start: WORD\nWORD: /a(b|c)*/", "abc"),
    ('start: WORD ("," WORD)*\nWORD: "a" | "bc" | "b"', "abc,"),
    ('start: A "b"\nA: ("a" | C)+ C?\nC: "c"~1..2', "abc"),
    ('start: "ab"i "c"', "aAbc"),
    ('start: /a.?/s "c" /[^ab]/', "abc"),
    ('start: LETTER+\nLETTER: "a".."b" | "C".."D"i'.replace('"i', '"'), "abCc"),
    ("start: INT [SIGN INT]\n%import common.INT\nSIGN: /[+-]/", "1+-"),
    ("start: NUM\n%import common.SIGNED_NUMBER -> NUM", "1+.e"),
    ('start: "a" ("," "a")*\n%ignore " "', "a, "),
    ('start: "(" start ")" | /b+/\n%ignore " "\n%ignore /;/', "(b) ;"),
    ("start: CNAME\n%import common (CNAME, DIGIT)", "a1_"),
    ("start: ESCAPED_STRING\n%import common.ESCAPED_STRING", '"a\\'),
    ("start: C_COMMENT\n%import common.C_COMMENT", "/*a"),
    ("start: NEWLINE\n%import common.NEWLINE", "\r\n"),
]


def n_derivations(grammar: Grammar, text: str) -> int:
    """How many derivations a string has, by trying every split: another algorithm than any of the house."""
    shortest = grammar.n_characters_needed

    def least(symbols) -> int:
        return sum(len(s) if isinstance(s, str) else shortest[s] for s in symbols)

    @functools.cache
    def sequence(symbols, part: str) -> int:
        if not symbols:
            return int(not part)
        head, rest = symbols[0], symbols[1:]
        if isinstance(head, str):
            return sequence(rest, part[len(head) :]) if part.startswith(head) else 0
        ends = range(least(symbols[:1]), len(part) - least(rest) + 1)
        return sum(one(head, part[:end]) * n for end in ends if (n := sequence(rest, part[end:])))

    @functools.cache
    def one(nonterminal: int, part: str) -> int:
        return sum(sequence(grammar.rules[rule].right, part) for rule in grammar.rules_of[nonterminal])

    return one(0, text)


def strings(alphabet: str, longest: int):
    for n in range(longest + 1):
        yield from map("".join, itertools.product(alphabet, repeat=n))


@pytest.mark.parametrize(("text", "letters"), LANGUAGES)
def test_languages_are_those_of_lark_and_no_ambiguity_is_added(text, letters):
    oracle = lark.Lark(text, parser="earley", lexer="dynamic_complete", maybe_placeholders=False)

    def accepted(string: str) -> bool:
        try:
            oracle.parse(string)
        except lark.exceptions.LarkError:
            return False
        return True

    grammar = grammar_of(text)
    counts = {string: n_derivations(grammar, string) for string in strings(letters, 5 if len(letters) < 4 else 4)}
    lazy = '"' in letters or "/" in letters  # lark's own expressions end these at the first end only in its lexer
    assert any(counts.values())
    for string, count in counts.items():
        assert count <= 1, string
        if not (lazy and (string.count('"') > 2 or string.count("*/") > 1)):
            assert bool(count) == accepted(string), string


def test_rules_keep_their_order_and_helpers_follow_their_first_user():
    grammar = grammar_of('start: item ("," item)* | "-"\nitem: "x" | NAME\nNAME: /[yz]+/\n')
    assert [grammar.shown(number) for number in range(len(grammar.rules))] == [
        "start -> item start(1)*",
        "start -> '-'",
        "start(1)* -> ',' item start(1)*",
        "start(1)* -> ε",
        "item -> 'x'",
        "item -> NAME",
        "NAME -> 'y' NAME:1",
        "NAME -> 'z' NAME:1",
        "NAME:1 -> 'y' NAME:1",
        "NAME:1 -> 'z' NAME:1",
        "NAME:1 -> ε",
    ]


def test_what_is_written_twice_is_one_helper():
    grammar = grammar_of('start: x* "a" x* | ("b" | "c")* "d" ("b" | "c")*\nx: "x" /[0-9]/ /[0-9]/')
    assert grammar.nonterminals == ("start", "x*", "start(1)*", "x", "[0-9]")


def test_many_repetitions_are_written_out():
    grammar = grammar_of('start: "a"~0..1000 "b"~1000')
    assert grammar.n_characters_needed[0] == 1000
    assert len(grammar.rules) == 1 + 2 * 1000


def test_a_pattern_and_a_repeated_pattern_have_names_of_their_own():
    grammar = grammar_of('start: /[ab]*/ "c" /[ab]/*')
    assert grammar.nonterminals == ("start", "/[ab]*/", "[ab]*", "[ab]")


def test_start_is_the_rule_of_that_name_wherever_it_stands():
    grammar = grammar_of('x: "x"\nstart: x x')
    assert grammar.nonterminals == ("start", "x")
    assert grammar.rules == (Rule(1, ("x",)), Rule(0, (1, 1)))
    assert grammar_of('x: "x" y\ny: "y"').nonterminals == ("x", "y")


def test_terminals_that_are_literals_stay_one_symbol():
    grammar = grammar_of('start: IF ELEMENT\nIF: "if" SPACE\nSPACE: " "\nELEMENT: "C" | "Cl" | OTHER\nOTHER: "Br"')
    assert grammar.rules == (
        Rule(0, ("if ", 1)),
        Rule(1, ("C",)),
        Rule(1, ("Cl",)),
        Rule(1, ("Br",)),
    )


def test_forced_characters_join_into_one_literal():
    grammar = grammar_of("start: /true|t|false/")
    assert [grammar.shown(number) for number in range(1, len(grammar.rules))] == [
        "/true|t|false/ -> 'false'",
        "/true|t|false/ -> 't' /true|t|false/:1",
        "/true|t|false/:1 -> 'rue'",
        "/true|t|false/:1 -> ε",
    ]


def test_every_common_terminal_of_lark_can_be_imported():
    assert {"INT", "WORD", "WS", "CNAME", "ESCAPED_STRING", "SQL_COMMENT"} <= set(common())
    for name in common():
        assert len(grammar_of(f"start: {name}\n%import common.{name}").rules) > 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('start: "a', "g:1:8: a string is opened and not closed"),
        ("start: 'a'", 'g:1:8: literals stand in double quotes here: "x"'),
        ("start: /a", "g:1:8: a regular expression is opened and not closed"),
        ("start: a = b", "g:1:10: '=' begins nothing"),
        ('start "a"', "g:1:7: '\"a\"': ':' is expected after 'start'"),
        ('start: ("a"\nb: "b")', "g:2:2: ':': ')' is expected for the '(' of line 1, column 8"),
        ('start: "a")', "g:1:11: ')' does not fit here"),
        ('start: "a"~x', "g:1:12: 'x': a number is expected after '~'"),
        ('start: "a"~3..2', "g:1:11: 3 to 2 times"),
        ('start: "a"~0..1001', "g:1:11: 0 to 1001 times"),
        ('start: A "b"\nA: /a*/\n%ignore " "', "g:1:8: A can be empty, which %ignore makes ambiguous"),
        ('start: "b".."a"', 'g:1:8: "b".. goes from one character up to another'),
        ('start: "a" ->', "g:1:14: the end of the file: a name is expected after '->'"),
        ('start: "a"\n: "b"', "g:2:1: ':': a name is expected where a rule or terminal begins"),
        ('start: "a"\nstart: "b"', "g:2:1: 'start' is defined already on line 1"),
        ("start: A\nA: B\nB: A", "g:3:4: 'A' names itself"),
        ("start: A\nA: start", "g:2:4: 'start' is a rule; A is made of terminals alone"),
        ("start: A\nA: /a/\n%ignore start", "g:3:9: 'start' is a rule; %ignore is made of terminals alone"),
        ('start: "a"\nX: "x"', "g:2:1: 'X' is used nowhere"),
        ("start: INT", "g:1:8: 'INT' is not defined; write %import common.INT"),
        ('start: WORT\nWORD: "x"', "g:1:8: 'WORT' is not defined; did you mean 'WORD'?"),
        ("start: INTEGER\n%import common.INTT", "g:2:16: lark's common terminals hold no 'INTT'; did you mean 'INT'?"),
        ("start: /a(?=b)/", "g:1:8: regular expression 'a(?=b)': look-around"),
        ('start: A\n\nA: "x" /[a/', "g:3:8: regular expression '[a': unterminated character set at position 0"),
        ("start: A\nA: /[^\\s\\S]/", "g:2:1: A: it matches no string"),
        ("start: /a/m", "g:1:8: flag 'm' of a regular expression is not supported"),
        ("start: a{b}", "g:1:9: templates (a{..}) are not supported"),
        ("a{b}: b", "g:1:2: templates (a{..}) are not supported"),
        ("%declare X", "g:1:1: %declare is not supported"),
        ("%override x: y", "g:1:1: %override is not supported"),
        ("%extend x: y", "g:1:1: %extend is not supported"),
        ("%import python.X", "g:1:9: only %import common.X is supported, not from 'python'"),
        ("%import .other.X", "g:1:9: only %import common.X is supported, not from 'other'"),
    ],
)
def test_what_is_wrong_or_not_supported_is_named_at_its_place(text, message):
    with pytest.raises(GrammarError) as caught:
        grammar_of(text, "g")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
