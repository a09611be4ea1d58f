"""The table of measures: columns, order, remarks, numbers."""

import json

import pytest

from freerun.report.folder import read_run
from freerun.report.measures import meaning_of, measures_table, number


def test_ours_stand_first_then_the_training_set_then_the_published(fake_run):
    table = measures_table([read_run(fake_run())])
    assert table is not None
    assert table.heads[:3] == ("this run", "training set", "CharRNN")
    assert table.kinds[:3] == ("ours", "corpus", "published")
    rows = {row.name: row for row in table.rows}
    assert rows["FCD/Test"].cells[0] == "0.4132"
    assert rows["FCD/Test"].cells[2] == "0.0732"
    assert rows["Frag/TestSF"].cells[0] == "\u2013"
    assert [row.name for row in table.rows][:3] == ["valid", "unique@1000", "unique@10000"]
    assert any("other references" in remark for remark in table.remarks)


def test_measures_against_the_published_references_may_be_compared(fake_run):
    folder = fake_run()
    values = json.loads((folder / "measures.json").read_text())
    (folder / "measures.json").write_text(json.dumps(values | {"against": "moses"}))
    table = measures_table([read_run(folder)])
    assert table is not None
    assert not any("other references" in remark for remark in table.remarks)


def test_the_best_of_several_runs_is_marked_by_the_direction_of_the_measure(fake_run):
    runs = [read_run(fake_run("a")), read_run(fake_run("b", seed=3))]
    table = measures_table(runs)
    assert table is not None
    best = {row.name: row.best for row in table.rows}
    assert best["valid"][:3] == (False, True, False)
    assert best["FCD/Test"][:3] == (True, False, False)
    assert table.heads[:3] == ("a", "b", "training set")


def test_text_runs_stand_beside_text_rows_only(fake_run):
    table = measures_table([read_run(fake_run(chemical=False))])
    assert table is not None
    assert "SeqGAN" in table.heads
    assert "CharRNN" not in table.heads


def test_a_numbered_measure_is_explained_with_its_number():
    assert meaning_of("unique@10000") == ("different ones, of the first 10,000 valid", 1)
    assert meaning_of("self-BLEU-3")[1] == -1
    assert meaning_of("IntDiv2")[0]
    assert meaning_of("surprise") == ("", 0)


@pytest.mark.parametrize(
    ("value", "cell"),
    [(0.95131, "0.9513"), (24.4661, "24.47"), (3000, "3,000"), (None, "\u2013"), (float("nan"), "\u2013"), ("x", "x")],
)
def test_numbers_are_written_alike(value, cell):
    assert number(value) == cell


def test_no_measures_no_table(tmp_path):
    assert measures_table([read_run(tmp_path)]) is None
