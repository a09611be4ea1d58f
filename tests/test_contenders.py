"""What a comparison makes equal, and what it leaves as it is."""

import dataclasses

import pytest

from freerun.contenders import Contender, Look, contenders
from freerun.errors import UsageError
from freerun.methods import METHODS
from freerun.methods.base import Phase
from freerun.methods.teacher_forcing import TeacherForcing


def labels(*configs: str) -> list[str]:
    return [each.label for each in contenders(configs)]


def test_labels_are_stems_and_settings_and_never_the_same(tmp_path):
    path = tmp_path / "Quickstart.toml"
    path.write_text('[method]\nname = "teacher_forcing"\n')
    assert labels("quickstart", "vrae_quickstart") == ["quickstart", "vrae_quickstart"]
    assert labels("quickstart", "quickstart", str(path)) == ["quickstart", "quickstart-2", "Quickstart-3"]
    assert labels("quickstart@method.descent.lr=1e-2,method.batch_size=16") == ["quickstart@lr=1e-2,batch_size=16"]
    (odd,) = labels('quickstart@corpus.name="../../etc/x y"')
    assert not set(odd) & set('/\\ "')


def test_settings_behind_a_name_are_its_own_and_win_over_those_of_all():
    first, second = contenders(
        ["quickstart", 'quickstart@method.batch_size=7,corpus.columns=["a","b"]'], ["method.batch_size=5"]
    )
    assert first.resolved().method.batch_size == 5
    assert second.resolved().method.batch_size == 7
    assert second.resolved().corpus.columns == ("a", "b")


def test_a_file_with_an_at_sign_is_a_file(tmp_path):
    path = tmp_path / "a@method.n_steps=3.toml"
    path.write_text("[method]\nn_steps = 9\n")
    (found,) = contenders([str(path)])
    assert found.tables["method"]["n_steps"] == 9


def test_all_are_given_the_strings_and_the_network_of_the_first():
    settings = ["model.d_hidden=33"]
    first, second = contenders(["text_quickstart@run.n_validate=77", "aae_quickstart"], settings)
    one, two = first.resolved(), second.resolved()
    assert one.model == two.model
    assert (two.corpus.name, two.run.n_validate) == ("coco", 77)
    assert (one.corpus.by_length, two.corpus.by_length) == (True, False)
    assert two.method != one.method
    own = contenders(["text_quickstart", "aae_quickstart"], own_networks=True)[1].resolved()
    assert (own.model.cell, own.model.d_hidden) == ("gru", 256)
    assert own.corpus.name == "coco"


def test_a_corpus_a_column_and_a_device_are_for_all():
    for each in contenders(["quickstart", "vrae_quickstart"], corpus="x.csv", column="c", device="cpu"):
        config = each.resolved()
        assert (config.corpus.name, config.corpus.column, config.run.device) == ("x.csv", "c", "cpu")


@pytest.mark.parametrize(
    ("configs", "overrides", "expected"),
    [
        ([], [], "at least one config"),
        (["quikstart"], [], "did you mean 'quickstart'"),
        (["none.toml"], [], "none.toml"),
        (["quickstart", "vrae_quickstart"], ["method.d_latent=3"], "quickstart: method.d_latent is not known"),
        (["quickstart@run.seeds=3"], [], "did you mean 'seed'"),
        (["quickstart@run.init=nowhere"], [], "nowhere is no run folder"),
    ],
)
def test_what_cannot_be_compared_is_told_with_its_name(configs, overrides, expected):
    with pytest.raises(UsageError, match=expected):
        contenders(configs, overrides)


def write_paid(folder, scores: str) -> str:
    path = folder / "paid.toml"
    path.write_text(f'[method]\nname = "reinforce"\n[objective]\nscores = [{scores}]\n')
    return str(path)


def test_those_that_take_an_objective_are_paid_alike(tmp_path):
    paid = write_paid(tmp_path, '"qed:2", "sa"')
    other = tmp_path / "other.toml"
    other.write_text('[method]\nname = "hill_climb"\n')
    found = [each.resolved().objective.scores for each in contenders(["quickstart", str(other), paid])]
    assert found == [(), ("qed:2", "sa"), ("qed:2", "sa")]
    found = [each.resolved().objective.scores for each in contenders(["quickstart", paid], objectives=["logp"])]
    assert found == [(), ("logp",)]
    found = [each.resolved().objective.seconds for each in contenders(["quickstart", paid], ["objective.seconds=5.0"])]
    assert found == [60.0, 5.0]


def test_code_that_a_config_names_runs_only_where_it_is_allowed(tmp_path):
    code = tmp_path / "mine.py"
    code.write_text("def long(string):\n    return float(len(string))\n")
    paid = write_paid(tmp_path, f'"{code}:long"')
    with pytest.raises(UsageError, match="say --allow-code"):
        contenders([paid])
    with pytest.raises(UsageError, match="say --allow-code"):
        contenders(["quickstart", paid])
    (allowed,) = contenders([paid], allow_code=True)
    assert allowed.resolved().objective.scores == (f"{code}:long",)


def limited(name: str, equal: str, budget: float, n_steps: int) -> dict:
    (found,) = contenders([name])
    tables = found.limited(equal, budget, n_steps).tables
    keys = ("max_steps", "max_tokens", "max_calls", "max_minutes")
    return {"n_steps": tables["method"].get("n_steps", 0)} | {
        k: v for k, v in tables.get("run", {}).items() if k in keys
    }


def test_the_budget_reaches_the_run_and_what_it_anneals_ends_with_it():
    assert limited("quickstart", "steps", 200.0, 200) == {"n_steps": 200}
    assert limited("vrae_quickstart", "steps", 200.0, 200) == {"n_steps": 200}
    assert limited("reinvent_qed", "steps", 200.0, 200)["n_steps"] == 200  # its phase of no step is none
    assert limited("quickstart", "tokens", 5000.0, 13) == {"n_steps": 13, "max_tokens": 5000}
    assert limited("quickstart", "calls", 100.0, 0) == {"n_steps": 0, "max_calls": 100}
    assert limited("quickstart", "time", 2.5, 0) == {"n_steps": 0, "max_minutes": 2.5}


@dataclasses.dataclass(frozen=True)
class TwoPhases(TeacherForcing):
    """A method whose `n_steps` are those of its second phase."""

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("before", 5, self.step), Phase("after", self.n_steps, self.step))


def test_a_method_of_several_phases_keeps_its_course_and_is_cut_off(monkeypatch):
    monkeypatch.setitem(METHODS, "two_phases", TwoPhases)
    course = Contender("two", {"method": {"name": "two_phases", "n_steps": 50}})
    cut = course.limited("steps", 20.0, 20)
    assert cut.tables["method"]["n_steps"] == 50
    assert cut.tables["run"]["max_steps"] == 20


def test_what_a_contender_plans_is_counted_in_steps_or_tokens():
    look = Look(is_chemical=False, vocab=("a",), n_steps=30, tokens_a_step=12.5)
    assert (look.planned("steps"), look.planned("tokens")) == (30.0, 375.0)
    assert [look.n_steps_of(equal, 100.0) for equal in ("steps", "tokens", "calls", "time")] == [100, 8, 0, 0]
