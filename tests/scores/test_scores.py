import math
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, RDConfig
from rdkit.Chem import rdFingerprintGenerator

from freerun.errors import FreerunError, UsageError
from freerun.scores import SCORES, find_computed, find_score, split_weight
from freerun.scores.base import Score
from freerun.scores.contributed import contributed
from freerun.scores.families import FAMILIES
from freerun.scores.molecules import MAX_CHARACTERS, descriptors, logp, plogp
from freerun.scores.synthesis import _fragment_scores, sa

NONSENSE = [
    *["", " ", "C1CC", "c1ccccc", "\udc80", "é", "日本", "x" * 10_000, "[Fe+99]", "C" * (MAX_CHARACTERS + 1), "C\0C"],
    *["*", "[H][H]", "[He]", "[Na+].[Cl-]", "CCO.CC", "(" * 10_000, "-" * 10_000, "1/0", "C\nC"],
]
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
ALL = [*SCORES, "similarity:CCO", "smarts:[OX2]", "expression", "expression:sin(x)", "rdkit:BertzCT"]


@pytest.mark.parametrize("spec", ALL)
def test_a_score_never_raises_and_stays_in_its_range(spec: str):
    score = find_score(spec)
    text = "x+1" if score.domain == "formula" else ASPIRIN
    values = score([*NONSENSE, text])
    assert values.dtype == np.float64
    assert values.shape == (len(NONSENSE) + 1,)
    finite = values[~np.isnan(values)]
    assert ((finite >= score.range[0]) & (finite <= score.range[1])).all()
    assert np.isfinite(values[-1])
    assert math.isfinite(score.worst)


@pytest.mark.parametrize("spec", ALL)
def test_a_score_of_nothing_is_empty(spec: str):
    assert find_score(spec)([]).shape == (0,)


@pytest.mark.parametrize("spec", [spec for spec in ALL if find_score(spec).domain == "molecule"])
def test_what_is_no_molecule_has_no_value(spec: str):
    assert np.isnan(find_score(spec)(["", "C1CC", "é", "x" * 10_000, "CO(C)C"])).all()


@pytest.mark.parametrize("spec", ALL)
def test_the_worst_is_no_better_than_any_value_of_a_molecule(spec: str):
    score = find_score(spec)
    values = score([ASPIRIN, "CCO", "C1CCCCCCC1", "x", "x*x*x"])
    values = values[~np.isnan(values)]
    assert ((values >= score.worst) if score.direction == "higher" else (values <= score.worst)).all()


def test_weight_is_the_sum_of_atomic_weights():
    assert SCORES["weight"](["CCO"])[0] == pytest.approx(2 * 12.011 + 6 * 1.008 + 15.999, abs=1e-3)


def test_published_properties_of_aspirin():
    assert SCORES["logp"]([ASPIRIN])[0] == pytest.approx(1.3101, abs=1e-4)
    assert SCORES["qed"]([ASPIRIN])[0] == pytest.approx(0.5501, abs=1e-3)
    assert SCORES["tpsa"]([ASPIRIN])[0] == pytest.approx(63.6, abs=0.01)  # Ertl et al. 2000


def test_counts_of_aspirin_are_those_of_its_drawing():
    counts = {"hbd": 1, "hba": 3, "rotatable_bonds": 2, "rings": 1, "fsp3": 1 / 9, "length": len(ASPIRIN)}
    assert {name: SCORES[name]([ASPIRIN])[0] for name in counts} == pytest.approx(counts)


def test_fragments_of_a_salt_count_together():
    assert SCORES["rings"](["c1ccccc1.C1CC1"])[0] == 2
    assert SCORES["weight"](["CCO.C"])[0] == pytest.approx(SCORES["weight"](["CCO", "C"]).sum())


@pytest.mark.parametrize(
    ("smiles", "published"),
    [
        ("ClC1=CC=C2C(C=C(C(C)=O)C(C(NC3=CC(NC(NC4=CC(C5=C(C)C=CC=C5)=CC=C4)=O)=CC=C3)=O)=C2)=C1", 5.30),
        ("ClC(C(Cl)=C1)=CC=C1NC2=CC=CC=C2C(NC(NC3=C(C(NC4=C(Cl)C=CC=C4)=S)C=CC=C3)=O)=O", 4.93),
        ("CC(NC1=CC(C2=CC=CC(NC(NC3=CC=CC(C4=CC(F)=CC=C4)=C3)=O)=C2)=CC=C1)=O", 4.49),
    ],
)
def test_penalised_logp_of_the_best_molecules_of_the_junction_tree_vae_is_as_published(smiles: str, published: float):
    assert SCORES["plogp"]([smiles])[0] == pytest.approx(published, abs=0.005)


def test_penalised_logp_of_cyclooctane_by_hand():
    # Crippen: 8 CH2 of 0.3901 each; SA at its floor of 1; a ring of 8 costs 2
    by_hand = (8 * 0.3901 - 2.45710) / 1.43432 + (3.05258 - 1.0) / 0.83352 + (0.04857 - 2) / 0.28602
    assert SCORES["plogp"](["C1CCCCCCC1"])[0] == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize("smiles", ["CCO", "C1CCCCC1", "c1ccc2ccccc2c1", "C1CC1"])
def test_rings_of_six_or_fewer_atoms_cost_nothing(smiles: str):
    mol = Chem.MolFromSmiles(smiles)
    rest = plogp(mol) - (logp(mol) - 2.45710) / 1.43432 - (3.05258 - sa(mol)) / 0.83352
    assert rest == pytest.approx(0.04857 / 0.28602)


def test_strings_that_are_no_molecules_have_no_value_and_the_worst_reward():
    values = SCORES["sa"](["CCO", "C1CC"])
    assert np.isnan(values).tolist() == [False, True]
    rewards, failed = SCORES["sa"].rewards(["CCO", "C1CC"])
    assert rewards.tolist() == [values[0], SCORES["sa"].worst]
    assert failed == 1


def test_an_infinite_value_is_worth_the_worst_too():
    score = Score("wild", "", "higher", (0.0, 1.0), -1.0, lambda strings: np.array([np.inf, 0.5, -np.inf, np.nan]))
    rewards, failed = score.rewards(["a", "b", "c", "d"])
    assert rewards.tolist() == [-1.0, 0.5, -1.0, -1.0]
    assert failed == 3


def test_validity_knows_molecules_from_the_rest():
    assert SCORES["validity"](["CCO", "", "C1CC", "CO(C)C"]).tolist() == [1, 0, 0, 0]


def test_synthetic_accessibility_equals_the_formula_with_the_fragment_table():
    table = _fragment_scores(Path(RDConfig.RDContribDir) / "SA_Score" / "fpscores.pkl.gz")
    mol = Chem.MolFromSmiles("CCO")
    fingerprint = rdFingerprintGenerator.GetMorganGenerator(radius=2).GetSparseCountFingerprint(mol)
    counts = fingerprint.GetNonzeroElements()
    score = sum(table.get(key, -4) * count for key, count in counts.items()) / sum(counts.values()) - (3**1.005 - 3)
    assert sa(mol) == pytest.approx(11 - (score + 5) / 6.5 * 9)


def test_similarity_is_the_share_of_common_bits():
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    a, b = (set(generator.GetFingerprint(Chem.MolFromSmiles(smiles)).GetOnBits()) for smiles in (ASPIRIN, "CCOC(C)=O"))
    values = find_score(f"similarity:{ASPIRIN}")([ASPIRIN, "OC(=O)c1ccccc1OC(C)=O", "CCOC(C)=O"])
    assert values == pytest.approx([1.0, 1.0, len(a & b) / len(a | b)])


def test_a_pattern_occurs_or_not():
    score = find_score("smarts:[#6;!a]-[OX2H]")  # an alcohol
    assert np.array_equal(score(["CCO", "OCC(O)CO", "Oc1ccccc1", "COC", "x"]), [1, 1, 0, 0, np.nan], equal_nan=True)


def test_a_pattern_may_hold_colons():
    assert find_score("smarts:c:n:c")(["c1ccncc1", "c1ccccc1"]).tolist() == [1, 0]


def test_any_descriptor_of_rdkit_has_a_score():
    assert find_score("rdkit:HeavyAtomCount")([ASPIRIN, "C"]).tolist() == [13, 1]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(descriptors()))
def test_no_descriptor_raises_on_odd_molecules(name: str):
    odd = ["*", "[H][H]", "[Fe+99]", "[Na+].[Cl-]", "[He]", "C" * 40, "N#N", "F[P-](F)(F)(F)(F)F", "C[Pt](C)(Cl)Cl", ""]
    assert find_score(f"rdkit:{name}")(odd).shape == (len(odd),)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("qedd", "score 'qedd' is not known, did you mean 'qed'"),
        ("QED", "did you mean 'qed'"),
        ("similarty:CCO", "did you mean 'similarity'"),
        ("", "score '' is not known; there are validity, qed"),
        ("qed:3", "takes no argument, and '3' was given"),
        ("similarity", "needs an argument: similarity:SMILES"),
        ("similarity:", "needs an argument: similarity:SMILES"),
        ("similarity:C1CC", "similarity needs the SMILES of a molecule, and 'C1CC' is none"),
        ("smarts:(", r"smarts needs a SMARTS pattern, and '\(' is none"),
        ("smarts:é", "smarts needs a SMARTS pattern"),
        ("rdkit:tpsa", "no descriptor 'tpsa', did you mean 'TPSA'"),
        ("expression:x+", "the target is no formula: the end where a number"),
        ("expression:log(x)", r"the target 'log\(x\)' has no finite value at x = -10"),
    ],
)
def test_a_spec_that_is_wrong_says_what_would_be_right(spec: str, message: str):
    with pytest.raises(UsageError, match=message):
        find_score(spec)


@pytest.mark.parametrize("spec", ALL)
def test_a_score_is_named_as_it_was_asked_for(spec: str):
    assert find_score(spec).name == spec


def test_the_keys_are_the_names():
    assert {key: score.name for key, score in SCORES.items()} == {key: key for key in SCORES}
    assert {key: family.name for key, family in FAMILIES.items()} == {key: key for key in FAMILIES}
    assert not set(SCORES) & set(FAMILIES)


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("qed", ("qed", 1.0)),
        ("qed:0.5", ("qed", 0.5)),
        ("qed:-2", ("qed", -2.0)),
        ("qed:1e-3", ("qed", 1e-3)),
        ("qed:nan", ("qed:nan", 1.0)),
        ("similarity:CCO", ("similarity:CCO", 1.0)),
        ("similarity:CCO:2", ("similarity:CCO", 2.0)),
        ("similarity:C1:C:C:C:C:C:1:1", ("similarity:C1:C:C:C:C:C:1", 1.0)),
        ("expression:3", ("expression", 3.0)),
        ("expression:3:1", ("expression:3", 1.0)),
        ("smarts:c:n:c", ("smarts:c:n:c", 1.0)),
    ],
)
def test_a_number_after_the_last_colon_is_a_weight(spec: str, parts: tuple[str, float]):
    assert split_weight(spec) == parts


def test_a_missing_table_of_rdkit_is_one_clear_error():
    with pytest.raises(FreerunError, match=r"RDKit's NP_Score has no .*none\.gz; install the `rdkit` package with pip"):
        contributed("NP_Score", "none.gz")


def test_a_score_that_starts_a_program_is_no_column_of_a_table():
    assert find_computed("similarity:CCO").name == "similarity:CCO"
    with pytest.raises(UsageError, match=r"command:true would start a program: only `freerun train --objective` does"):
        find_computed("command:true")
