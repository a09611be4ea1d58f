"""SELFIES: the library's limits are refusals, its global table stays untouched."""

import random

import pytest
import selfies

from freerun.chemistry import canonical
from freerun.errors import InvalidSequence
from freerun.representations.selfies import Selfies


def test_molecules_become_the_library_s_tokens():
    assert Selfies().tokenize("C=CF") == ["[C]", "[=C]", "[F]"]
    assert Selfies().tokenize("C.[Na+]") == ["[C]", ".", "[Na+1]"]
    assert Selfies().normalise("c1ccccc1") == "C1=CC=CC=C1"


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("CCN(=O)=O", 2, "N has 5 bonds, SELFIES allow it 3"),
        ("c1ccccc1I(=O)=O", 8, "I has 5 bonds, SELFIES allow it 1"),
        ("FC1=CC=C([I]C2=CC=C(F)C=C2)C=C1", 9, r"\[IH0\] has 2 bonds, SELFIES allow it 1"),
        ("s1(nc(c2c1cccc2)NC)(=O)=O", 0, "kekulization failed"),
        ("C$C", 1, r"unrecognized symbol '\$'"),
        ("C*", 1, r"unrecognized symbol '\*'"),
        ("C[Og]", 1, "invalid atom symbol"),
        ("[CH3:1]C", 0, r"another molecule \('CC' instead of 'C\[CH3:1\]'\)"),
        ("CC(C)(C)(C)C", 1, "Explicit valence"),
        ("Cc1cccc1", 1, "Can't kekulize"),
        ("C11", 0, "RDKit reads no molecule"),
        ("[N+10]", 0, "SELFIES cannot say it"),
    ],
)
def test_what_selfies_cannot_keep_is_refused_with_position_and_reason(text: str, position: int, says: str):
    with pytest.raises(InvalidSequence, match=says) as caught:
        Selfies().tokenize(text)
    assert caught.value.position == position


def test_wider_constraints_take_hypervalent_atoms():
    wide = Selfies(constraints="hypervalent")
    assert canonical(wide.normalise("CCN(=O)=O")) == canonical("CCN(=O)=O")
    assert wide.detokenize(wide.tokenize("O=I(=O)c1ccccc1")) == "O=I(=O)C1=CC=CC=C1"


def test_the_library_s_table_is_what_it_was_before():
    before = selfies.get_semantic_constraints()
    Selfies(constraints="hypervalent").normalise("CCN(=O)=O")
    with pytest.raises(InvalidSequence):
        Selfies(constraints="hypervalent").normalise("CC$C")
    assert selfies.get_semantic_constraints() == before
    selfies.set_semantic_constraints("octet_rule")
    try:
        assert Selfies().normalise("CS(=O)(=O)C") == "CS(=O)(=O)C", "others' settings do not reach us"
        assert selfies.get_semantic_constraints() == selfies.get_preset_constraints("octet_rule")
    finally:
        selfies.set_semantic_constraints(before)


def test_any_tokens_decode_to_a_molecule():
    tokens = Selfies().tokenize("CC(C)(C)c1ccc2occ(CC(=O)Nc3ccccc3F)c2c1")
    rng = random.Random(0)
    for _ in range(200):
        text = Selfies().detokenize(["[C]", *rng.choices(tokens, k=20)])
        assert Selfies().is_valid(text), text
    assert Selfies().detokenize([]) == ""
