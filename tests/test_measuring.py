"""The mean of a score over samples: of the valid ones alone, whichever way they are written; better as it is paid."""

import math

import pytest

from freerun.measuring import Measuring, paid_scores
from freerun.objectives.settings import ObjectiveSettings
from freerun.representations.smiles import Smiles
from freerun.scores import find_score


def test_a_mean_is_that_of_the_valid_strings():
    measuring = Measuring(4, "moses", "zinc250k", ("qed", "length"), "cpu", None)
    found = measuring.means(["OCC", "C(", "c1ccccc1", ""], Smiles())
    ethanol, benzene = find_score("qed")(["CCO", "c1ccccc1"])
    assert found == {"qed": pytest.approx((ethanol + benzene) / 2), "length": (3 + 8) / 2}
    assert math.isnan(measuring.means(["C(", "("], Smiles())["qed"])


def test_what_is_better_follows_the_shape():
    first = ObjectiveSettings(
        scores=("weight:2", "logp", "sa", "qed", "length"),
        shapes={
            "weight": {"shape": "clip", "worst": 200.0, "best": 500.0},  # the score itself says that less is better
            "logp": {"shape": "window", "low": 2.0, "high": 3.0},
            "length": {"shape": "step", "at": 9.0},
        },
    )
    second = ObjectiveSettings(scores=("qed",), shapes={"qed": {"shape": "sigmoid", "middle": 0.5, "width": 0.1}})
    third = ObjectiveSettings(scores=("sa",), shapes={"sa": {"shape": "clip", "worst": 1.0, "best": 9.0}})
    directions = {name: direction for name, (_, direction) in paid_scores([first, second])[0].items()}
    assert directions == {"weight": 1, "logp": 0, "sa": -1, "qed": 1, "length": -1}
    assert paid_scores([first, third])[0]["sa"][1] == 0  # they disagree


def test_what_depends_on_other_strings_and_code_is_not_asked(tmp_path):
    program = tmp_path / "mine.py"
    program.write_text("def score(strings):\n    return [0.5 for _ in strings]\n")
    settings = ObjectiveSettings(scores=("qed", "novelty", "diversity", f"{program}:score", "command:cat"))
    found, code = paid_scores([settings])
    assert list(found) == ["qed"]
    assert code == [f"{program}:score", "command:cat"]
