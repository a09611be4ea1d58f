import gzip
import importlib.util
import pickle
from pathlib import Path

import pytest
from rdkit import Chem

from freerun.scores.contributed import contributed, plain_pickle
from freerun.scores.natural import np_likeness
from freerun.scores.synthesis import _fragment_scores

MOLECULES = [
    "CCO",
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(=O)OC1CCC2(C)C3CCC4(C)C(CCC4=O)C3CC=C2C1",  # a steroid
    "O=C(Nc1ccc(F)cc1)N1CCN(S(=O)(=O)c2ccccc2)CC1",
    "OCC1OC(O)C(O)C(O)C1O",
    "[He]",
]


@pytest.mark.parametrize("read", [plain_pickle, _fragment_scores])
def test_a_table_that_names_code_is_refused(read, tmp_path: Path):
    path = tmp_path / "table.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps([print])))
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print is not allowed"):
        read(path)


@pytest.mark.slow
def test_natural_product_likeness_equals_the_contributed_code():
    spec = importlib.util.spec_from_file_location("npscorer", contributed("NP_Score", "npscorer.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = plain_pickle(contributed("NP_Score", "publicnp.model.gz"))
    for smiles in MOLECULES:
        mol = Chem.MolFromSmiles(smiles)
        assert np_likeness(mol) == pytest.approx(module.scoreMol(mol, table), abs=1e-12)


def test_a_sugar_is_more_natural_than_a_sulfonamide():
    steroid, drug, sugar = (np_likeness(Chem.MolFromSmiles(MOLECULES[i])) for i in (2, 3, 4))
    assert sugar > 1.5
    assert steroid > 1.5
    assert drug < -1


def test_beyond_four_the_score_grows_as_the_logarithm(monkeypatch):
    from freerun.scores import natural

    methane = Chem.MolFromSmiles("C")  # one fragment, one atom: the table's entry is the score
    (fragment,) = natural._generator().GetSparseCountFingerprint(methane).GetNonzeroElements()
    for entry, score in [(3.9, 3.9), (13.0, 5.0), (-13.0, -5.0), (-4.0, -4.0)]:
        monkeypatch.setattr(natural, "_contributions", lambda entry=entry: {fragment: entry})
        assert np_likeness(methane) == pytest.approx(score)
