"""The section on the latent space: what it says of good, collapsed and strange files, and what it draws."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from freerun.report.code_map import codes_of
from freerun.report.folder import read_run
from freerun.report.latent import codes_table
from freerun.report.page import write_report
from freerun.report.scatter import HEIGHT, LEGEND, WIDTH, by_class, by_value

RNG = np.random.default_rng(0)


def told(n: int = 600, **changes: object) -> dict:
    values = RNG.normal(2, 1, n).tolist()
    around = {"string": "CCO", "nearest": [{"string": "CCN", "distance": 0.5}, {"string": "C(", "distance": 12.345}]}
    return {
        "d_latent": 32,
        "n": 10_000,
        "kl": 11.25,
        "mutual_information": 8.0,
        "marginal_kl": 3.25,
        "active_units": 31,
        "likelihood": {
            "n": 200,
            "n_samples": 500,
            "nll_per_token": 0.61234,
            "nll_per_sequence": 21.0,
            "standard_error": 0.31,
            "neg_elbo_per_token": 0.65,
            "forbidden": 0,
            "given": [],
        },
        "reconstruction": {
            "greedy": {"n": 2000, "share": 0.71, "same_molecule": 0.72},
            "beam": {"n": 200, "share": 0.75, "same_molecule": 0.76, "k": 5},
        },
        "map": {
            "shares": [0.4, 0.1],
            "x": RNG.normal(size=n).tolist(),
            "y": RNG.normal(size=n).tolist(),
            "colours": [{"name": "logP", "values": values, "classes": None}],
        },
        "neighbours": [around] * 3,
    } | changes


def folder_of(path: Path, content: object, *, chemical: bool = True) -> Path:
    path.mkdir()
    representation = {"name": "x", "settings": {}, "vocab": [], "is_chemical": chemical}
    (path / "run.json").write_text(json.dumps({"representation": representation}))
    (path / "posterior.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def cells(path: Path, content: object) -> dict[str, str]:
    table = codes_table([read_run(folder_of(path, content))])
    assert table is not None
    return {row.name: row.cells[0] for row in table.rows}


def test_the_table_tells_each_number_with_its_digits(tmp_path):
    found = cells(tmp_path / "run", told())
    assert found == {
        "Information": "8.00",
        "KL": "11.25",
        "Marginal KL": "3.25",
        "Active axes": "31 of 32",
        "NLL a token": "0.6123",
        "NLL a string": "21.00 \u00b1 0.31",
        "\u2212ELBO a token": "0.6500",
        "Back, greedily": "0.710",
        "Molecule back, greedily": "0.720",
        "Back, by a beam": "0.750",
        "Molecule back, by a beam": "0.760",
    }


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"mutual_information": 0.03, "kl": 0.02}, "collapsed: a code tells 0.03 nats of its string."),
        ({"mutual_information": 9.2}, "the information is at its limit, ln 10,000 = 9.21: in truth it may be more."),
        (
            {"kl": None, "mutual_information": None, "marginal_kl": None, "likelihood": None},
            "the encoder draws nothing, so that KL, information and NLL are not defined.",
        ),
        (
            {"likelihood": {"n": 9, "nll_per_token": 1, "given": ["logP", "QED"]}},
            "the NLL is the one given logP, QED: not the same quantity as without.",
        ),
    ],
)
def test_what_has_to_be_said_is_said(tmp_path, changes, remark):
    plain = codes_table([read_run(folder_of(tmp_path / "plain", told()))])
    table = codes_table([read_run(folder_of(tmp_path / "run", told(**changes)))])
    assert plain is not None
    assert table is not None
    assert plain.remarks == (
        "10,000 encoded, 200 weighed by 500 codes each, 2,000 decoded greedily, 200 by a beam of 5.",
    )
    assert remark in table.remarks


def test_next_to_nothing_is_no_negative_nothing(tmp_path):
    found = cells(tmp_path / "run", told(mutual_information=-0.001, kl=-1.5))
    assert (found["Information"], found["KL"]) == ("0.00", "\u22121.50")


def test_several_runs_stand_in_columns_each_with_a_map_of_its_own(tmp_path):
    folders = [folder_of(tmp_path / name, told()) for name in ("one", "two", "three")]
    page = write_report(folders, tmp_path / "page.html").read_text("utf-8")
    assert page.count('class="codes"') == 3
    assert page.count('<div class="grid nearest">') == 3
    table = codes_table([read_run(folder) for folder in folders])
    assert table is not None
    assert table.heads == ("one", "two", "three")
    assert {len(row.cells) for row in table.rows} == {3}


def test_one_run_alone_shows_three_neighbourhoods_drawn_as_molecules(tmp_path):
    codes = codes_of(read_run(folder_of(tmp_path / "run", told())))
    assert len(codes.neighbourhoods) == 3
    first = codes.neighbourhoods[0]
    assert first.centre.svg is not None
    assert [each.distance for each in first.nearest] == ["0.50", "12.35"]
    assert first.nearest[1].drawing.svg is None
    crowded = codes_of(read_run(tmp_path / "run"), n_runs=9, is_drawn=False)
    assert crowded.neighbourhoods[0].centre.svg is None
    assert len(crowded.neighbourhoods) == 1


def dots(svg: str) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for name, shape in re.findall(r'<path class="(\w+)" d="([^"]*)"', svg):
        points = [(float(x), float(y)) for x, y in re.findall(r"M([-\d.]+),([-\d.]+)h", shape)]
        found.setdefault(name, []).extend(points)
    return found


def test_every_point_is_a_dot_in_the_frame_its_shade_in_the_order_of_the_values():
    places = RNG.normal(size=(700, 2)) * (3, 1)
    values = places[:, 0].copy()
    values[:50] = np.nan
    found = dots(by_value(places, values))
    assert sum(map(len, found.values())) == 700
    assert len(found["none"]) == 50
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT - LEGEND for points in found.values() for x, y in points)
    means = [np.mean([x for x, _ in found[f"q{i}"]]) for i in range(9)]
    assert means == sorted(means)


def test_both_axes_have_one_scale():
    square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    (a, b, c, _) = dots(by_class(square, np.zeros(4, int), 1))["k1"]
    assert b[0] - a[0] == pytest.approx(a[1] - c[1], abs=0.11)  # upwards is up


def test_points_that_are_all_equal_and_values_that_are_all_one_are_drawn():
    found = dots(by_value(np.ones((5, 2)), np.full(5, 3.0)))
    assert found == {"q4": [(WIDTH / 2, (HEIGHT - LEGEND) / 2)] * 5}
    assert dots(by_value(np.ones((2, 2)), np.full(2, np.nan))) == {"none": [(170.0, 112.0)] * 2}


def test_the_commonest_classes_have_colours_and_keys(tmp_path):
    classes = [f"<b>{i}</b>" for i in range(9)]
    values = [i % 9 if i < 90 else 3 for i in range(100)]
    entry = {"name": "kind", "values": [*values[:98], None, 77], "classes": classes}
    content = told(100)
    content["map"]["colours"] = [entry]
    (panel,) = codes_of(read_run(folder_of(tmp_path / "run", content))).maps
    assert panel.keys[0].label == "<b>3</b>"
    assert len(panel.keys) == 8
    assert panel.keys[-1].label == "others, or not known"
    assert len(dots(panel.svg)["k1"]) == 18
    page = write_report([tmp_path / "run"], tmp_path / "page.html").read_text("utf-8")
    assert "<b>3" not in page


def test_a_map_without_colours_is_a_map_all_the_same(tmp_path):
    content = told(20)
    content["map"]["colours"] = [{"name": "x", "values": [None] * 20}, {"name": "y"}, 3]
    (panel,) = codes_of(read_run(folder_of(tmp_path / "run", content))).maps
    assert len(dots(panel.svg)["k1"]) == 20


HUGE = 10**400
JUNK = [
    [],
    [1, 2],
    {"n": "x", "kl": [], "mutual_information": {}, "likelihood": 3, "reconstruction": {"greedy": 7}, "map": 1},
    {"kl": HUGE, "mutual_information": -HUGE, "n": HUGE, "d_latent": HUGE, "active_units": HUGE, "neighbours": HUGE},
    {"map": {"x": [HUGE, 1, 2], "y": [1e308, -1e308, 5], "shares": [HUGE, "a"], "colours": [{"values": [HUGE] * 3}]}},
    {"map": {"x": [1e11, -1e11, 0.5], "y": [0, 1, 2], "colours": [{"name": [], "values": "abc", "classes": {}}] * 99}},
    {"map": {"x": [1, 2], "y": [1, 2], "colours": [{"name": 5, "values": [0, -9], "classes": [None, {}]}]}},
    {"kl": 1.5, "n": -3, "active_units": 2.7, "likelihood": {"given": 5, "n": True}},
    {"neighbours": [{"string": "<script>", "nearest": [{"string": 5}, {"distance": HUGE}, 7]}, {"string": 1}, "x"]},
    {"kl": math.nan, "marginal_kl": math.inf, "map": {"x": [math.nan], "y": [math.inf]}},
    '{"kl": 1.0, "mutual_inf',
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
@pytest.mark.parametrize("chemical", [True, False])
def test_a_strange_file_spoils_nothing(tmp_path, junk, chemical):
    folder = folder_of(tmp_path / "run", junk, chemical=chemical)
    page = write_report([folder], tmp_path / "page.html").read_text("utf-8")
    assert "What was run" in page
    assert "<script>" not in page
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert ("posterior.json cannot be read" in page) == isinstance(junk, list | str)


def test_runs_without_codes_have_no_such_section(tmp_path, molecules_run):
    page = write_report([molecules_run], tmp_path / "page.html").read_text("utf-8")
    assert 'id="latent"' not in page
    assert 'href="#latent"' not in page


def test_the_maps_of_many_runs_fit_the_page(tmp_path):
    content = told(2000)
    content["map"]["colours"] *= 6
    run = read_run(folder_of(tmp_path / "run", content))
    assert sum(len(panel.svg) for panel in codes_of(run).maps) < 300_000
    assert 24 * sum(len(panel.svg) for panel in codes_of(run, n_runs=24).maps) < 300_000
