import itertools
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from freerun.errors import UsageError
from freerun.scores import SCORES, find_score
from freerun.scores.beside import form

MOLECULES = ["CCO", "OCC", "c1ccccc1", "CC(=O)O", "CCOC(C)=O"]


def test_uniqueness_counts_writings_of_one_molecule_together():
    assert SCORES["uniqueness"](["CCO", "OCC", "C", "x", "x", "C(O)C"]) == pytest.approx(
        [1 / 3, 1 / 3, 1, 0.5, 0.5, 1 / 3]
    )


def test_a_sentence_is_no_molecule_though_its_first_word_reads_as_one():
    assert form("I am here") != form("I was here")
    assert SCORES["uniqueness"](["I am here", "I was here"]).tolist() == [1, 1]


def test_diversity_is_one_less_the_mean_similarity_of_all_pairs():
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in MOLECULES]
    alike = {
        (a, b): DataStructs.TanimotoSimilarity(prints[a], prints[b]) for a, b in itertools.permutations(range(5), 2)
    }
    expected = [1 - sum(alike[a, b] for b in range(5) if b != a) / 4 for a in range(5)]
    values = SCORES["diversity"]([*MOLECULES, "C1CC"])
    assert values[:5] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(values[5])


def test_diversity_of_copies_is_0_and_of_the_only_molecule_1():
    assert SCORES["diversity"](["CCO", "OCC"]).tolist() == [0, 0]
    assert SCORES["diversity"](["CCO", "no molecule"])[0] == 1


def test_text_diversity_by_hand():
    # pairs: ^a ab b$ | ^a ac c$ | ^a ab b$; overlaps 1/5, 1, 1/5
    values = SCORES["text_diversity"](["a b", "a c", "a b"])
    assert values == pytest.approx([1 - (1 / 5 + 1) / 2, 1 - 1 / 5, 1 - (1 + 1 / 5) / 2])
    assert SCORES["text_diversity"](["word", "word"]).tolist() == [0, 0]
    assert SCORES["text_diversity"](["alone"]).tolist() == [1]


@pytest.mark.parametrize("name", [name for name, score in SCORES.items() if score.scope == "batch"])
def test_the_values_go_with_the_strings_whatever_their_order(name: str):
    strings = [*MOLECULES, "CC N", "CC N"]
    order = [6, 2, 0, 5, 1, 4, 3]
    values = SCORES[name](strings)
    assert np.allclose(SCORES[name]([strings[place] for place in order]), values[order], equal_nan=True, atol=1e-12)


def test_novelty_knows_every_writing_of_what_stands_in_the_file(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("known.smi").write_text("OCC\nI am here\n")
    score = find_score("novelty:known.smi")
    assert score(["CCO", "CCC", "I am here", "I was here"]).tolist() == [0, 1, 0, 1]
    assert (score.name, score.scope) == ("novelty:known.smi", "string")


def test_novelty_needs_a_file_that_holds_something(tmp_path: Path):
    empty = tmp_path / "empty.smi"
    empty.touch()
    with pytest.raises(UsageError, match=r"empty\.smi is empty; novelty needs"):
        find_score(f"novelty:{empty}")
    with pytest.raises(UsageError, match=r"none\.smi is no file"):
        find_score("novelty:none.smi")
    with pytest.raises(UsageError, match="needs an argument: novelty:FILE"):
        find_score("novelty")
