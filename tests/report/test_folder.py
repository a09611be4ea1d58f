"""Reading run folders: what is there is read, what is not is said."""

import json

import pytest

from freerun.report.folder import MADE_BY, N_SHOWN, read_run


def test_everything_of_a_finished_run_is_read(molecules_run):
    run = read_run(molecules_run)
    assert run.missing == {}
    assert run.name == "molecules"
    assert run.config["model"]["d_hidden"] == 512
    assert len(run.samples.first) == N_SHOWN
    assert run.samples.n == 620
    assert run.samples.n_valid == 480
    assert len(run.temperatures) == 4


@pytest.mark.parametrize("name", sorted(MADE_BY))
def test_each_file_may_be_missing_and_its_command_is_named(fake_run, name):
    folder = fake_run()
    (folder / name).unlink()
    run = read_run(folder)
    assert list(run.missing) == [name]
    assert run.missing[name].startswith(f"{name} is not there yet; this makes it: freerun ")
    assert run.missing[name].endswith(str(folder))


def test_a_line_that_is_still_being_written_is_left_out(fake_run):
    folder = fake_run()
    before = read_run(folder).log
    with open(folder / "log.jsonl", "a") as file:
        file.write('{"step": 4000, "nll_per')
    after = read_run(folder)
    assert after.log == before
    assert "log.jsonl" not in after.missing


def test_a_line_that_is_damaged_in_the_middle_is_reported(fake_run):
    folder = fake_run()
    path = folder / "log.jsonl"
    path.write_text("{broken\n" + path.read_text())
    assert "log.jsonl cannot be read" in read_run(folder).missing["log.jsonl"]


def test_a_very_long_cell_is_reported_not_fatal(fake_run):
    folder = fake_run()
    (folder / "samples.csv").write_text("string,raw,valid\n" + "C" * 200_000 + ",C,True\n")
    assert "samples.csv cannot be read" in read_run(folder).missing["samples.csv"]


def test_deep_nesting_is_reported_not_fatal(fake_run):
    folder = fake_run()
    (folder / "measures.json").write_text("[" * 100_000)
    assert "measures.json cannot be read" in read_run(folder).missing["measures.json"]


def test_null_stands_for_a_number_that_was_not_finite(fake_run):
    folder = fake_run()
    (folder / "measures.json").write_text(json.dumps({"ours": {"FCD/Test": None}}))
    assert read_run(folder).measures["ours"]["FCD/Test"] is None
