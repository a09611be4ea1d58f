"""What is asked for and what is obtained, on a run that was trained for a second on words of known length."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest
import torch

from freerun import api, files, obedience
from freerun.asked import Written, led, written
from freerun.conditions import Conditions, Label, Number
from freerun.errors import UsageError
from freerun.obedience import Examiner, errors
from freerun.samples import Wanted, draw
from freerun.trained import Trained

SETTINGS = [
    "representation.name=text",
    "method.n_steps=200",
    "method.batch_size=64",
    "method.descent.lr=0.01",
    "model.d_hidden=32",
    "run.precision=float32",
]
N = 60


def run_on(folder, *overrides: str) -> Trained:
    """Words of a and b of two to seven letters; `size` is their number as a word, `mark` one that nothing tells."""
    words = [
        "".join(letters) for n in range(2, 8) for letters in itertools.islice(itertools.product("ab", repeat=n), 12)
    ]
    rows = [f"{word},{'few' if len(word) < 5 else 'many'},{len(word) % 3}" for word in words]
    (folder / "words.csv").write_text("\n".join(["word,size,mark", *(rows * 4)]) + "\n")
    run = api.train(corpus=folder / "words.csv", column="word", out=folder / "run", overrides=[*SETTINGS, *overrides])
    return Trained.load(run.folder, device="cpu")


def numbers_of(trained: Trained) -> list[Number]:
    return [part for part in trained.state.world.conditions.parts if isinstance(part, Number)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    conditions = 'method.condition=["length", "size", "mark"]'
    return run_on(tmp_path_factory.mktemp("obedience"), "method.name=teacher_forcing", conditions)


@pytest.fixture(scope="module")
def examiner(trained) -> Examiner:
    return Examiner(trained, N, 3, lambda strings: [string.startswith("a") for string in strings])


@pytest.fixture(scope="module")
def measured(trained) -> dict:
    return obedience.obedience(trained, N, seed=3)


def test_rows_that_are_asked_for_the_same_are_the_samples_of_that_wish(trained):
    for given in ({}, {"length": 3.0}, {"length": 6.0, "mark": 1.0}):
        samples = [sample for piece in draw(trained, Wanted(N, 3, given=given)) for sample in piece]
        found = written(trained, {name: np.full(N, value) for name, value in given.items()}, N, 3)
        assert found.strings == tuple(sample.raw for sample in samples if sample.valid)
        assert found.rows.tolist() == [row for row, sample in enumerate(samples) if sample.valid]


def test_each_row_is_asked_for_its_own_value(examiner):
    lengths = np.resize([2.0, 4.0, 7.0], N)
    mixed = examiner.written({"length": lengths})
    for value in (2.0, 4.0, 7.0):
        alone = examiner.written({"length": np.full(N, value)})
        chosen = lengths[mixed.rows] == value
        assert [text for text, is_chosen in zip(mixed.strings, chosen, strict=True) if is_chosen] == [
            text for text, row in zip(alone.strings, alone.rows, strict=True) if lengths[row] == value
        ]


def test_a_context_ends_with_what_its_sample_is_asked_for(tmp_path):
    latent = run_on(
        tmp_path, "method.name=vrae", "method.n_steps=2", "method.d_latent=5", 'method.condition=["length"]'
    )
    [number] = numbers_of(latent)
    index = torch.tensor([4, 0, 2])
    context = led(latent, {"length": np.array([2.0, 9.0, 3.0, 9.0, np.nan])}, index, 0)
    free = led(latent, {}, index, 0)
    assert context.shape == free.shape == (3, 7)
    assert torch.equal(context[:, :5], free[:, :5])
    expected = [[0, 0], [(2 - number.mean) / number.deviation, 1], [(3 - number.mean) / number.deviation, 1]]
    torch.testing.assert_close(context[:, 5:], torch.tensor(expected, dtype=torch.float32))
    assert not free[:, 5:].any()


def test_what_is_not_asked_for_is_as_the_method_has_it(tmp_path):
    """The semi-supervised method draws a class where none is asked for."""
    run = run_on(tmp_path, "method.name=semi_supervised", "method.n_steps=2", "method.d_latent=5", "method.label=size")
    index = torch.arange(40)
    own = led(run, {}, index, 0)
    assert own[:, 5:].sum(1).tolist() == [1] * 40
    assert 0 < own[:, 5].sum() < 40
    asked = led(run, {"size": np.array([1.0] * 20 + [math.nan] * 20)}, index, 0)
    assert asked[:20, 5:].tolist() == [[0, 1]] * 20
    assert torch.equal(asked[20:], own[20:])
    assert torch.equal(asked[:, :5], own[:, :5])


def test_a_number_that_is_asked_for_is_obtained(measured):
    """Samples that are asked for nothing miss the outer lengths by two letters and more; these by less than one."""
    [length, mark] = measured["numbers"]
    assert [entry["quantile"] for entry in length["asked"]] == [0.05, 0.5, 0.95]
    for entry in (length["asked"][0], length["asked"][-1]):
        assert entry["mae"] < 1 < 2 < entry["free_mae"]
        assert abs(entry["bias"]) <= entry["mae"]
        assert entry["lookup_mae"] < entry["free_mae"]
        assert len(entry["obtained"]) == round(entry["valid"] * N)
    assert len(length["corpus"]) == 216  # 60 words four times over, of which a tenth is held out
    [jointly, _] = measured["joint"]["numbers"]
    assert jointly["mae"] < jointly["free_mae"] / 2
    assert jointly["correlation"] > 0.8
    assert math.isnan(mark["asked"][0]["mae"])  # no score is called mark
    assert mark["asked"][0]["lookup_mae"] == 0


def test_a_class_that_no_score_tells_has_no_accuracy(measured):
    [size] = measured["labels"]
    assert {entry["value"] for entry in size["asked"]} == {"few", "many"}
    assert sum(entry["share"] for entry in size["asked"]) == pytest.approx(1)
    assert all(math.isnan(entry["accuracy"]) for entry in size["asked"])


def test_the_accuracy_of_a_class_is_the_share_of_strings_that_the_score_puts_there():
    """`length` as a label of three classes: of six words three are of the class 4, one is of none."""
    label = Label("length", ("2", "4", "7"), (1, 5, 2))

    values = np.array([2.0, 4.0, 4.0, 4.0, 3.0, 7.0, np.nan])
    assert [obedience.accuracy(label, place, values) for place in range(3)] == [1 / 6, 3 / 6, 1 / 6]
    assert obedience._common(label) == [1, 2, 0]
    assert math.isnan(obedience.accuracy(label, 0, np.full(3, np.nan)))


def test_the_joint_lookup_is_the_nearest_training_string_by_brute_force(trained, examiner, measured):
    train, held_out = obedience._values(trained)
    numbers = numbers_of(trained)
    scale = np.array([number.deviation for number in numbers])
    known = np.stack([train["length"], train["mark"]], 1)
    real = np.stack([held_out["length"], held_out["mark"]], 1)
    assert measured["joint"]["n_strings"] == len(real)
    distances = (((real[:, None] - known[None]) / scale) ** 2).sum(-1)
    assert distances.min(1).max() == 0  # each pair of values occurs in training
    assert [record["lookup_mae"] for record in measured["joint"]["numbers"]] == [0, 0]
    far = np.array([[2.4, 0.4], [6.6, 5.0]])
    columns = {"length": far[:, 0], "mark": far[:, 1]}
    nobody = Written(N, np.arange(0), ())
    record = obedience._jointly(examiner, numbers, nobody, train, columns, lambda: None)
    assert record is not None
    distances = (((far[:, None] - known[None]) / scale) ** 2).sum(-1)
    nearest = np.abs(known[distances.argmin(1)] - far).mean(0)
    np.testing.assert_allclose([each["lookup_mae"] for each in record["numbers"]], nearest, rtol=1e-6)


def test_quality_counts_valid_then_different_then_new(examiner):
    some = Written(10, np.arange(5), ("ab", "ba", "ba", "bb", "aa"))
    assert examiner.quality(some) == {"valid": 0.5, "unique": 0.8, "novelty": 0.5}
    nothing = examiner.quality(Written(10, np.arange(0), ()))
    assert nothing["valid"] == 0
    assert math.isnan(nothing["novelty"])


def test_errors_leave_out_what_has_no_value():
    assert errors(2.0, np.array([1.0, np.nan, 4.0])) == {"mae": 1.5, "bias": 0.5}
    assert errors(np.array([1.0, 5.0]), np.array([1.5, 4.0])) == {"mae": 0.75, "bias": -0.25}
    assert math.isnan(errors(1.0, np.array([np.nan]))["mae"])


def test_what_is_written_is_strict_json(measured, tmp_path):
    files.write_json(tmp_path / "conditions.json", measured)
    read = json.loads((tmp_path / "conditions.json").read_text())
    assert read["numbers"][1]["asked"][0]["mae"] is None
    assert read["free"]["valid"] == measured["free"]["valid"]


def test_the_same_seed_gives_the_same_file_and_progress_ends_at_its_total(trained, measured):
    told = []
    again = obedience.obedience(trained, N, seed=3, progress=lambda *step: told.append(step))
    assert json.dumps(again) == json.dumps(measured)
    assert told[-1] == ("conditions", 10, 10)


def test_a_run_without_conditions_is_refused(trained):
    world = dataclasses.replace(trained.state.world, conditions=Conditions())
    state = dataclasses.replace(trained.state, world=world)
    with pytest.raises(UsageError, match="was trained without conditions"):
        obedience.obedience(dataclasses.replace(trained, state=state))
