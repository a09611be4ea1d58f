import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freerun.grammars.nfa import PatternError
from freerun.grammars.regular import NEVER, dfa_of_regex, distance

PATTERNS = [
    "",
    "a",
    "abc|abd|b",
    "(a|b)*abb",
    "a*b+c?",
    "(ab|a)(bc|c)?",
    "[ab]{2,4}",
    "a{3}",
    "a{,2}b{2,}",
    "(a*)*",
    "(a?b?){3}",
    "(?:a|(?P<name>b))+?c",
    "a*?b??",
    "[^a]",
    "[^ab]*a",
    ".",
    "a.c",
    "(?s:.)b",
    "(?i:aB)c",
    "(?i)[a-b]C",
    "(?i:[^a])",
    r"\d\w?\s?",
    r"\Da",
    r"[\d\-a]+",
    r"[\W1]",
    r"\.|\n",
    "^ab$",
    r"\Aab?\Z",
    "(?x: a b # comment\n | c)",
    "a(?#comment)b",
    "(|a|b)c",
    "(a|aa)+",
    "(a|b|c)*c(a|b|c)",
]
LETTERS = "abcABC1 -.\n"


def strings(alphabet: str, longest: int):
    for n in range(longest + 1):
        yield from map("".join, itertools.product(alphabet, repeat=n))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_language_is_that_of_fullmatch(pattern):
    dfa = dfa_of_regex(pattern, also=LETTERS)
    known = re.compile(pattern)
    letters = "abc" if set(pattern) <= set("abc()|*+?{}:0123456789,") else LETTERS
    for text in strings(letters, 6 if letters == "abc" else 3):
        assert dfa.accepts(text) == (known.fullmatch(text) is not None), text


def expressions():
    parts = st.sampled_from(["a", "b", "[ab]", "c", "[^b]", ".", ""])
    return st.recursive(
        parts,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda both: f"(?:{both[0]}|{both[1]})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}"])).map(
                lambda x: f"(?:{x[0]}){x[1]}"
            ),
        ),
        max_leaves=6,
    )


@settings(max_examples=50)
@given(expressions())
def test_random_patterns_are_read_as_by_fullmatch(pattern):
    dfa = dfa_of_regex(pattern)
    known = re.compile(pattern)
    for text in strings("abc", 4):
        assert dfa.accepts(text) == (known.fullmatch(text) is not None), text


@given(expressions())
def test_automata_are_minimal_and_trimmed(pattern):
    """All states have different futures: told apart by strings no longer than there are states (Myhill-Nerode)."""
    dfa = dfa_of_regex(pattern)
    n = len(dfa.accepting)
    assert (distance(dfa.moves, dfa.accepting) < NEVER).all()
    assert {0, *dfa.moves[dfa.moves >= 0].tolist()} == set(range(n))
    padded = np.concatenate([dfa.moves, np.full((1, dfa.moves.shape[1]), -1)])
    padded[padded < 0] = n
    accepting = np.append(dfa.accepting, False)
    apart = accepting[:, None] != accepting[None, :]
    for _ in range(n + 1):  # the table-filling algorithm: another one than that of the house
        apart = apart | apart[padded[:, None, :], padded[None, :, :]].any(2)
    assert apart[~np.eye(n + 1, dtype=bool)].all()


def test_numbers_of_states_worked_by_hand():
    assert len(dfa_of_regex("(a|b)*abb").accepting) == 4
    assert len(dfa_of_regex("(a|b)*a(a|b){3}").accepting) == 16
    assert len(dfa_of_regex("a{5}").accepting) == 6
    assert len(dfa_of_regex("(a*)*|a").accepting) == 1
    assert dfa_of_regex("b|a").alphabet == ("a", "b")


def test_negated_classes_match_printable_letters_and_what_the_pattern_names():
    assert len(dfa_of_regex("[^a]").alphabet) == 94
    assert not dfa_of_regex("[^a]").accepts("\n")
    assert dfa_of_regex("[^a]|\n").accepts("\n")
    assert dfa_of_regex(r"[^a]\s").accepts("\t\t")


def test_further_characters_are_matched_by_a_dot_where_they_are_named():
    assert not dfa_of_regex(".").accepts("é")
    assert dfa_of_regex(".", also="é").accepts("é")
    assert dfa_of_regex("[^a]|é").accepts("é")
    assert not dfa_of_regex("[^é]").accepts("é")
    assert dfa_of_regex("(?i:é)").accepts("É")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a(?=b)", "look-around"),
        ("a(?!b)", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "back-reference"),
        ("(a)?(?(1)b|c)", "condition"),
        ("a^b", "anchor"),
        ("(^a|b)", "anchor"),
        (r"a\bc", "anchor"),
        ("a*+b", "possessive"),
        ("(?>a|ab)c", "atomic"),
        ("(a", "missing \\), unterminated subpattern at position 0"),
        ("a{2,1}", "min repeat greater"),
        ("[^\\s\\S]", "matches no string"),
        ("(a{999}){999}", "too long .over 10,000 places"),
        ("(a|b)*a(a|b){30}", "more than 10,000 states"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(pattern, reason):
    with pytest.raises(PatternError, match=reason):
        dfa_of_regex(pattern)
