import collections
import json
import random
from pathlib import Path

import pytest

from freerun.corpora.corpus import open_corpus
from freerun.errors import InvalidSequence, UsageError
from freerun.grammars.earley import Parser
from freerun.grammars.grammar import Grammar, Symbol
from freerun.grammars.reading import SHIPPED, grammar_of, load
from freerun.grammars.smiles_syntax import check

MOLECULES = (Path(__file__).parents[1] / "golden" / "moses_a.smi").read_text().split()
ODD = [
    *(
        "[13CH4]",
        "[nH]1cccc1",
        "C[C@TB12H]C",
        "C[C@@H](N)O",
        "[Fe+2]",
        "[O-][N++]",
        "[CH3:12]C%10CC%10",
        "*C",
        "[*:1]C",
    ),
    *("[*:1]C", "[se]1cccc1", "F/C=C\\F", "C.C", "C$C", "c:c", "C(C)1CC1", "[H][H]", "[HH]", "C(C.C)C", "[C@OH26H4]"),
]


@pytest.fixture(scope="module")
def parsers() -> dict[str, Parser]:
    return {name: Parser(grammar_of(load(name), name)) for name in SHIPPED}


def drawn(grammar: Grammar, rng: random.Random, n_long: int = 60) -> str:
    """A string of random rules; after `n_long` of them, of the rules that end soonest."""
    due: list[Symbol] = [0]
    written, n = "", 0
    while due:
        symbol = due.pop()
        if isinstance(symbol, str):
            written += symbol
            continue
        rules = [grammar.rules[number] for number in grammar.rules_of[symbol]]
        n += 1
        if n > n_long:
            rules = [min(rules, key=lambda rule: sum(grammar.n_needed[s] for s in rule.right if isinstance(s, int)))]
        due += reversed(rng.choice(rules).right)
    return written


def mutated(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(0, 2)):
        at = rng.randrange(len(text) + 1)
        text = (
            text[:at] + rng.choice(["", rng.choice("CNOcno[]()=#1290%+-@H.:/\\lBr")]) + text[at + rng.randint(0, 1) :]
        )
    return text


def is_smiles(text: str) -> bool:
    """What the reader of SMILES says, which counts ring numbers as well: that no grammar does."""
    try:
        check(text)
    except InvalidSequence as error:
        return "write its number twice" in str(error)
    return True


def test_the_published_grammar_of_molecules_without_the_three_rules_that_derive_nothing(parsers):
    grammar = parsers["smiles76"].grammar
    counts = collections.Counter(grammar.nonterminals[rule.left] for rule in grammar.rules)
    published = (
        "smiles 1 atom 3 aliphatic_organic 10 aromatic_organic 4 bracket_atom 1 BAI 4 BAC 3 BAH 3 BACH 1 symbol 2 "
        "isotope 3 DIGIT 8 chiral 2 hcount 2 charge 6 bond 5 ringbond 2 branched_atom 4 RB 2 BB 2 branch 2 chain 3"
    ).split()
    assert counts == dict(zip(published[::2], map(int, published[1::2]), strict=True))
    assert len(grammar.rules) == 76 - 3
    assert grammar.shown(0) == "smiles -> chain"
    assert grammar.shown(72) == "chain -> chain bond branched_atom"


def test_molecules_are_read_with_one_derivation(parsers):
    whole = [text for text in MOLECULES[:500] if is_smiles(text)]
    assert len(whole) > 300
    for name in ("smiles", "smiles76"):
        found = parsers[name].parse_many(whole)
        assert (found.failures == -1).all()
        assert not found.ambiguous.any()


def test_the_grammar_of_smiles_accepts_what_the_reader_of_smiles_does(parsers):
    rng = random.Random(0)
    texts = [mutated(text, rng) for text in MOLECULES[:1500] + ODD * 40]
    found = parsers["smiles"].parse_many(texts)
    expected = [is_smiles(text) for text in texts]
    assert 500 < sum(expected) < len(texts) - 500
    differ = [t for t, f, ok in zip(texts, found.failures.tolist(), expected, strict=True) if (f == -1) != ok]
    assert differ == []
    assert not found.ambiguous.any()


def test_what_the_grammar_of_smiles_writes_the_reader_of_smiles_accepts(parsers):
    rng = random.Random(1)
    texts = [drawn(parsers["smiles"].grammar, rng) for _ in range(500)]
    assert max(map(len, texts)) > 30
    for text in texts:
        assert is_smiles(text), text


def test_what_the_grammar_of_json_writes_is_json_and_read_with_one_derivation(parsers):
    rng = random.Random(2)
    texts = [drawn(parsers["json"].grammar, rng) for _ in range(300)]
    assert {text[0] for text in texts} > set('{["tfn-')
    for text in texts:
        json.loads(text)
    assert not parsers["json"].parse_many(texts).ambiguous.any()


@pytest.mark.parametrize(
    "value", [{}, [], {"a": [1, -2.5, 0, 1e-7, True, False, None], "b c": {"d": ""}}, [[[]], {}], "text-1_2.", 1e300]
)
def test_json_of_plain_strings_is_read(parsers, value):
    assert parsers["json"].accepts(json.dumps(value, separators=(",", ":")))


@pytest.mark.parametrize("text", ["", "[1,]", "{1:2}", "01", "-", "[1 ,2]", "nul", '"a'])
def test_what_is_no_json_is_not_read(parsers, text):
    assert not parsers["json"].accepts(text)


def test_formulas_are_read_from_the_left(parsers):
    rules = parsers["formulas"].parse("x*sin(3)/(1+x)").rules.tolist()
    assert rules == [2, 1, 3, 7, 5, 3, 10, 4, 0, 3, 8, 7]


def test_a_grammar_comes_by_name_or_from_a_file(tmp_path):
    path = tmp_path / "mine.lark"
    path.write_text('\ufeffstart: "é"\n', encoding="utf-8")
    assert grammar_of(load(str(path))).rules[0].right == ("é",)
    with pytest.raises(UsageError, match="; did you mean 'formulas'"):
        load("formula")
    (tmp_path / "latin.txt").write_bytes("S -> 'é'".encode("latin-1"))
    with pytest.raises(UsageError, match="it must be UTF-8 text"):
        load(str(tmp_path / "latin.txt"))


@pytest.mark.slow
def test_every_molecule_of_zinc_is_read_with_one_derivation(parsers):
    corpus = open_corpus("zinc250k")
    texts = [text for split in corpus.splits for _, text in corpus.strings(split)]
    assert len(texts) > 249_000
    for name in ("smiles", "smiles76"):
        found = parsers[name].parse_many(texts)
        assert (found.failures == -1).all()
        assert not found.ambiguous.any()
