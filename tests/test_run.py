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
from freerun.run import Progress
from freerun.run_folder import RunFolder
from freerun.trained import Trained

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
    second = train(corpus, tmp_path / "second", "method.n_steps=1", "method.descent.lr=1e-12", init=first.path)
    a, b = Trained.load(first.folder), Trained.load(second.folder)
    for x, y in zip(a.generator.parameters(), b.generator.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=1e-9)


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
