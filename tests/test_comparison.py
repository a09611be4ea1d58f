"""A comparison of tiny networks: equal means, the same starts, nothing done twice, and what follows a kill."""

import csv
import json
import math
import os
import signal
from pathlib import Path

import pytest
import safetensors.torch

from freerun import measuring
from freerun.comparison import Plan, compare
from freerun.contenders import contenders
from freerun.errors import FreerunError, Interrupted, UsageError
from freerun.examination import Examination
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.run import Progress, Training
from freerun.run_folder import RunFolder
from freerun.standings import Comparison

SETTINGS = [
    "representation.name=text",
    "representation.unit=character",
    "model.cell=gru",
    "model.d_hidden=8",
    "model.d_embedding=4",
    "method.batch_size=16",
    "method.n_steps=6",
    "run.log_every=4",
]
CONFIGS = ["quickstart", "quickstart@method.descent.lr=3e-2", "vrae_quickstart@method.d_latent=3,method.d_encoder=6"]
CONTENTS = ("log.jsonl", "model.safetensors", "last.safetensors", "samples.csv")


def write_corpus(path: Path) -> Path:
    path.write_text("".join(f"{a} {b}{c}\n" for a in "abcd" for b in "xy" for c in ("", "p q", "rst", "uv z")) * 3)
    return path


def plan(corpus: Path, *configs: str, more: tuple[str, ...] = (), n_seeds: int = 2, **options) -> Plan:
    chosen = contenders(configs or CONFIGS, [*SETTINGS, *more], corpus=str(corpus))
    return Plan(chosen, n_seeds=n_seeds, n=20, **options)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("comparison") / "words.txt")


@pytest.fixture(scope="module")
def compared(corpus) -> Comparison:
    """Three contenders, two seeds; not to be changed."""
    return compare(plan(corpus), corpus.parent / "whole")


def run_of(compared: Comparison, label: str, seed: int) -> RunFolder:
    return RunFolder(compared.path / f"{label}-seed{seed}")


def test_every_contender_has_a_run_a_seed_with_equal_means(compared):
    labels = ["quickstart", "quickstart@lr=3e-2", "vrae_quickstart@d_latent=3,d_encoder=6"]
    assert [standing.label for standing in compared.standings] == labels
    for standing in compared.standings:
        assert [run.seed for run in standing.runs] == [0, 1]
        assert {run.costs["steps"] for run in standing.runs} == {6}
        assert {run.ended for run in standing.runs} == {"finished"}
        assert standing.costs["calls"].mean == 0
    assert (compared.budget, compared.suite) == (6.0, "text")
    tokens = [[run.costs["tokens"] for run in standing.runs] for standing in compared.standings]
    assert tokens[0] == tokens[1]


def test_the_same_seed_starts_from_the_same_weights_and_another_from_others(corpus, tmp_path):
    still = plan(corpus, *CONFIGS[:2], more=("method.descent.lr=0.0",), budget=1.0)
    still = compare(Plan(still.contenders, n_seeds=2, n=2), tmp_path / "out")
    networks = [
        safetensors.torch.load_file(run_of(still, label, seed).last)
        for label, seed in (("quickstart", 0), ("quickstart", 1))
    ]
    assert any((networks[0][name] != networks[1][name]).any() for name in networks[0])
    moved = safetensors.torch.load_file(run_of(still, "quickstart@lr=3e-2", 0).last)
    # one step of Adam moves every weight by at most its rate
    assert all((moved[name] - networks[0][name]).abs().max() <= 0.0301 for name in moved)
    assert any((moved[name] != networks[1][name]).any() for name in moved)


def test_the_likelihood_and_the_measures_are_those_of_the_runs(compared):
    first, _, vrae = compared.standings
    for run in first.runs:
        folder = run_of(compared, "quickstart", run.seed)
        logged = [record["valid_nll_per_token"] for record in folder.records() if "valid_nll_per_token" in record]
        assert run.values["valid_nll_per_token"] == min(logged)
        kept = json.loads((folder.path / "measures.json").read_text())
        assert kept["sampling"]["seed"] == run.seed
        assert run.values["BLEU-2"] == kept["ours"]["BLEU-2"]
    assert "valid_neg_elbo_per_token" in vrae.measures
    assert "valid_nll_per_token" not in vrae.differences
    values = [run.values["valid_nll_per_token"] for run in first.runs]
    assert first.measures["valid_nll_per_token"].mean == pytest.approx(sum(values) / 2)


def test_differences_are_paired_by_seed(compared):
    first, second, _ = compared.standings
    pairs = zip(second.runs, first.runs, strict=True)
    differences = [a.values["valid_nll_per_token"] - b.values["valid_nll_per_token"] for a, b in pairs]
    found = second.differences["valid_nll_per_token"]
    assert found.mean == pytest.approx(sum(differences) / 2)
    assert (found.low, found.high) == pytest.approx((min(differences), max(differences)))


def test_what_is_written_is_what_is_returned_and_finite(compared):
    text = (compared.path / "comparison.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    written = json.loads(text)
    assert written["budget"] == 6
    mean = written["standings"][1]["measures"]["novelty"]["mean"]
    assert mean == compared.standings[1].measures["novelty"].mean
    assert [path.name for path in compared.path.glob(".?*")] == [".lock"]


def test_what_is_finished_is_not_done_again(compared, corpus, monkeypatch):
    def fail(*_: object) -> None:
        raise AssertionError("done twice")

    monkeypatch.setattr(Training, "go", fail)
    monkeypatch.setattr(measuring, "draw", fail)
    again = compare(plan(corpus), compared.path)
    assert repr(again) == repr(compared)  # NaN is not equal to itself


def test_seeds_can_be_added(corpus, tmp_path):
    compare(plan(corpus, "quickstart", n_seeds=1), tmp_path / "out")
    told: list[str] = []
    steps: list[Progress] = []
    more = compare(plan(corpus, "quickstart", n_seeds=2), tmp_path / "out", notify=told.append, watch=steps.append)
    assert len(more.standings[0].runs) == 2
    assert len(steps) == 6
    assert "run 2 of 2: quickstart, seed 1" in told


@pytest.mark.parametrize(("stop_at", "name"), [(3, signal.SIGINT), (9, signal.SIGTERM)])
def test_interrupted_and_begun_again_it_ends_as_if_nothing_had_been(compared, corpus, tmp_path, stop_at, name):
    steps: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        steps.append(progress)
        if len(steps) == stop_at:
            os.kill(os.getpid(), name)

    one_seed = plan(corpus, *CONFIGS[::2], n_seeds=1)
    with pytest.raises(
        Interrupted, match=r"seed0 interrupted at step 3 of 6, everything is saved; go on with the same"
    ):
        compare(one_seed, tmp_path / "half", watch=interrupt)
    resumed: list[Progress] = []
    whole = compare(one_seed, tmp_path / "half", watch=resumed.append)
    assert len(steps) + len(resumed) == 2 * 6
    for standing, there in zip(whole.standings, compared.standings[::2], strict=True):
        (run,) = standing.runs
        assert repr(run.values) == repr(there.runs[0].values)
        for file in CONTENTS:
            assert (whole.path / run.folder / file).read_bytes() == (compared.path / run.folder / file).read_bytes()


def test_a_run_that_fails_does_not_end_the_others(corpus, tmp_path, monkeypatch):
    step = TeacherForcing.step

    def failing(self, state, batch, rng):
        if self.descent.lr == 3e-2:
            raise FloatingPointError("the gradient is not finite")
        return step(self, state, batch, rng)

    monkeypatch.setattr(TeacherForcing, "step", failing)
    found = compare(plan(corpus, *CONFIGS[:2], n_seeds=1), tmp_path / "out")
    assert found.standings[1].runs[0].ended == "failed: the gradient is not finite"
    assert found.standings[1].measures == {}
    assert found.standings[0].measures["novelty"].n == 1
    assert any("left out" in remark for remark in found.remarks)


def test_the_truth_that_samples_are_measured_against_was_not_trained_on(compared):
    examination = Examination(run_of(compared, "quickstart", 1), 20, 1)
    held_out = [line for line, _ in examination.yardstick.corpus.strings(examination.yardstick.test)]
    trained_on = [line for line, _ in examination.prepared.corpus.strings("train")]
    assert held_out
    assert not set(held_out) & set(trained_on)


def test_equal_tokens_end_runs_of_any_batch_size_at_the_same_token(corpus, tmp_path):
    configs = ("quickstart", "quickstart@method.batch_size=5")
    found = compare(plan(corpus, *configs, n_seeds=1, equal="tokens", budget=900.0), tmp_path / "out")
    tokens = [standing.costs["tokens"].mean for standing in found.standings]
    assert all(900 <= used < 900 + 16 * 7 for used in tokens)  # a batch at most too many
    steps = [standing.costs["steps"].mean for standing in found.standings]
    assert steps[1] > 2 * steps[0]


def test_without_a_budget_all_use_what_the_first_plans(corpus, tmp_path):
    configs = ("quickstart@method.n_steps=4", "quickstart@method.n_steps=9")
    found = compare(plan(corpus, *configs, n_seeds=1), tmp_path / "out")
    assert [standing.costs["steps"].mean for standing in found.standings] == [4, 4]


def test_a_corpus_smaller_than_a_batch_is_one_batch(tmp_path):
    (tmp_path / "few.txt").write_text("ab\nba\nabc\n")
    found = compare(plan(tmp_path / "few.txt", "quickstart", n_seeds=1), tmp_path / "out")
    assert found.standings[0].costs["steps"].mean == 6
    assert found.standings[0].measures["novelty"].n == 1


def test_another_comparison_in_the_same_folder_is_refused(compared, corpus, tmp_path):
    other = plan(corpus, more=("method.batch_size=8",))
    with pytest.raises(UsageError, match=r"holds another comparison: .*batch_size is 16 there and 8 here"):
        compare(other, compared.path)
    with pytest.raises(UsageError, match=r"budget is 6.0 there and 7.0 here"):
        compare(plan(corpus, budget=7.0), compared.path)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no comparison"):
        compare(plan(corpus), tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        compare(plan(corpus), tmp_path / "thesis.txt")


def test_a_result_that_cannot_be_read_is_one_line_with_the_remedy(corpus, tmp_path):
    (tmp_path / "comparison.json").write_text('{"plan": ')
    with pytest.raises(FreerunError, match="delete it, the runs beside it are kept"):
        compare(plan(corpus, "quickstart"), tmp_path)


def test_molecules_are_not_compared_with_text(tmp_path):
    (tmp_path / "m.smi").write_text("CCO\nCCN\nCCC\nCCCl\n" * 5)
    chosen = contenders(["quickstart", "text_quickstart"], ["model.d_hidden=8"], corpus=str(tmp_path / "m.smi"))
    with pytest.raises(UsageError, match="text_quickstart reads the strings as text and quickstart as molecules"):
        compare(Plan(chosen), tmp_path / "out")


def test_nothing_is_trained_where_one_contender_cannot_be(corpus, tmp_path):
    steps: list[Progress] = []
    both = plan(corpus, "quickstart", 'quickstart@run.device="tpu9"')
    with pytest.raises(UsageError, match=r"^quickstart@device=_tpu9_: device 'tpu9' is not available here"):
        compare(both, tmp_path / "out", watch=steps.append)
    assert not steps


def test_what_some_are_paid_for_is_measured_of_everybody(corpus, tmp_path, monkeypatch):
    program = tmp_path / "mine.py"
    program.write_text("def score(strings):\n    return [0.5 for _ in strings]\n")
    paid = ["length:2", "text_diversity", f"{program}:score"]
    configs = ["quickstart", "quickstart@method.name=reinforce"]
    chosen = contenders(configs, SETTINGS, corpus=str(corpus), objectives=paid)
    found = compare(Plan(chosen, n_seeds=1, n=20), tmp_path / "out")
    assert found.paid == {"mean length": ("mean over valid samples: number of characters of the string", -1)}
    for run in (run for standing in found.standings for run in standing.runs):
        with (found.path / run.folder / "samples.csv").open(newline="") as file:
            lengths = [len(row["string"]) for row in csv.DictReader(file)]
        assert run.values["mean length"] == pytest.approx(sum(lengths) / len(lengths))
    assert "mean length" in found.standings[1].differences
    assert any("mine.py:score: code, asked in training alone" in remark for remark in found.remarks)
    # what another command has measured alike is kept, and only what is missing is added
    folder = RunFolder(found.path / "quickstart-seed0")
    measures = json.loads((folder.path / "measures.json").read_text())
    del measures["paid"]
    (folder.path / "measures.json").write_text(json.dumps({**measures, "corpus": {"kept": 1.0}}))
    monkeypatch.setattr(measuring, "suite_named", lambda _: pytest.fail("measured twice"))
    again = compare(Plan(chosen, n_seeds=1, n=20), tmp_path / "out")
    assert repr(again) == repr(found)
    assert json.loads((folder.path / "measures.json").read_text())["corpus"] == {"kept": 1.0}


def test_ratings_that_have_changed_are_measured_again(corpus, tmp_path):
    path = tmp_path / "people.csv"

    def rated(lowest: int) -> None:
        strings = [f"{a} {b}{c}" for a in "abcd" for b in "xy" for c in ("rst", "uv z")]
        path.write_text("string,rating\n" + "".join(f"{each},{lowest + n}\n" for n, each in enumerate(strings)))

    configs = ["quickstart", "quickstart@method.name=reinforce"]
    rated(1)
    chosen = contenders(configs, SETTINGS, corpus=str(corpus), objectives=[f"ratings:{path}"])
    first = compare(Plan(chosen, n_seeds=1, n=20), tmp_path / "out")
    rated(6)
    second = compare(Plan(chosen, n_seeds=1, n=20), tmp_path / "out")
    before, after = (found.standings[0].runs[0].values[f"mean ratings:{path}"] for found in (first, second))
    assert 1 <= before <= 16
    assert after == pytest.approx(before + 5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"equal": "epochs"}, "there are steps, tokens, calls, time"),
        ({"equal": "calls"}, "needs --budget N, in objective calls"),
        ({"equal": "time"}, "needs --budget N, in minutes"),
        ({"budget": -1.0}, "--budget -1 must be positive"),
        ({"budget": math.nan}, "must be positive"),
        ({"n_seeds": 0}, "--seeds 0 must be at least 1"),
        ({"n": 0}, "-n 0 must be at least 1"),
        ({"suite": "mozes"}, "suite 'mozes' is not known"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options, expected):
    with pytest.raises(UsageError, match=expected):
        Plan(contenders(["quickstart"]), **options)
