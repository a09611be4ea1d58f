"""Likeness of strings against sets counted one by one, and against RDKit."""

import numpy as np
import pytest

from freerun.chemistry import rdkit
from freerun.scores.families import similarity
from freerun.scores.likeness import Likeness, bits_of, n_grams_of

MOLECULES = ["CCO", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1", "CN1CCCC1c1cccnc1", "C"]
TEXTS = ["", "a", "abc", "a red house", "a red mouse", "nothing of the kind", "aaaaaaaa"]


def test_of_molecules_it_is_the_similarity_of_rdkit():
    likeness = Likeness(MOLECULES, bits_of)([*MOLECULES, "CCN"])
    expected = np.stack([similarity(smiles)([*MOLECULES, "CCN"]) for smiles in MOLECULES], axis=1)
    np.testing.assert_allclose(likeness, expected, rtol=0, atol=1e-12)


def test_of_texts_it_is_the_share_of_common_n_grams():
    likeness = Likeness(TEXTS[3:], n_grams_of)(TEXTS)
    for row, first in enumerate(TEXTS):
        for column, second in enumerate(TEXTS[3:]):
            a, b = n_grams_of(first), n_grams_of(second)
            assert likeness[row, column] == pytest.approx(len(a & b) / len(a | b))


def test_ends_count_and_no_string_is_without_n_grams():
    assert n_grams_of("ab") == {"\x02\x02a", "\x02ab", "ab\x03", "b\x03\x03"}
    assert all(map(n_grams_of, TEXTS))
    assert Likeness(["a"], n_grams_of)(["a", "b"]).tolist() == [[1.0], [0.0]]


def test_what_is_no_molecule_has_no_bits():
    with pytest.raises(ValueError, match="no molecule"):
        bits_of("C1CC")
    assert rdkit().MolFromSmiles("C1CC") is None
