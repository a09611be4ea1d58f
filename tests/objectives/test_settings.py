import dataclasses
from pathlib import Path

import numpy as np
import pytest
from counted import plain

from freerun.chemistry import canonical
from freerun.errors import FreerunError, UsageError
from freerun.objectives.settings import ObjectiveSettings, default_shape
from freerun.objectives.shapes import Clip, Identity
from freerun.scores import SCORES, find_score

MOLECULES = [
    "CCO",
    "c1ccccc1",
    "CC(=O)Oc1ccccc1C(=O)O",
    "CCN(CC)CC",
    "C1CC",
    "CCCCCCCC",
    "OCC(O)CO",
    "c1ccncc1",
    "CCCl",
]


def chemical(string: str) -> tuple[str, bool]:
    smiles = canonical(string)
    return smiles or string, smiles is not None


def test_default_shapes_are_published_or_the_range():
    shapes = {name: default_shape(score) for name, score in SCORES.items()}
    assert shapes["qed"] == shapes["validity"] == shapes["diversity"] == Identity()
    assert (shapes["logp"], shapes["sa"]) == (Clip(-2.12, 6.04), Clip(5.0, 1.5))
    assert (shapes["np_likeness"], shapes["alerts"]) == (Clip(-5.0, 5.0), Clip(502.0, 0.0))
    assert shapes["plogp"] is shapes["weight"] is shapes["length"] is None
    assert default_shape(find_score("expression")) == Clip(np.log(1001), 0.0)


@pytest.mark.parametrize(("name", "shape"), [(name, default_shape(score)) for name, score in SCORES.items()])
def test_a_default_shape_follows_the_direction_of_its_score(name: str, shape):
    if shape is not None:
        low, high = shape(np.array([1.0, 1.001] if name == "sa" else [0.0, 1.0]))
        assert (high >= low) == (SCORES[name].direction == "higher") or high == low


def test_the_objective_of_a_table_is_the_mean_of_shaped_scores():
    settings = ObjectiveSettings(("qed:3", "sa"), shapes={"sa": {"shape": "clip", "worst": 10.0, "best": 1.0}})
    with settings.build(None, chemical) as objective:
        totals = objective(MOLECULES)
    qed, sa = SCORES["qed"](MOLECULES), SCORES["sa"](MOLECULES)
    expected = np.nan_to_num((3 * qed + (10 - sa) / 9) / 4, nan=0.0)
    assert totals == pytest.approx(expected, abs=1e-9)
    assert totals[MOLECULES.index("C1CC")] == 0


def test_what_has_no_range_is_fitted_to_the_corpus_and_the_table_says_so():
    settings = ObjectiveSettings(
        ("qed", "weight", "logp", "plogp", "novelty"), shapes={"plogp": {"shape": "step", "at": 2}}
    )
    fitted = settings.fitted(MOLECULES)
    values = SCORES["weight"](MOLECULES)
    low, high = np.percentile(values[np.isfinite(values)], [1, 99])
    assert fitted.shapes == {
        "plogp": {"shape": "step", "at": 2},
        "weight": {"shape": "clip", "worst": high, "best": low},
    }
    assert settings.shapes == {"plogp": {"shape": "step", "at": 2}}
    assert fitted.fitted(["CCO"]) == fitted
    assert fitted.build(None, chemical, known={"CCO"})(["CCO"])[0] < 1


def test_what_has_no_range_and_no_shape_is_refused_with_the_remedy():
    with pytest.raises(UsageError, match=r'weight may be any number; .* \[objective\.shapes\."weight"\]'):
        ObjectiveSettings(("weight",)).build(None, chemical)


@pytest.mark.parametrize("strings", [[], ["C1CC"], ["CCO", "OCC"]])
def test_strings_that_tell_no_range_are_refused(strings):
    with pytest.raises(UsageError, match=r"weight tells \d strings of the corpus not apart"):
        ObjectiveSettings(("weight",)).fitted(strings)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seconds": 0.0}, "seconds = 0 leaves no time"),
        ({"seconds": float("nan")}, "seconds = nan leaves no time"),
        ({"batch": 0}, "batch = 0 must be at least 1"),
        ({"n_workers": 0}, "n_workers = 0 must be at least 1"),
        ({"scores": ("qed:2",), "shapes": {"qedd": {}}}, "'qedd' is none of the scores, did you mean 'qed'"),
    ],
)
def test_a_wrong_table_is_refused(fields, message: str):
    with pytest.raises(UsageError) as raised:
        ObjectiveSettings(**fields)
    assert message in str(raised.value)


def test_a_wrong_shape_and_weights_in_turns_are_told():
    with pytest.raises(UsageError, match=r'\[objective\.shapes\."qed"\]: clip needs worst, best'):
        ObjectiveSettings(("qed",), shapes={"qed": {"shape": "clip"}}).build(None, chemical)
    with pytest.raises(UsageError, match="weights say nothing"):
        ObjectiveSettings(("qed", "sa:2"), combine="turns").build(None, chemical)


def test_a_table_names_its_scores_without_loading_them():
    ObjectiveSettings(("gone.py:score", "command:./gone", "ratings:gone.csv"))


@pytest.mark.parametrize(
    ("content", "message"),
    [("import none_such", "No module named"), ("def score(s:", "SyntaxError"), ("x = 1", "no attribute 'score'")],
)
def test_what_is_wrong_with_a_function_is_told_before_the_training(program, content: str, message: str):
    Path("mine.py").write_text(content)
    with pytest.raises(FreerunError, match=message):
        ObjectiveSettings((program,)).build(None, plain)


@pytest.mark.slow
def test_a_function_that_fails_in_every_way_costs_0_and_is_told_by_kind(program, tmp_path):
    settings = ObjectiveSettings((program,), seconds=0.5)
    strings = ["ab", "raise", "nan", "inf", "text", "many", "die", "hang", "abc"]
    with settings.build(tmp_path / "scores.csv", plain) as objective:
        assert objective(strings) == pytest.approx([0.2, 0, 0, 0, 0, 0, 0, 0, 0.3])
    assert objective.failures == {
        "raised": 2,
        "wrong answer": 1,
        "no value": 1,
        "infinite": 1,
        "died": 1,
        "too slow": 1,
    }
    assert objective.examples["too slow"] == "'hang': no answer within 0.5 s"
    with settings.build(tmp_path / "scores.csv", plain) as again:
        assert again(strings) == pytest.approx([0.2, 0, 0, 0, 0, 0, 0, 0, 0.3])
    assert again.n_paid == 0


@pytest.mark.slow
def test_a_function_that_answers_beyond_1_needs_a_shape(program):
    settings = ObjectiveSettings((program,))
    with settings.build(None, plain) as objective, pytest.raises(UsageError, match=r"mine\.py:score answered 1\.1"):
        objective(["x" * 11])
    shaped = dataclasses.replace(settings, shapes={program: {"shape": "clip", "worst": 0, "best": 2}})
    with shaped.build(None, plain) as objective:
        assert objective(["x" * 11]) == pytest.approx([0.55])


def test_several_processes_pay_the_same_and_write_all_of_it(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, time\n"
        "def score(strings):\n"
        "    time.sleep(0.01 * (len(strings[0]) % 3))\n"
        "    if strings[0] == 'CCCl':\n"
        "        os._exit(1)\n"
        "    return [len(strings[0]) / 50]\n"
        "def other(strings):\n"
        "    time.sleep(0.01 * (len(strings[0]) % 2))\n"
        "    return [1 / len(strings[0])]\n"
    )
    scores = tuple(f"{tmp_path / 'mine.py'}:{name}" for name in ("score", "other"))
    told = []
    for n_workers in (1, 3):
        path = tmp_path / f"scores-{n_workers}.csv"
        with ObjectiveSettings(scores, n_workers=n_workers).build(path, chemical) as objective:
            totals = objective(MOLECULES)
            written = sorted(line.split(",")[2:5] for line in path.read_text().splitlines()[1:])
            told.append((totals.tolist(), objective.failures, objective.examples, objective.n_paid, written))
    assert told[0] == told[1]
    assert told[0][1] == {"died": 1}
    assert len(told[0][4]) == len(MOLECULES)
