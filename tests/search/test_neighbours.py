"""Neighbours in a grammar: strings of the language, one subtree away."""

import pytest

from freerun.grammars.earley import Parser
from freerun.grammars.reading import grammar_of, load
from freerun.search.neighbours import Neighbours


@pytest.fixture(scope="module")
def neighbours() -> Neighbours:
    return Neighbours(Parser(grammar_of(load("formulas"))))


def test_neighbours_are_strings_of_the_language_and_the_same_again(neighbours):
    found = neighbours(["x+1", "sin(x*x)/2"], 300, 5)
    assert all(map(neighbours.parser.accepts, found))
    assert found == neighbours(["x+1", "sin(x*x)/2"], 300, 5)
    assert found != neighbours(["x+1", "sin(x*x)/2"], 300, 6)
    assert len(set(found)) > 100


def test_what_stands_beside_the_subtree_stays():
    """S -> 'a' T 'b': whatever T becomes, it stands between a and b, and has at most `most` rules."""
    grammar = grammar_of("S -> 'a' T 'b'\nT -> 'c' T | 'd'")
    neighbours = Neighbours(Parser(grammar), most=4)
    found = set(neighbours(["accccccdb"], 2000, 0))
    whole = {f"a{'c' * n}db" for n in range(3)}  # S anew: one rule, then up to three of T
    parts = {f"a{'c' * (kept + n)}db" for kept in range(7) for n in range(4)}
    assert found == whole | parts


def test_every_small_subtree_is_reached(neighbours):
    found = set(neighbours(["x+1"], 20_000, 1))
    assert {"x+x", "x+2", "1", "x*1", "x+sin(x)", "x+sin(x*x)", "(x)+1", "exp(1)+1"} <= found
