import numpy as np
import pytest

from freerun.chemistry import LONGEST
from freerun.corpora.corpus import open_corpus
from freerun.corpora.reading import Reading
from freerun.corpora.standardize import RULES, parent

EVERYTHING = "train+valid+test"


@pytest.mark.parametrize(
    ("smiles", "expected", "rules"),
    [
        ("CCO", "CCO", []),
        ("OCC", "CCO", [RULES[2]]),
        ("CC(=O)[O-].[Na+]", "CC(=O)O", [RULES[0], RULES[1]]),
        ("C[NH3+].[Cl-]", "CN", [RULES[0], RULES[1]]),
        ("Cl.CCN", "CCN", [RULES[0]]),
        ("C[N+](C)(C)C", "C[N+](C)(C)C", []),
        ("O=[N+]([O-])c1ccccc1", "O=[N+]([O-])c1ccccc1", []),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O", []),
    ],
)
def test_the_parent_of_a_molecule(smiles, expected, rules):
    assert parent(smiles) == (expected, rules)
    assert parent(expected) == (expected, [])


@pytest.mark.parametrize("text", ["", "C1CC", "hello", "C" * (LONGEST + 1)])
def test_what_is_no_molecule_has_no_parent(text):
    with pytest.raises(ValueError):
        parent(text)


def test_duplicates_are_merged_with_the_means_of_their_numbers(write, cache):
    rows = ["CCO,1,a", "CCC,5,a", "OCC,3,b", "C(C)O,,b", "CCO.Cl,8,b", "CN,,", "C[NH3+],x,late"]
    path = write("a.csv", "\n".join(["smiles,y,label", *rows]))
    corpus = open_corpus(path, columns=["y", "label"], standardize="parent")
    assert list(corpus.strings(EVERYTHING)) == [(2, "CCO"), (3, "CCC"), (7, "CN")]
    columns = corpus.columns(EVERYTHING)
    np.testing.assert_allclose(columns["y"], [4, 5, np.nan])
    assert columns["label"].tolist() == ["a", "a", ""]


def test_the_table_counts_the_lines_that_each_rule_touched(write, cache):
    corpus = open_corpus(write("a.smi", "CCO\nOCC\nCC(=O)[O-].[Na+]\nxyz\n\nCCC\n"), standardize="parent")
    (treatment,) = corpus.standardization()
    assert (treatment.n_lines, treatment.n_refused, treatment.n_left) == (5, 1, 3)
    assert treatment.n_touched == {RULES[0]: 1, RULES[1]: 1, RULES[2]: 1, RULES[3]: 1}


def test_lines_that_are_no_molecules_are_refused_with_their_number(write, cache):
    corpus = open_corpus(write("a.smi", "CCO\nxyz name\nCCC\n\x01\n"), standardize="parent")
    reading = Reading()
    assert list(corpus.strings(EVERYTHING, reading)) == [(1, "CCO"), (3, "CCC")]
    assert [refusal.line for refusal in reading.refusals.examples] == [2, 4]
    assert "no molecule" in reading.refusals.examples[0].reason


def test_it_is_made_once_and_again_if_damaged(write, cache):
    path = write("a.smi", "OCC\nCCC\n")
    first = list(open_corpus(path, standardize="parent").strings(EVERYTHING))
    (made,) = (cache / "parents").glob("*.csv")
    stamp = made.stat().st_mtime_ns
    assert list(open_corpus(path, standardize="parent").strings(EVERYTHING)) == first
    assert made.stat().st_mtime_ns == stamp
    made.write_text("1,CCCCCC\n")
    assert list(open_corpus(path, standardize="parent").strings(EVERYTHING)) == first
    assert "CCCCCC" not in made.read_text()
