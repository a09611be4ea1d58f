"""Walks in a latent space: their geometry, what they decode, and how they are drawn."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from freerun import api
from freerun.codes import decode, encode
from freerun.errors import UsageError
from freerun.report.folder import read_run
from freerun.report.page import write_report
from freerun.report.walks import plot, walks_of
from freerun.run_folder import RunFolder
from freerun.trained import Trained
from freerun.walks import N_LINE, N_SIDE, plane, walks

TEXTS = ["abab", "baab", "aabb", "bbaa", "abba", "ab", "ba", "bb"]


def trained_by(folder: Path, method: list[str]) -> Trained:
    (folder / "corpus.txt").write_text("\n".join(TEXTS * 6) + "\n")
    settings = ["representation.name=text", "model.d_hidden=8", "method.n_steps=4", "method.batch_size=16"]
    run = api.train("quickstart", corpus=folder / "corpus.txt", out=folder / "run", overrides=[*settings, *method])
    return Trained.load(RunFolder.found(run.path))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    sizes = ["method.name=vrae", "method.d_latent=3", "method.d_encoder=8"]
    return trained_by(tmp_path_factory.mktemp("walks"), sizes)


def test_a_plane_is_a_square_of_codes_around_its_centre():
    centre = np.arange(6.0)
    codes = plane(centre, 1.5, seed=3).reshape(N_SIDE, N_SIDE, 6)
    middle = N_SIDE // 2
    np.testing.assert_allclose(codes[middle, middle], centre)
    right, down = codes[middle, -1] - centre, codes[-1, middle] - centre
    assert np.linalg.norm(right) == pytest.approx(1.5, rel=1e-6)
    assert np.linalg.norm(down) == pytest.approx(1.5, rel=1e-6)
    assert right @ down == pytest.approx(0, abs=1e-5)
    steps = np.diff(codes, axis=1)
    np.testing.assert_allclose(steps, np.broadcast_to(right / middle, steps.shape), atol=1e-5)
    assert not np.allclose(plane(centre, 1.5, seed=4), codes.reshape(-1, 6))


def test_in_one_dimension_all_rows_are_the_same():
    codes = plane(np.zeros(1), 2.0, seed=0).reshape(N_SIDE, N_SIDE)
    np.testing.assert_allclose(
        np.abs(codes), np.broadcast_to(np.abs(np.linspace(-2, 2, N_SIDE)), codes.shape), atol=1e-6
    )


def test_the_centre_of_a_grid_and_the_ends_of_a_line_are_the_decoded_codes(trained):
    strings = ["abab", "bb", "abba"]
    found = walks(trained, strings, seed=5)
    means, _ = encode(trained, strings)
    own = [texts[0] for texts in decode(trained, means)]
    assert [grid["start"] for grid in found["grids"]] == strings[:2]
    for grid, centre in zip(found["grids"], own, strict=False):
        assert len(grid["strings"]) == N_SIDE
        assert {len(row) for row in grid["strings"]} == {N_SIDE}
        assert grid["strings"][N_SIDE // 2][N_SIDE // 2] == centre
    assert [(line["strings"][0], line["strings"][-1]) for line in found["lines"]] == [
        (own[0], own[1]),
        (own[1], own[2]),
    ]
    assert {len(line["strings"]) for line in found["lines"]} == {N_LINE}
    distances = [np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found["grids"][0]["reach"] == pytest.approx(sorted(distances)[1] / 2, rel=1e-5)
    assert json.loads(json.dumps(found)) == found


def test_without_a_latent_space_or_a_string_there_is_no_walk(trained, tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        walks(trained, [])
    with pytest.raises(UsageError, match="no latent codes"):
        walks(trained_by(tmp_path, []), ["ab"])


def folder_with(path: Path, walk: object, *, chemical: bool) -> Path:
    path.mkdir()
    name = "smiles" if chemical else "text"
    representation = {"name": name, "settings": {}, "vocab": [], "is_chemical": chemical}
    (path / "run.json").write_text(json.dumps({"representation": representation}))
    (path / "walks.json").write_text(json.dumps(walk))
    return path


def test_the_same_molecule_in_another_writing_is_the_same_cell(tmp_path):
    rows = [["CCO", "OCC", "CCN"], ["CC(", "C(O)C", "CCO"], ["c1ccccc1", "C1=CC=CC=C1", "N"]]
    walk = {"grids": [{"start": "CCO", "reach": 1, "strings": rows}], "lines": []}
    (grid,) = walks_of(read_run(folder_with(tmp_path / "run", walk, chemical=True))).grids
    kinds = [[cell.kind for cell in row] for row in grid.rows]
    assert kinds == [["same", "same", "other"], ["other", "centre", "same"], ["other", "other", "other"]]
    assert grid.caption.startswith("5 different strings in 9 cells, 4 as in the centre; its code is decoded to itself.")
    assert grid.rows[1][0].drawing.svg is None


def test_many_runs_on_a_page_show_less_each_and_a_full_page_draws_nothing(tmp_path):
    grid = {"start": "CCO", "reach": 1, "strings": [["CCO"] * 3] * 3}
    line = {"start": "CCO", "end": "N", "strings": ["CCO", "N"]}
    run = read_run(folder_with(tmp_path / "run", {"grids": [grid] * 3, "lines": [line] * 9}, chemical=True))
    alone, beside, crowded = walks_of(run), walks_of(run, alone=False), walks_of(run, is_drawn=False)
    assert [len(alone.grids), len(alone.lines), len(beside.grids), len(beside.lines)] == [2, 4, 1, 1]
    assert alone.lines[0].cells[1].drawing.svg is not None
    assert crowded.lines[0].cells[1].drawing.svg is None
    assert crowded.lines[0].cells[1].drawing.string == "N"


def test_a_line_marks_where_nothing_changes(tmp_path):
    walk = {"grids": [], "lines": [{"start": "a", "end": "b", "strings": ["a", "a", "ab", "b", "b"]}]}
    (line,) = walks_of(read_run(folder_with(tmp_path / "run", walk, chemical=False))).lines
    assert [cell.kind for cell in line.cells] == ["other", "same", "other", "other", "same"]


def test_a_formula_is_plotted_and_a_pole_breaks_its_curve():
    def curve(formula: str) -> list[str]:
        svg = plot(formula)
        assert svg is not None
        return re.findall(r'<path d="([^"]*)"', svg)

    (straight,) = curve("2*x")
    points = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[-\d.]+,[-\d.]+", straight)]
    slopes = np.diff([y for _, y in points if 0 < y < 52])
    assert slopes.max() < 0
    assert slopes.min() == pytest.approx(slopes.max(), abs=0.11)  # places have one decimal
    assert straight.count("M") == 1
    assert curve("1/x")[0].count("M") == 2
    assert plot("to be or not") is None
    assert curve("log(0-1-x*x)") == [""]  # nowhere a number


JUNK = [
    {"grids": 3, "lines": {"a": 1}},
    {"grids": [{"strings": [["a"], ["a", "b"]]}, {"strings": 5}, 7], "lines": [{"strings": "ab"}, {}]},
    {"grids": [{"start": ["<b>"], "reach": "x", "strings": [[None, {}], [1, "a"]]}]},
    [1, 2],
]


@pytest.mark.parametrize("junk", JUNK)
def test_a_strange_file_spoils_nothing(tmp_path, junk):
    run = folder_with(tmp_path / "run", junk, chemical=False)
    page = write_report([run], tmp_path / "report.html").read_text("utf-8")
    assert "What was run" in page
    assert ("walks.json cannot be read" in page) == isinstance(junk, list)
    assert ('id="walks"' in page) == (junk in JUNK[2:])
    assert "<b>" not in page


def test_the_section_is_there_only_for_runs_that_walked(tmp_path, molecules_run):
    walk = {"grids": [{"start": "<script>", "reach": 1, "strings": [["<script>"] * 3] * 3}], "lines": []}
    run = folder_with(tmp_path / "run", walk, chemical=False)
    page = write_report([run], tmp_path / "report.html").read_text("utf-8")
    assert page.count('class="cell') == 9
    assert "<script>" not in page
    assert 'id="walks"' not in write_report([molecules_run], tmp_path / "other.html").read_text("utf-8")
