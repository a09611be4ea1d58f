"""The training loop on a small text: resume to the bit, early stop, logs, checkpoints that are damaged."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from freerun import api
from freerun.errors import FreerunError, Interrupted, UsageError
from freerun.methods.base import Cycle, Phase, unrolled
from freerun.methods.reinforce import Reinforce
from freerun.observation import N_OBSERVED
from freerun.run import Progress
from freerun.run_folder import RunFolder, load_weights
from freerun.samples import Wanted, draw
from freerun.trained import Trained, read_config

SETTINGS = [
    "representation.name=text",
    "model.d_hidden=12",
    "model.d_embedding=6",
    "model.dropout_output=0.2",
    "method.n_epochs=0.0",
    "method.n_steps=30",
    "method.batch_size=8",
    "run.validate_every=7",
    "run.log_every=4",
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("".join(f"{a}{b}{c}\n" for a in "abcd" for b in "xy" for c in ("", "pq", "rst", "uvwz")) * 3)
    return path


def train(corpus: Path, out: Path, *more: str, watch=lambda _: None, **options) -> api.Run:
    return api.train(corpus=corpus, out=out, overrides=[*SETTINGS, *more], watch=watch, **options)


def contents(folder: Path) -> dict[str, bytes]:
    """What an uninterrupted run and a resumed one must have in common: weights and log, byte for byte."""
    return {name: (folder / name).read_bytes() for name in ("log.jsonl", "model.safetensors", "last.safetensors")}


def test_the_same_seed_writes_the_same_bytes(corpus, tmp_path):
    train(corpus, tmp_path / "a")
    train(corpus, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    train(corpus, tmp_path / "c", seed=1)
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


@pytest.mark.parametrize(
    ("stop_at", "name"), [(1, signal.SIGINT), (9, signal.SIGTERM), (14, signal.SIGINT), (29, signal.SIGINT)]
)
def test_interrupted_and_resumed_equals_uninterrupted(corpus, tmp_path, stop_at, name):
    train(corpus, tmp_path / "whole")

    def interrupt(progress: Progress) -> None:
        if progress.step == stop_at:
            os.kill(os.getpid(), name)

    with pytest.raises(Interrupted, match="freerun resume"):
        train(corpus, tmp_path / "half", watch=interrupt)
    api.resume(tmp_path / "half")
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")


def test_what_is_observed_is_what_sampling_writes(corpus, tmp_path):
    """With codes of other numbers than those that draw the tokens."""
    observe = ["run.observe=['uniqueness']", "run.observe_every=30", "run.log_every=1000"]
    run = train(corpus, tmp_path / "run", "method.name=categorical_vae", "method.n_variables=1", *observe, seed=3)
    lines = map(json.loads, run.folder.log.read_text().splitlines())
    (seen,) = [line["observed_uniqueness"] for line in lines if "observed_uniqueness" in line]
    trained = Trained.load(run.folder, last=True)
    strings = [sample.string for piece in draw(trained, Wanted(N_OBSERVED, 3)) for sample in piece]
    assert seen == len(set(strings)) / N_OBSERVED


KILLED = """
import os, signal, sys
from freerun import api
def watch(progress):
    if progress.step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
api.train(corpus=sys.argv[1], out=sys.argv[2], overrides=sys.argv[4:], watch=watch)
"""


def test_killed_without_warning_and_resumed_equals_uninterrupted(corpus, tmp_path):
    train(corpus, tmp_path / "whole")
    arguments = [str(corpus), str(tmp_path / "killed"), "23", *SETTINGS, "run.checkpoint_seconds=0.0"]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    api.resume(tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_killed_before_the_first_checkpoint_starts_over_to_the_same_end(corpus, tmp_path):
    train(corpus, tmp_path / "whole")
    arguments = [str(corpus), str(tmp_path / "killed"), "5", *SETTINGS]
    subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert not (tmp_path / "killed" / "state.pt").exists()
    api.resume(tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_the_log_holds_no_clock_and_every_number_is_documented(corpus, tmp_path):
    run = train(corpus, tmp_path / "a")
    known = {"step", "phase", "nll_per_token", "grad_norm", "lr"}
    known |= {"valid_nll_per_token", "valid_perplexity", "valid_bits_per_char"}
    assert {key for record in run.folder.records() for key in record} == known


def test_validation_is_the_likelihood_of_the_held_out_strings(corpus, tmp_path):
    run = train(corpus, tmp_path / "a")
    trained = Trained.load(run.folder, last=True)
    from freerun.prepare import reopen
    from freerun.sampling.likelihood import log_prob

    prepared = reopen(run.folder, lambda _: None)
    assert prepared.valid is not None
    total = n = characters = 0
    for text in prepared.valid.strings():
        ids = torch.tensor([[*trained.representation.encode(text), 2]])
        with torch.no_grad():
            total -= float(log_prob(trained.generator, ids, trained.constraint, budget=trained.budget).sum())
        n, characters = n + ids.shape[1], characters + len(text)
    last = [record for record in run.folder.records() if "valid_nll_per_token" in record][-1]
    assert last["valid_nll_per_token"] == pytest.approx(total / n, rel=1e-5)
    assert last["valid_bits_per_char"] == pytest.approx(total / characters / 0.6931471805599453, rel=1e-5)


def test_the_best_weights_are_kept_and_patience_ends_the_run(corpus, tmp_path):
    run = train(corpus, tmp_path / "a", "run.patience=1", "method.descent.lr=0.3", "method.n_steps=400")
    scores = [r["valid_nll_per_token"] for r in run.folder.records() if "valid_nll_per_token" in r]
    assert len(scores) < 400 // 7
    assert scores[-1] > min(scores)
    assert run.folder.read_facts()["ended"] == "stopped early"


def test_a_time_limit_marks_the_run_as_not_replayable(corpus, tmp_path):
    run = train(corpus, tmp_path / "a", "run.max_minutes=1e-9")
    facts = run.folder.read_facts()
    assert (facts["status"], facts["replayable"]) == ("finished", False)


def test_fine_tuning_appends_tokens_and_watches_both_corpora(corpus, tmp_path):
    first = train(corpus, tmp_path / "first")
    other = tmp_path / "other.txt"
    other.write_text("axX\nbyY\nayX\nbxY\n" * 10)
    said: list[str] = []
    second = train(other, tmp_path / "second", init=first.path, notify=said.append)
    old, new = Trained.load(first.folder), Trained.load(second.folder)
    assert new.representation.vocab[: len(old.representation.vocab)] == old.representation.vocab
    assert set(new.representation.vocab) - set(old.representation.vocab) == {"X", "Y"}
    assert any("2 tokens" in line and "X" in line and "Y" in line for line in said)
    record = next(r for r in second.folder.records() if "valid_nll_per_token" in r)
    assert "valid_init_nll_per_token" in record


def test_fine_tuning_starts_from_the_weights_that_are_lent(corpus, tmp_path):
    first = train(corpus, tmp_path / "first")
    said: list[str] = []
    settings = ("method.n_steps=1", "method.descent.lr=1e-12", "model.d_hidden=99")
    second = train(corpus, tmp_path / "second", *settings, init=first.path, notify=said.append)
    assert f"the network is that of {first.path}: [model] d_hidden = 12" in said
    a, b = Trained.load(first.folder), Trained.load(second.folder)
    for x, y in zip(a.generator.parameters(), b.generator.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=1e-9)


def test_a_network_of_another_shape_than_the_lenders_starts_fresh_and_is_told_of(corpus, tmp_path):
    config = tmp_path / "adversarial.toml"
    config.write_text(ADVERSARIAL)

    def begun(name: str, *overrides: str, **options) -> tuple[api.Run, list[str]]:
        said: list[str] = []
        options = {"corpus": corpus, "out": tmp_path / name, "overrides": overrides, "notify": said.append, **options}
        return api.train(str(config), **options), said

    first, _ = begun("first")
    still = ("method.n_mle=0", "method.n_pretrain=0", "method.n_steps=1", "method.descent.lr=1e-12")
    _, said = begun("same", *still, init=first.path)
    assert not any("starts fresh" in line for line in said)
    other, said = begun("other", *still, "method.critic.d_embedding=6", init=first.path)
    assert f"the critic starts fresh: that of {first.path} is of another shape" in said
    ours, theirs = Trained.load(other.folder), Trained.load(first.folder)
    for x, y in zip(ours.generator.parameters(), theirs.generator.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "n_mle", "is_told"),
    [("seqgan", 0, True), ("seqgan", 4, False), ("professor_forcing", 0, False), ("teacher_forcing", None, False)],
)
def test_a_training_that_begins_with_random_weights_and_no_likelihood_is_told_of(
    corpus, tmp_path, name, n_mle, is_told
):
    config, said = tmp_path / "x.toml", []
    settings = "" if n_mle is None else f"n_mle = {n_mle}"
    config.write_text(
        f'[method]\nname = "{name}"\nn_steps = 1\n{settings}\n[model]\nd_hidden = 8\n[run]\nmax_steps = 1'
    )
    api.train(str(config), corpus=corpus, out=tmp_path / "run", notify=said.append)
    assert any("begins with random weights" in line for line in said) == is_told


def test_an_interrupted_run_lends_the_weights_that_it_has_come_to(corpus, tmp_path):
    """Not those of the best validation, with which the phase that is trained for its last weights began."""
    config = tmp_path / "adversarial.toml"
    config.write_text(ADVERSARIAL)
    with pytest.raises(Interrupted):
        api.train(str(config), corpus=corpus, out=tmp_path / "a", watch=interrupted_at(10))
    folder = RunFolder(tmp_path / "a")
    state = torch.load(folder.state, weights_only=True)["state"]["networks"]
    assert all(torch.equal(state[name], weight) for name, weight in load_weights(folder.best).items())


@pytest.mark.parametrize("as_option", [True, False])
def test_a_file_is_remembered_by_its_full_path_and_a_corpus_by_its_name(corpus, tmp_path, monkeypatch, as_option):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moses-mini").write_text("no corpus, though it bears the name of one\n")
    for name, expected in ((corpus.name, str(corpus.resolve())), ("moses-mini", "moses-mini")):
        settings = [*SETTINGS, "method.n_steps=1", "corpus.max_lines=40"]
        overrides = settings if as_option else [*settings, f"corpus.name={name}"]
        run = api.train(out=tmp_path / f"run-{name}", overrides=overrides, corpus=name if as_option else None)
        assert read_config(run.folder).corpus.name == expected


def test_a_folder_in_use_is_refused(corpus, tmp_path):
    run = train(corpus, tmp_path / "a")
    with run.folder.locked(), pytest.raises(FreerunError, match="in use by another process"):
        api.resume(run.path)


def test_a_run_is_not_overwritten(corpus, tmp_path):
    train(corpus, tmp_path / "a")
    with pytest.raises(UsageError, match="holds a run already"):
        train(corpus, tmp_path / "a")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: half(f.best), "damaged or no safetensors"),
        (lambda f: f.best.write_bytes(b"foreign"), "damaged or no safetensors"),
        (lambda f: f.best.unlink(), "has no weights yet"),
        (lambda f: f.facts.write_text("{"), "cannot be read"),
        (lambda f: f.facts.write_text('{"version": 99}'), "format 99"),
        (lambda f: f.config.write_text("[model]\nd_hidden = 13\n"), "does not fit config.toml"),
    ],
)
def test_a_damaged_run_is_one_clear_line(corpus, tmp_path, spoil, message):
    folder = train(corpus, tmp_path / "a").folder
    spoil(folder)
    with pytest.raises(FreerunError, match=message):
        Trained.load(folder)


def test_a_damaged_checkpoint_is_one_clear_line(corpus, tmp_path):
    folder = train(corpus, tmp_path / "a").folder
    folder.write_facts({**folder.read_facts(), "status": "running"})
    half(folder.state)
    with pytest.raises(FreerunError, match="damaged or not from this run"):
        api.resume(folder.path)


def test_a_full_disk_keeps_the_checkpoint_that_was_there(corpus, tmp_path, monkeypatch):
    folder = train(corpus, tmp_path / "a").folder
    before = folder.state.read_bytes()
    folder.write_facts({**folder.read_facts(), "status": "running"})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(FreerunError, match="No space left on device"):
        api.resume(folder.path)
    assert folder.state.read_bytes() == before
    assert not list(folder.path.glob("*.part"))


def test_a_changed_corpus_is_refused_on_resume(corpus, tmp_path):
    folder = train(corpus, tmp_path / "a").folder
    folder.write_facts({**folder.read_facts(), "status": "running"})
    corpus.write_text(corpus.read_text() + "abc\n")
    with pytest.raises(FreerunError, match="is not the corpus that"):
        api.resume(folder.path)


def test_tied_weights_and_gru_are_saved_and_loaded(corpus, tmp_path):
    run = train(corpus, tmp_path / "a", "model.tied=true", "model.cell=gru", "model.n_layers=2")
    assert len(run.sample(5)) == 5


def test_last_is_the_run_that_was_written_to_last(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no run"):
        RunFolder.found("last")
    train(corpus, Path("runs/one"))
    train(corpus, Path("runs/two"))
    assert RunFolder.found("last").path.name == "two"
    assert json.loads((tmp_path / "runs/one/run.json").read_text())["status"] == "finished"


def test_tensorboard_gets_what_the_log_gets(corpus, tmp_path):
    run = train(corpus, tmp_path / "a", "run.tensorboard=true")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    logged = [record["valid_nll_per_token"] for record in run.folder.records() if "valid_nll_per_token" in record]
    assert [event.value for event in events.Scalars("valid_nll_per_token")] == pytest.approx(logged, rel=1e-6)


def test_without_held_out_strings_the_last_weights_are_kept(tmp_path):
    (tmp_path / "one.txt").write_text("abc\n")
    with pytest.raises(UsageError, match="its few lines are held out; give more"):  # the split of this seed
        train(tmp_path / "one.txt", tmp_path / "a", "method.n_steps=5")
    run = train(tmp_path / "one.txt", tmp_path / "b", "method.n_steps=5", seed=5)
    assert (run.path / "model.safetensors").read_bytes() == (run.path / "last.safetensors").read_bytes()


def test_longer_sequences_are_left_out_where_a_length_is_set(corpus, tmp_path):
    run = train(corpus, tmp_path / "a", "run.max_length=3")
    assert run.folder.read_facts()["budget"] == 4
    assert all(sample.n_tokens <= 4 for sample in run.sample(50))


PAID = """
[representation]
name = "text"
[model]
d_hidden = 12
d_embedding = 6
[method]
name = "reinforce"
n_mle = 20
n_steps = 20
batch_size = 8
n_prefixes = 1
n_rollouts = 1
descent = {lr = 0.05}
[run]
validate_every = 7
log_every = 4
"""
ADVERSARIAL = """
[representation]
name = "text"
[model]
d_hidden = 12
d_embedding = 6
[method]
name = "seqgan"
n_mle = 4
n_steps = 3
batch_size = 8
n_pretrain = 3
n_critic = 2
n_fakes = 20
n_rollouts = 1
critic = {widths = [1, 2], filters = [4, 4]}
[run]
validate_every = 5
log_every = 2
"""
SCORE = """
def score(strings):
    with open({asked!r}, "a") as file:
        file.write("".join(string + "\\n" for string in strings))
    return [min(1.0, string.count("a") / 3) for string in strings]
"""


@pytest.fixture
def paid(corpus, tmp_path):
    """Trains by a score that writes down what it is asked, in a file of each run's own."""

    def train(name: str, *more: str, watch=lambda _: None) -> api.Run:
        program = tmp_path / f"{name}.py"
        config = tmp_path / "paid.toml"
        config.write_text(PAID)
        program.write_text(SCORE.format(asked=str(tmp_path / f"{name}.txt")))
        return api.train(
            str(config),
            corpus=corpus,
            out=tmp_path / name,
            overrides=more,
            objectives=[f"{program}:score"],
            watch=watch,
        )

    return train


def interrupted_at(step: int):
    def interrupt(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return interrupt


@pytest.mark.slow
def test_a_run_that_pays_is_resumed_to_the_same_end_and_pays_for_no_string_twice(paid, tmp_path):
    paid("whole")
    with pytest.raises(Interrupted):
        paid("half", watch=interrupted_at(29))
    api.resume(tmp_path / "half", allow_code=True)
    assert contents(tmp_path / "half") == contents(tmp_path / "whole")
    asked = [(tmp_path / f"{name}.txt").read_text().splitlines() for name in ("whole", "half")]
    assert asked[0] == asked[1]
    assert len(set(asked[1])) == len(asked[1])
    clocks = [(tmp_path / name / "timing.jsonl").read_text().splitlines() for name in ("whole", "half")]
    calls = [[json.loads(line)["calls"] for line in lines] for lines in clocks]
    assert calls[0] == calls[1]


@pytest.mark.slow
def test_a_run_that_pays_and_was_killed_far_past_its_checkpoint_pays_for_no_string_twice(paid, tmp_path):
    """What it had paid for since the checkpoint is asked again, and stands in scores.csv."""
    whole = paid("whole")
    with pytest.raises(Interrupted):
        paid("half", watch=interrupted_at(25))
    early = (tmp_path / "half" / "state.pt").read_bytes()

    with pytest.raises(Interrupted):
        api.resume(tmp_path / "half", allow_code=True, watch=interrupted_at(35))
    (tmp_path / "half" / "state.pt").write_bytes(early)
    seen: list[int] = []
    again = RunFolder(tmp_path / "half")
    api.resume(again.path, allow_code=True, watch=lambda progress: seen.append(progress.step))
    assert seen[0] == 26
    assert contents(again.path) == contents(whole.path)
    asked = (tmp_path / "half.txt").read_text().splitlines()
    assert asked == (tmp_path / "whole.txt").read_text().splitlines()
    assert len(set(asked)) == len(asked)


def test_strings_without_a_value_are_told_at_once_and_counted_at_the_end(corpus, tmp_path):
    program, config = tmp_path / "odd.py", tmp_path / "paid.toml"
    program.write_text("def score(strings):\n    return [1 / ('c' not in string) for string in strings]\n")
    config.write_text(PAID)
    told: list[str] = []
    out = tmp_path / "odd"
    run = api.train(str(config), corpus=corpus, out=out, objectives=[f"{program}:score"], notify=told.append)
    found = run.folder.read_facts()["unvalued"]["raised"]
    at_once, at_last = (line for line in told if "no value (raised)" in line)
    assert at_once == f"no value (raised) for {found['first']}; others of this kind are counted"
    assert at_last.startswith(f"{found['strings']} strings had no value (raised) and were paid 0, for example")
    assert "ZeroDivisionError" in found["first"]
    lines = [line.split(",") for line in (run.path / "scores.csv").read_text().splitlines()[1:]]
    assert sum(cells[4] == "" and "c" in cells[1] for cells in lines) == found["strings"]


def test_a_start_that_fails_leaves_the_folder_to_the_next(paid, corpus, tmp_path):
    config, program = str(tmp_path / "paid.toml"), tmp_path / "first.py"
    paid("first")
    with pytest.raises(FreerunError, match="nothing"):
        api.train(config, corpus=corpus, out=tmp_path / "x", objectives=[f"{program}:nothing"])
    again = api.train(config, corpus=corpus, out=tmp_path / "x", objectives=[f"{program}:score"])
    assert again.folder.read_facts()["status"] == "finished"


def test_a_run_that_fails_says_so_in_its_folder(paid, tmp_path):
    def full(progress: Progress) -> None:
        raise FreerunError("the disk is full")

    with pytest.raises(FreerunError, match="the disk is full"):
        paid("failed", watch=full)
    facts = RunFolder(tmp_path / "failed").read_facts()
    assert (facts["status"], facts["ended"]) == ("failed", "failed: the disk is full")
    assert api.resume(tmp_path / "failed", allow_code=True).folder.read_facts()["ended"] == "finished"


def test_what_to_do_after_an_interruption_is_what_will_be_let_through(paid):
    with pytest.raises(Interrupted, match=r"freerun resume \S+ --allow-code$"):
        paid("half", watch=interrupted_at(3))


def test_a_call_budget_ends_a_run_that_pays(paid):
    run = paid("short", "run.max_calls=30")
    assert run.folder.read_facts()["ended"] == "call budget"
    assert len((run.path / "scores.csv").read_text().splitlines()) - 1 >= 30


def test_the_phase_that_pays_begins_with_the_best_weights_of_the_one_before(paid, tmp_path, monkeypatch):
    """Maximum likelihood at a rate that spoils its weights: its best validation is not its last."""
    begun: list[dict] = []
    step = Reinforce.step

    def watched(self, state, batch, rng):
        if not begun:
            begun.append({name: value.clone() for name, value in state.networks.state_dict().items()})
        return step(self, state, batch, rng)

    monkeypatch.setattr(Reinforce, "step", watched)
    kept: list[dict] = []

    def watch(progress: Progress) -> None:
        if progress.step == 28:
            kept.append(load_weights(tmp_path / "spoilt" / "model.safetensors"))

    run = paid("spoilt", "method.n_mle=28", "method.mle_descent.lr=0.5", watch=watch)
    scores = [record["valid_nll_per_token"] for record in run.folder.records() if "valid_nll_per_token" in record]
    assert min(scores[:4]) < scores[3]
    assert all(torch.equal(begun[0][name], value) for name, value in kept[0].items())


def test_patience_ends_maximum_likelihood_and_not_what_follows(paid):
    run = paid("patient", "run.patience=1", "method.n_mle=400", "method.mle_descent.lr=0.5")
    steps = {phase: [r for r in run.folder.records() if r["phase"] == phase] for phase in ("mle", "reinforce")}
    assert steps["mle"][-1]["step"] < 400
    assert steps["reinforce"][-1]["step"] == steps["mle"][-1]["step"] + 20
    assert run.folder.read_facts()["ended"] == "finished"


def test_phases_of_a_cycle_follow_one_another_and_those_of_no_step_are_left_out():
    a, b, none = (Phase(name, n, lambda state, batch, rng: {}) for name, n in (("a", 2), ("b", 1), ("none", 0)))
    flat = unrolled((none, a, Cycle((b, Cycle((a, none), 2)), 2)))
    assert [phase.name for phase in flat] == ["a", "b", "a", "a", "b", "a", "a"]


@pytest.mark.slow
def test_an_adversarial_run_that_was_interrupted_in_any_phase_is_resumed_to_the_same_end(corpus, tmp_path):
    config = tmp_path / "adversarial.toml"
    config.write_text(ADVERSARIAL)

    def begin(name: str, watch=lambda _: None) -> api.Run:
        return api.train(str(config), corpus=corpus, out=tmp_path / name, watch=watch)

    whole = begin("whole")
    for step in (4, 6, 8, 10):
        with pytest.raises(Interrupted):
            begin(str(step), interrupted_at(step))
        api.resume(tmp_path / str(step))
        assert contents(tmp_path / str(step)) == contents(whole.path)
