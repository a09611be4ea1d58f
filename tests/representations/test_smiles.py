"""SMILES as written and in Kekule form."""

import numpy as np
import pytest

from freerun.chemistry import canonical, rdkit
from freerun.errors import InvalidSequence
from freerun.representations.molecules import atom_position
from freerun.representations.smiles import Smiles


def test_as_written_a_smiles_is_only_stripped():
    assert Smiles().normalise(" OCC\r\n") == "OCC"
    assert Smiles().normalise("C(C)(C)(C)(C)C") == "C(C)(C)(C)(C)C", "its chemistry is not looked at"


def test_the_kekule_form_has_no_aromatic_symbol_and_the_same_molecule():
    kekule = Smiles(kekule=True)
    for text in ("c1ccccc1", "c1ccc2[nH]ccc2c1", "C[C@H](N)c1c[se]c2ccccc12", "[O-][n+]1ccccc1", "C1:C:C:C:C:C:1"):
        normal = kekule.normalise(text)
        assert not set("bcnops:") & set(normal.replace("se", "").replace("Se", ""))
        assert canonical(normal) == canonical(text)


def test_a_smiles_in_kekule_form_stays_as_it_is():
    for text in ("OCC", "C1=CC=CC=C1", "[Sc+3]", "[Cs]Cl", "O=C1C=CC(=O)C=C1"):
        assert Smiles(kekule=True).normalise(text) == text


def test_a_random_writing_keeps_the_kekule_form():
    rng = np.random.default_rng(0)
    kekule = Smiles(kekule=True)
    for _ in range(20):
        text = kekule.augment("CC(=O)Oc1ccccc1C(=O)O", rng)
        assert kekule.normalise(text) == text
        assert canonical(text) == "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("CCc1cccc1", 2, "Can't kekulize"),
        ("c1ccccc1[NH]C(C)(C)(C)C", 12, "Explicit valence for atom # 7 C, 5"),
        ("c1ccccc1C22", 0, "ring bond"),
    ],
)
def test_what_rdkit_cannot_read_has_no_kekule_form(text: str, position: int, says: str):
    with pytest.raises(InvalidSequence, match=says) as caught:
        Smiles(kekule=True).tokenize(text)
    assert caught.value.position == position


def test_atoms_are_counted_in_the_order_of_writing():
    text = "[13CH3]C(Cl)%10c1*cc1[nH]%10"
    atoms = rdkit().MolFromSmiles(text, sanitize=False).GetAtoms()
    for atom in atoms:
        written = text[atom_position(text, atom.GetIdx()) :].lstrip("[13")
        assert written.lower().startswith(atom.GetSymbol().lower())


def test_the_version_of_rdkit_matters_where_rdkit_writes():
    assert "rdkit" not in Smiles().code_version
    assert "rdkit" in Smiles(kekule=True).code_version
