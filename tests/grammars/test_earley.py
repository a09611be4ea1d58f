import collections
import itertools
import random

import lark
import numpy as np
import pytest

from freerun.errors import InvalidSequence
from freerun.grammars.derivation import Speller
from freerun.grammars.earley import Parser
from freerun.grammars.expected import expectation
from freerun.grammars.grammar import Grammar, Rule

TINY = {
    "a^n b^n": "S -> a S b | a b",
    "a^n b^n, empty": "S -> a S b | ε",
    "any binary tree": "S -> S S | a",
    "any binary tree, empty": "S -> S S | a | ε",
    "palindromes": "S -> a S a | b S b | a | b | ε",
    "sums": "E -> E + E | x",
    "left recursion": "S -> S a | b",
    "right recursion": "S -> a S | b",
    "right recursion, also alone": "S -> a S | a",
    "middle": "S -> a S a | a",
    "hidden left recursion": "A -> B A c | ε\nB -> b | ε",
    "hidden right recursion": "S -> a S B | a\nB -> b | ε",
    "cycle": "S -> S | a",
    "long cycle": "S -> A | a\nA -> B\nB -> S | b",
    "hidden cycle": "S -> N S N | a\nN -> n | ε",
    "empty cycle": "S -> S S | T | ε\nT -> S | t",
    "empty in two ways": "S -> A B a\nA -> ε\nB -> A | ε",
    "empty or not": "S -> N a\nN -> A\nA -> a | ε",
    "one literal begins the other": "M -> M A | A\nA -> C | Cl | l",
    "literals that meet": "S -> ab S | a S | b S | ε",
    "regular": "A -> a B | b A | ε\nB -> a A | b B",
    "nothing but empty": "S -> A A\nA -> ε",
    "unreachable end": "S -> a A | b\nA -> A a",
    "not LR(k)": "S -> a S a | b S | c | S b",
}


def grammar(text: str) -> Grammar:
    """From lines such as `S -> a S b | ε`: what has no rule is a literal."""
    names = tuple(dict.fromkeys(line.split(" -> ")[0] for line in text.splitlines()))
    rules = []
    for line in text.splitlines():
        left, rights = line.split(" -> ")
        for right in rights.split(" | "):
            symbols = (names.index(s) if s in names else s for s in right.split() if s != "ε")
            rules.append(Rule(names.index(left), tuple(symbols)))
    return Grammar(names, tuple(rules))


def language(of: Grammar, longest: int) -> dict[str, int]:
    """Each string up to this length, with the number of its derivations, 2 for more: the least fixpoint."""
    found: list[dict[str, int]] = [{} for _ in of.nonterminals]
    while True:
        new: list[dict[str, int]] = [collections.defaultdict(int) for _ in of.nonterminals]
        for rule in of.rules:
            strings = {"": 1}
            for symbol in rule.right:
                parts = found[symbol] if isinstance(symbol, int) else {symbol: 1}
                longer: dict[str, int] = collections.defaultdict(int)
                for (a, n), (b, m) in itertools.product(strings.items(), parts.items()):
                    if len(a) + len(b) <= longest:
                        longer[a + b] = min(2, longer[a + b] + n * m)
                strings = longer
            for string, n in strings.items():
                new[rule.left][string] = min(2, new[rule.left][string] + n)
        if new == found:
            return found[0]
        found = new


def alphabet(of: Grammar) -> list[str]:
    return sorted({c for rule in of.rules for s in rule.right if isinstance(s, str) for c in s}) or ["a"]


def check(of: Grammar, longest: int) -> None:
    """Every string over the alphabet: accepted if and only if derived, its derivation writes it, ambiguity is exact."""
    parser, speller, expected = Parser(of), Speller(of), language(of, longest)
    letters = alphabet(of)
    texts = ["".join(t) for n in range(longest + 1) for t in itertools.product(letters, repeat=n)]
    found = parser.parse_many(texts)
    for text, rules, failure, ambiguous in zip(texts, found, found.failures, found.ambiguous, strict=True):
        assert (failure == -1) == (text in expected), (of, text)
        if failure == -1:
            assert speller.text_of(rules.tolist()) == text, (of, text)
            assert ambiguous == (expected[text] > 1), (of, text)
        else:
            assert len(rules) == 0


@pytest.mark.parametrize("text", TINY.values(), ids=TINY.keys())
def test_every_short_string_is_parsed_as_its_derivations_say(text: str):
    check(grammar(text), 8 if len(alphabet(grammar(text))) < 3 else 6)


def random_grammar(rng: random.Random) -> Grammar:
    n = rng.randint(1, 3)
    symbols = [*range(n), "a", "b", "ab"]
    rights = [(rng.randrange(n), tuple(rng.choices(symbols, k=rng.randint(0, 3)))) for _ in range(rng.randint(n, 7))]
    return Grammar(tuple("STU"[:n]), tuple(Rule(left, right) for left, right in dict.fromkeys(rights)))


@pytest.mark.parametrize("seed", range(4))
def test_every_short_string_of_random_grammars_is_parsed_as_its_derivations_say(seed: int):
    rng = random.Random(seed)
    for _ in range(25):
        check(random_grammar(rng), 5)


@pytest.mark.parametrize("text", [text for name, text in TINY.items() if name != "unreachable end"])
def test_a_failure_is_the_first_place_that_no_string_shares_and_names_all_that_may_come(text: str):
    of = grammar(text)
    parser, known = Parser(of), language(of, 11)
    next_of: dict[str, set[str]] = collections.defaultdict(set)
    for string in known:
        for i, character in enumerate(string):
            next_of[string[:i]].add(character)
    for letters in itertools.product([*alphabet(of), "?"], repeat=4):
        string = "".join(letters)
        if string in known:
            continue
        place = next((i for i in range(5) if i == 4 or string[i] not in next_of[string[:i]]), 4)
        with pytest.raises(InvalidSequence) as caught:
            parser.parse(string)
        assert caught.value.position == place
        literals, may_end = parser.expected(string[:place])
        assert {literal[0] for literal in literals} == next_of[string[:place]]
        assert may_end == (string[:place] in known)


def test_the_derivation_is_leftmost_and_in_pre_order():
    parser = Parser(grammar("S -> S + T | T\nT -> x | ( S )"))
    # S => S + T => T + T => ( S ) + T => ( T ) + T => ( x ) + T => ( x ) + x
    assert parser.parse("(x)+x").rules.tolist() == [0, 1, 3, 1, 2, 2]
    assert not parser.parse("(x)+x").ambiguous


def test_of_several_derivations_the_first_one_is_always_the_same():
    parser = Parser(grammar(TINY["sums"]))
    first = parser.parse("x+x+x+x")
    assert first.ambiguous
    assert first.rules.tolist() == [0, 0, 0, 1, 1, 1, 1], "((x + x) + x) + x"
    assert not parser.parse("x+x").ambiguous
    shortest = Parser(grammar(TINY["empty in two ways"])).parse("a")
    assert (shortest.rules.tolist(), shortest.ambiguous) == ([0, 1, 3], True), "not B -> A -> ε"
    empty = Parser(grammar(TINY["empty cycle"])).parse("")
    assert (empty.rules.tolist(), empty.ambiguous) == ([2], True)


@pytest.mark.parametrize("text", ["S -> a S | a", "S -> a S a | a", "S -> S a | a", "S -> a S B | a\nB -> b | ε"])
def test_long_strings_are_parsed(text: str):
    of, n = grammar(text), 2_001
    derivation = Parser(of).parse("a" * n)
    assert Speller(of).text_of(derivation.rules.tolist()) == "a" * n


def test_a_chart_that_would_fill_the_memory_is_refused():
    parser = Parser(grammar("S -> S S | a"), max_items=500)
    assert parser.parse("a" * 8).ambiguous
    with pytest.raises(InvalidSequence, match="more than 500 chart items; shorten it") as caught:
        parser.parse("a" * 100)
    assert 8 < caught.value.position < 100


def test_many_strings_are_parsed_as_each_alone():
    parser = Parser(grammar(TINY["hidden left recursion"]))
    texts = ["bc", "", "cb", "bcc", "é", "bcc\0", "b" * 700 + "c" * 900, "b"]
    found = parser.parse_many(texts)
    assert found.failures.tolist() == [-1, -1, 1, -1, 0, 3, -1, 1]
    for text, rules, failure in zip(texts, found, found.failures.tolist(), strict=True):
        if failure < 0:
            assert rules.tolist() == parser.parse(text).rules.tolist()
    assert len(parser.parse_many([])) == 0


def test_an_error_says_what_was_expected():
    parser = Parser(grammar("S -> ( S ) | S + T | T\nT -> D | T D | sin(S)\n" + "D -> " + " | ".join("0123456789")))
    for text, said in (
        ("(1*", "'*' cannot stand here: expected one of ')' '+' or a digit at position 2 of '(1*'"),
        ("(1", "it ends too early: expected one of ')' '+' or a digit at position 2 of '(1'"),
        ("1)", "')' cannot stand here: expected one of '+', a digit or the end at position 1 of '1)'"),
        ("sim", "'m' cannot stand here: expected 'n(S)' at position 2 of 'sim'"),
    ):
        with pytest.raises(InvalidSequence) as caught:
            parser.parse(text)
        assert str(caught.value) == said


@pytest.mark.parametrize(
    ("literals", "may_end", "said"),
    [
        ("", True, "the end"),
        ("", False, "nothing"),
        ("a", False, "'a'"),
        ("ab", False, "'a' or 'b'"),
        ("a", True, "'a' or the end"),
        ("0123456789", False, "a digit"),
        ("123456", False, "'1' to '6'"),
        (" \t\n", True, "white space or the end"),
        ("abcdefghijklmnopqrstuvwxyz0123456789_", False, "one of '_', a lower-case letter or a digit"),
        ("acegikmoqsuwyACEG", False, "one of 'A' 'C' 'E' 'G' 'a' 'c' 'e' 'g' 'i' 'k' 'm' 'o' or 5 more"),
    ],
)
def test_what_is_expected_is_said_in_few_words(literals: str, may_end: bool, said: str):
    assert expectation(set(literals), may_end) == said


FORMULAS = "S -> S + T | S * T | S / T | T\nT -> ( S ) | sin( S ) | exp( S ) | x | 1 | 2 | 3"
LARK = """start: s
s: s "+" t | s "*" t | s "/" t | t
t: "(" s ")" | "sin(" s ")" | "exp(" s ")" | "x" | "1" | "2" | "3"
"""


def random_formula(rng: random.Random, depth: int) -> str:
    if depth == 0:
        return rng.choice("x123")
    inner = random_formula(rng, depth - 1)
    return rng.choice([f"({inner})", f"sin({inner})", f"{inner}{rng.choice('+*/')}{random_formula(rng, depth - 1)}"])


def test_lark_accepts_the_same_formulas_and_sees_as_many_productions():
    parser, other = Parser(grammar(FORMULAS)), lark.Lark(LARK, parser="earley")
    rng = random.Random(0)
    n_accepted = 0
    for number in range(60):
        text = random_formula(rng, number % 4)
        if number % 2:  # one character less
            at = rng.randrange(len(text))
            text = text[:at] + text[at + 1 :]
        try:
            tree = other.parse(text)
        except lark.exceptions.LarkError:
            with pytest.raises(InvalidSequence):
                parser.parse(text)
            continue
        n_accepted += 1
        assert len(parser.parse(text).rules) == sum(1 for node in tree.iter_subtrees_topdown() if node.data != "start")
    assert 30 <= n_accepted < 60


def test_a_derivation_is_an_array_of_small_integers():
    assert Parser(grammar("S -> a")).parse("a").rules.dtype == np.int32
