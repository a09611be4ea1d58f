import numpy as np
import pytest

from freerun.metrics.molecules import Molecules, concat, describe
from freerun.metrics.tanimoto import count_bits

LINES = ["OCC", "", "C1CC", "Cc1ccc(NC(=O)c2ccccc2)cc1", "CCO", "\udc80"]


@pytest.fixture(scope="module")
def rows() -> Molecules:
    return describe(LINES)


def test_every_sample_has_a_row_and_invalid_ones_are_empty(rows: Molecules):
    assert rows.valid.tolist() == [True, False, False, True, True, False]
    assert [text for text in rows.canonical if text] == ["CCO", "Cc1ccc(NC(=O)c2ccccc2)cc1", "CCO"]
    assert not rows.passes[~rows.valid].any()
    assert not rows.fingerprints[~rows.valid].any()
    assert all(np.isnan(values).tolist() == (~rows.valid).tolist() for values in rows.properties.values())
    assert len(rows.of_valid()) == 3


def test_fragments_are_cut_at_brics_bonds(rows: Molecules):
    counts = rows.fragment_counts()
    assert counts["CCO"] == 2
    assert counts["[16*]c1ccccc1"] == 1


def test_scaffolds_have_two_rings_or_more(rows: Molecules):
    assert dict(rows.scaffold_counts()) == {"O=C(Nc1ccccc1)c1ccccc1": 1}


def test_fingerprints_have_the_bits_of_rdkit(rows: Molecules):
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    expected = generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(LINES[3]))
    assert np.unpackbits(rows.fingerprints[3].view(np.uint8), bitorder="little").tolist() == expected.tolist()
    assert count_bits(rows.fingerprints)[3] == expected.sum()


@pytest.mark.parametrize("lines", [LINES, [], [""], ["CCO"]], ids=["some", "none", "an empty one", "one"])
def test_bytes_bring_everything_back(lines: list[str]):
    rows = describe(lines)
    back = Molecules.from_bytes(rows.to_bytes())
    assert back.canonical == rows.canonical
    assert back.fragments == rows.fragments
    assert back.scaffolds == rows.scaffolds
    assert (back.fingerprints == rows.fingerprints).all()
    assert (back.valid == rows.valid).all()
    assert (back.passes == rows.passes).all()
    for name, values in rows.properties.items():
        assert np.array_equal(back.properties[name], values, equal_nan=True)


def test_taking_rows_and_joining_them(rows: Molecules):
    taken = concat([rows.take(np.array([3, 0])), rows.take(np.array([3]))])
    assert taken.canonical == [rows.canonical[3], rows.canonical[0], rows.canonical[3]]
    assert taken.properties["QED"].tolist() == rows.properties["QED"][[3, 0, 3]].tolist()
