"""The section on people's ratings: what it finds in a run that learnt from them, and how it is written."""

import csv
import itertools
from pathlib import Path

import pytest

from freerun.report.folder import read_run
from freerun.report.page import environment
from freerun.report.ratings import N_NEXT, ratings_of


@pytest.fixture
def rated_run(fake_run, tmp_path, monkeypatch):
    """A run whose objective names these scores, in a folder with these ratings."""
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()

    def make(scores: object, rows: list[str], *, chemical: bool = True, hostile: bool = False):
        folder: Path = fake_run(f"run-{next(numbers)}", chemical=chemical, hostile=hostile)
        config = (folder / "config.toml").read_text("utf-8")
        (folder / "config.toml").write_text(f"{config}\n[objective]\nscores = {scores}\n", "utf-8")
        if rows:
            Path("people.csv").write_text("\n".join(["string,rating,rater", *rows]) + "\n", "utf-8")
        return read_run(folder)

    return make


def molecules_rated() -> list[str]:
    """Twelve strings of which one person likes the alcohols, with a repeat; and another person who does not."""
    rows = [f"{'C' * n}O,5,ann" for n in range(1, 7)] + [f"c1ccccc1{'C' * n},1,ann" for n in range(6)]
    return [*rows, "CO,3,ann", "CCO,1,ben"]


def test_a_run_without_ratings_has_no_section(rated_run, molecules_run):
    assert ratings_of(read_run(molecules_run)) == []
    assert ratings_of(rated_run('["qed", "similarity:CCO"]', molecules_rated())) == []


@pytest.mark.parametrize("scores", ['"ratings:people.csv"', "[3, true]", "{ ratings = 1 }"])
def test_a_config_of_a_strange_shape_has_none_either(rated_run, scores):
    assert ratings_of(rated_run(scores, [])) == []


def test_error_raters_and_agreement_are_told(rated_run):
    run = rated_run('["qed", "ratings:people.csv:0.5"]', molecules_rated())
    (rated,) = ratings_of(run)
    assert (rated.file, rated.problem) == ("people.csv", "")
    tiles = {tile.label: (tile.value, tile.note) for tile in rated.tiles}
    assert tiles["ratings"] == ("14", "of 12 strings, 1 to 5")
    assert tiles["raters"] == ("2", "by their names")
    assert tiles["a rater's own repeats"] == ("2", "apart on average, of 1 pair")
    assert tiles["two raters"] == ("4", "apart on average, of 1 pair")
    assert "less than to say the mean" in rated.verdict
    assert rated.remarks == ("2 of 12 strings have several ratings: their mean and spread count",)


def test_the_next_round_is_drawn_from_the_valid_samples_of_the_run(rated_run):
    run = rated_run('["ratings:people.csv"]', molecules_rated())
    (rated,) = ratings_of(run)
    with open(run.path / "samples.csv", encoding="utf-8", newline="") as file:
        valid = {row["string"] for row in csv.DictReader(file) if row["valid"].lower() == "true"}
    assert len(rated.next) == N_NEXT
    assert {item.string for item in rated.next} <= valid
    assert all(item.svg and " \u00b1 " in item.note for item in rated.next)
    assert len(ratings_of(run, 3)[0].next) == 3


def test_sentences_are_asked_about_as_text(rated_run):
    rows = [f"a man with {n} dogs .,{1 + n % 5}," for n in range(12)]
    (rated,) = ratings_of(rated_run('["ratings:people.csv"]', rows, chemical=False))
    assert rated.next
    assert all(item.svg is None for item in rated.next)
    assert rated.tiles[1].note == "one of them without a name"


def test_ratings_of_another_kind_of_string_ask_nothing(rated_run):
    (rated,) = ratings_of(rated_run('["ratings:people.csv"]', [f"some words {n},{1 + n % 5}," for n in range(12)]))
    assert rated.next == ()


def test_what_cannot_be_read_is_told_and_nothing_raised(rated_run, tmp_path):
    (missing,) = ratings_of(rated_run('["ratings:nobody.csv"]', []))
    assert missing.problem.startswith("nobody.csv is not there")
    Path("people.csv").write_text("string,rating\nCCO,3\nCN,3\nCS,3\n", "utf-8")
    (equal,) = ratings_of(rated_run('["ratings:people.csv"]', []))
    assert "equal ratings teach nothing" in equal.problem
    (folder,) = ratings_of(rated_run(f'["ratings:{tmp_path}"]', []))
    assert folder.problem


def test_few_or_unpredictable_ratings_are_not_praised(rated_run):
    few = ratings_of(rated_run('["ratings:people.csv"]', ["CCO,3,", "c1ccccc1,1,", "CS,4,"]))[0]
    assert "too few" in few.verdict
    alternating = [f"{'C' * n}O,{1 + 4 * (n % 2)}," for n in range(1, 14)]
    assert "cannot be predicted yet" in ratings_of(rated_run('["ratings:people.csv"]', alternating))[0].verdict


def test_what_is_written_is_escaped(rated_run):
    name = "<b>people.csv"
    Path(name).write_text("string,rating\n" + "".join(f"</p>{n} x,{n % 5}\n" for n in range(12)), "utf-8")
    run = rated_run(f'["ratings:{name}"]', [], chemical=False, hostile=True)
    template = environment("freerun.report").from_string(
        '{% from "ratings.html.j2" import rated_of %}{{ rated_of(rated) }}'
    )
    page = template.render(rated=ratings_of(run))
    assert "&lt;b&gt;people.csv" in page
    assert "<b>" not in page
    assert "<script>" not in page
    assert "What to ask people next" in page
