"""Drawings, and the reason why there is none."""

import pytest

from freerun.report.molecules import MAX_CHARACTERS, drawing, why_invalid


def test_a_molecule_is_a_small_drawing_with_its_measures():
    aspirin = drawing("CC(=O)Oc1ccccc1C(=O)O")
    assert aspirin.svg is not None
    assert aspirin.svg.startswith("<svg viewBox=")
    assert len(aspirin.svg) < 6000
    assert aspirin.note == "logP 1.3 \u00b7 QED 0.55"
    assert 'class="O"' in aspirin.svg
    assert aspirin.svg.count("<path") <= 6


@pytest.mark.parametrize("smiles", ["C", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "[2H]O", "C*", "[CH3:7]C", "[U]", "C" * 120])
def test_odd_molecules_are_drawn(smiles):
    svg = drawing(smiles).svg
    assert svg is not None
    assert 'd="M' in svg


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("", "empty string"),
        ("  ", "empty string"),
        ("CC(C", "branch left open"),
        ("CC)C", "branch closed that was never opened"),
        ("c1ccccc", "ring 1 left open"),
        ("C%12CC", "ring 12 left open"),
        ("CC[N", "bracket left open"),
        ("CN(C)(C)(C)C", "N with 5 bonds (atom 2)"),
        ("c1cccc1", "aromatic ring that has no alternating bonds"),
        ("<script>", "'<' is no character of SMILES"),
        ("C==CC", "a symbol out of place"),
        ("CXC", "a symbol out of place"),
    ],
)
def test_what_is_no_molecule_gives_its_reason(smiles, reason):
    assert why_invalid(smiles) == reason
    assert drawing(smiles).svg is None
    assert drawing(smiles).note == reason


@pytest.mark.parametrize("text", ["\ud800", "C\x00C", "C" * (MAX_CHARACTERS + 1), "C" * 1000, "c1" * 400])
def test_no_string_raises(text):
    assert drawing(text).svg is None
