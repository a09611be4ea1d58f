import pytest

from freerun.grammars.derivation import Speller, Written
from freerun.grammars.grammar import Grammar, Rule

SPELLER = Speller(Grammar(("S", "T"), (Rule(0, ("a", 0, "b", 1)), Rule(0, ()), Rule(1, ("t",)))))


def test_a_complete_derivation_spells_its_string():
    # S => a S b T => a a S b T b T => a a b T b T => a a b t b T => a a b t b t
    assert SPELLER.text_of([0, 0, 1, 2, 2]) == "aabtbt"
    assert SPELLER.text_of([1]) == ""


@pytest.mark.parametrize(
    ("rules", "written"),
    [
        ([], Written("", (0,), 0)),
        ([0], Written("a", (0, "b", 1), 1)),
        ([0, 1], Written("ab", (1,), 2)),
        ([0, 2, 1], Written("a", (0, "b", 1), 1)),
        ([1, 1], Written("", (), 1)),
        ([-1], Written("", (0,), 0)),
    ],
)
def test_rules_are_followed_as_far_as_they_go(rules: list[int], written: Written):
    assert SPELLER.written(rules) == written


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([0], "the derivation of 'a' is incomplete: a rule of S is due after its 1"),
        ([], "the derivation of '' is incomplete: a rule of S is due after its 0"),
        ([1, 1], "rule 1 (S -> ε) at position 1 of a derivation: no further one is due"),
        ([0, 2], "rule 2 (T -> 't') at position 1 of a derivation: a rule of S is due"),
        ([7], "rule 7 (the grammar has 3) at position 0 of a derivation: a rule of S is due"),
        ([-1], "rule -1 (the grammar has 3) at position 0 of a derivation: a rule of S is due"),
    ],
)
def test_a_wrong_derivation_is_refused(rules: list[int], message: str):
    with pytest.raises(ValueError) as caught:
        SPELLER.text_of(rules)
    assert str(caught.value) == message
