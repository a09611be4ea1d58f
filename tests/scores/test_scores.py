import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, RDConfig

from freerun.scores import SCORES
from freerun.scores.base import Score
from freerun.scores.molecules import MAX_CHARACTERS
from freerun.scores.synthesis import _fragment_scores, sa

NONSENSE = ["", " ", "C1CC", "c1ccccc", "\udc80", "x" * 100, "[Fe+99]", "C" * (MAX_CHARACTERS + 1), "*", "[H][H]"]
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_a_score_never_raises_and_stays_in_its_range(score: Score):
    values = score([*NONSENSE, ASPIRIN])
    assert values.dtype == np.float64
    assert values.shape == (len(NONSENSE) + 1,)
    finite = values[~np.isnan(values)]
    assert ((finite >= score.range[0]) & (finite <= score.range[1])).all()
    assert np.isfinite(values[-1])


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES)
def test_a_score_of_nothing_is_empty(score: Score):
    assert score([]).shape == (0,)


def test_weight_is_the_sum_of_atomic_weights():
    assert SCORES["weight"](["CCO"])[0] == pytest.approx(2 * 12.011 + 6 * 1.008 + 15.999, abs=1e-3)


def test_published_properties_of_aspirin():
    assert SCORES["logp"]([ASPIRIN])[0] == pytest.approx(1.3101, abs=1e-4)
    assert SCORES["qed"]([ASPIRIN])[0] == pytest.approx(0.5501, abs=1e-3)


def test_strings_that_are_no_molecules_have_no_value_and_the_worst_reward():
    values = SCORES["sa"](["CCO", "C1CC"])
    assert np.isnan(values).tolist() == [False, True]
    rewards, failed = SCORES["sa"].rewards(["CCO", "C1CC"])
    assert rewards.tolist() == [values[0], SCORES["sa"].worst]
    assert failed == 1


def test_validity_knows_molecules_from_the_rest():
    assert SCORES["validity"](["CCO", "", "C1CC", "CO(C)C"]).tolist() == [1, 0, 0, 0]


def test_synthetic_accessibility_equals_the_formula_with_the_fragment_table():
    from rdkit.Chem import rdFingerprintGenerator

    table = _fragment_scores(Path(RDConfig.RDContribDir) / "SA_Score" / "fpscores.pkl.gz")
    mol = Chem.MolFromSmiles("CCO")
    fingerprint = rdFingerprintGenerator.GetMorganGenerator(radius=2).GetSparseCountFingerprint(mol)
    counts = fingerprint.GetNonzeroElements()
    score = sum(table.get(key, -4) * count for key, count in counts.items()) / sum(counts.values()) - (3**1.005 - 3)
    assert sa(mol) == pytest.approx(11 - (score + 5) / 6.5 * 9)


def test_a_fragment_table_that_names_code_is_refused(tmp_path: Path):
    path = tmp_path / "fpscores.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps([print])))
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print is not allowed"):
        _fragment_scores(path)
