import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from freerun.constraints.base import EOS, SPECIALS
from freerun.constraints.productions import Productions
from freerun.errors import InvalidSequence, UsageError
from freerun.representations.grammar import GrammarRules

FORMULAS = GrammarRules()
OWN = "S -> 'a' S 'b'\nS -> 'ab'\n"


def test_tokens_are_the_rules_of_the_leftmost_derivation():
    assert FORMULAS.tokenize("x*(1)") == [
        "S -> S '*' T",
        "S -> T",
        "T -> 'x'",
        "T -> '(' S ')'",
        "S -> T",
        "T -> '1'",
    ]


def test_the_vocabulary_is_all_rules_in_the_order_of_the_grammar_whatever_is_given():
    ready = FORMULAS.with_vocab(["T -> 'x'"])
    assert ready.vocab[:4] == SPECIALS
    assert ready.vocab[4:8] == ("S -> S '+' T", "S -> S '*' T", "S -> S '/' T", "S -> T")
    assert len(ready.vocab) == 4 + 11
    assert ready == FORMULAS.with_vocab([]) == FORMULAS.with_vocab(ready.vocab)
    assert ready.encode("x") == [4 + 3, 4 + 7]
    with pytest.raises(ValueError, match="token 'q' is no rule of the grammar 'formulas'"):
        FORMULAS.with_vocab(["q"])


def test_what_is_no_derivation_is_decoded_as_far_as_it_goes_and_is_not_valid():
    ready = FORMULAS.with_vocab([])
    ids = ready.encode("1+sin(x)")  # S -> S + T, S -> T, T -> 1, T -> sin( S ), S -> T, T -> x
    shown = ["⟨S⟩", "⟨S⟩+⟨T⟩", "⟨T⟩+⟨T⟩", "1+⟨T⟩", "1+sin(⟨S⟩)", "1+sin(⟨T⟩)", "1+sin(x)"]
    for n, expected in enumerate(shown):
        assert ready.decode([*ids[:n], EOS]) == expected
        assert ready.is_valid(expected) == (n == len(ids))
    wrong = [[*ids, ids[0]], [ids[0], ids[2], ids[1]], [3], [*ids[:2], 3, ids[2]]]
    assert [ready.decode(row) for row in wrong] == [
        "1+sin(x)⟨S -> S '+' T⟩",
        "⟨T -> '1'⟩⟨S⟩+⟨T⟩",
        "⟨<unk>⟩⟨S⟩",
        "⟨<unk>⟩⟨T⟩+⟨T⟩",
    ]
    assert not any(ready.is_valid(ready.decode(row)) for row in wrong)


def test_white_space_is_dropped_where_no_rule_writes_any():
    assert FORMULAS.normalise(" 1 / 3 +\tx\n") == "1/3+x"
    assert FORMULAS.is_valid("1 / 3")
    assert GrammarRules("json").normalise(' "a  b" ') == '"a  b"'
    with pytest.raises(InvalidSequence, match="' ' cannot stand here"):
        GrammarRules("smiles76").tokenize("CC CO")  # RDKit would read the second as the name of the first


@pytest.mark.parametrize(
    ("name", "text", "position", "reason"),
    [
        ("formulas", " 1 / y ", 5, "'y' cannot stand here: expected one of '(' '1' '2' '3' 'x' 'exp(' or 'sin('"),
        ("formulas", " ( 1 + ", 6, "it ends too early: expected one of '(' '1' '2' '3' 'x' 'exp(' or 'sin('"),
        ("formulas", "", 0, "it ends too early: expected one of '(' '1' '2' '3' 'x' 'exp(' or 'sin('"),
        ("formulas", "1 2", 2, "'2' cannot stand here: expected one of '*' '+' '/' or the end"),
        ("smiles76", "C[NH", 4, "it ends too early: expected one of '+' '-' '1' to '8' or ']'"),
        ("smiles76", " C[9CH4]", 3, "'9' cannot stand here"),
        ("json", '{"a" :1}', 4, "' ' cannot stand here: expected ':'"),
    ],
)
def test_what_cannot_be_parsed_is_refused_at_its_place_in_the_text_given(
    name: str, text: str, position: int, reason: str
):
    for read in (GrammarRules(name).tokenize, GrammarRules(name).normalise, GrammarRules(name).with_vocab([]).encode):
        with pytest.raises(InvalidSequence) as caught:
            read(text)
        assert (caught.value.text, caught.value.position) == (text, position)
        assert caught.value.reason.startswith(reason)


def test_a_file_is_read_once_and_its_text_is_a_setting(tmp_path: Path):
    path = tmp_path / "own.txt"
    path.write_text(OWN)
    own = GrammarRules(str(path))
    assert own.settings() == {"grammar": str(path), "text": OWN, "molecules": False}
    path.write_text("S -> 'c'\n")
    again = GrammarRules(**own.settings())
    assert again == own
    assert again.tokenize("aabb") == ["S -> 'a' S 'b'", "S -> 'ab'"]
    assert GrammarRules(str(path)).tokenize("c") == ["S -> 'c'"]
    path.unlink()
    assert GrammarRules(**own.settings()) == own


def test_a_grammar_that_is_none_is_refused_at_once(tmp_path: Path):
    path = tmp_path / "own.txt"
    path.write_text("S -> 'a' T\n")
    with pytest.raises(UsageError, match=r"own\.txt:1:10: 'T'"):
        GrammarRules(str(path))
    with pytest.raises(UsageError, match="no grammar 'formula'"):
        GrammarRules("formula")


def test_strings_are_molecules_where_that_is_said(tmp_path: Path):
    path = tmp_path / "rings.txt"
    path.write_text("S -> 'C' S\nS -> 'C'\nS -> 'c' S\n")
    carbon = GrammarRules(str(path), molecules=True)
    assert not GrammarRules(str(path)).is_chemical
    assert carbon.is_chemical
    assert (carbon.is_valid("CC"), carbon.is_valid("cC"), carbon.is_valid("CCO")) == (True, False, False)
    assert GrammarRules("smiles76").is_chemical
    assert not FORMULAS.is_chemical
    with pytest.raises(InvalidSequence):
        carbon.normalise("C C")
    rng = np.random.default_rng(0)
    assert carbon.augment("CCO", rng) == "CCO", "the grammar cannot write it, so it stays"


def test_its_constraint_allows_the_derivations_of_this_grammar_and_no_others():
    ready = GrammarRules(text=OWN).with_vocab([])
    assert ready.constraint() == Productions(OWN)
    found = set()
    for rules in itertools.chain.from_iterable(itertools.product((4, 5), repeat=n) for n in range(4)):
        state = ready.constraint().start(1, 4)
        allowed = True
        for token in (*rules, EOS):
            allowed = allowed and bool(ready.constraint().allowed(state)[0, token])
            state = ready.constraint().advance(state, torch.tensor([token]))
        if allowed:
            found.add(ready.decode(rules))
    assert found == {"ab", "aabb", "aaabbb"}


def test_a_prefix_of_a_string_is_no_prefix_of_a_derivation():
    assert FORMULAS.tokenize_prefix("") == []
    with pytest.raises(InvalidSequence, match="depend on how it goes on; leave the prefix out"):
        FORMULAS.tokenize_prefix("1+")


def test_the_first_string_with_several_derivations_is_told():
    sums = GrammarRules("my.txt", "E -> E '+' E\nE -> 'x'\n")
    assert sums.remark(["x", "x+x", "no", "x+x+x", "x+x+x+x"]) == (
        "the grammar 'my.txt' is ambiguous: 'x+x+x' has several derivations, of which the first found is always taken "
        "(2 of 5 strings here)"
    )
    assert sums.remark(["x", "x+x", "no"]) == ""
