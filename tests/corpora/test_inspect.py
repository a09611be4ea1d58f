import pytest

from freerun.corpora.inspect import inspect, spread
from freerun.representations.text import Text


def test_a_table_of_molecules_is_understood(write):
    rows = [f"C{'C' * (i % 30)}O,{i / 2 if i % 5 else ''},{'ab'[i % 2]}" for i in range(400)]
    rows += ["C(,1,a", "c1ccccc1Br,x,", ",2,b"]
    found = inspect(write("a.csv", "\n".join(["smiles,logp,set", *rows])))
    assert found.column == "smiles"
    assert [(c.name, c.kind, c.n_missing, c.n_wrong) for c in found.columns] == [
        ("smiles", "string", 0, 0),
        ("logp", "number", 80, 1),
        ("set", "label", 1, 0),
    ]
    assert found.columns[1].maximum == 399 / 2
    assert found.columns[2].n_distinct == 2
    assert found.n_strings == 402
    assert sum(found.splits.values()) == 402
    assert found.n_duplicates == 370
    assert found.refusals.count == 2
    assert {example.line for example in found.refusals.examples} == {402, 404}
    assert found.representation.name == "smiles"
    assert found.reason
    assert found.alphabet["Br"] == 1
    assert set(found.rare) >= {"Br", "c", "1"}
    assert "C" not in found.rare
    assert found.characters is not None
    assert found.characters.maximum == 31
    assert found.tokens is not None
    assert found.tokens.minimum == 2
    assert found.n_tokenized == 402
    assert len(found.examples) == 5


def test_sentences_are_text(write):
    found = inspect(write("a.txt", "a man rides a horse\nthe cat sat\n" * 20))
    assert found.representation.name == "text"
    assert found.column == ""
    assert found.columns == ()
    assert found.n_duplicates == 38


def test_a_representation_asked_for_is_used(write):
    found = inspect(write("a.smi", "CCO\nCCC\n"), representation=Text())
    assert found.representation == Text()
    assert set(found.alphabet) == {"C", "O"}


def test_only_the_first_lines_are_tokenized(write, monkeypatch):
    monkeypatch.setattr("freerun.corpora.inspect.N_TOKENIZED", 50)
    found = inspect(write("a.smi", "CCO\n" * 200))
    assert (found.n_strings, found.n_tokenized) == (200, 50)
    assert sum(found.alphabet.values()) == 150


def test_a_spread_of_known_numbers():
    numbers = spread(list(range(1, 101)))
    assert numbers is not None
    assert (numbers.minimum, numbers.median, numbers.maximum, numbers.mean) == (1, 50, 100, 50.5)
    assert spread([]) is None


@pytest.mark.slow
def test_the_embedded_corpus_is_inspected():
    found = inspect("moses-mini")
    assert found.splits == {"train": 19_600, "valid": 400, "test": 2_000}
    assert found.refusals.count == 0
