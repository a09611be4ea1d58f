"""Panels: what is drawn, and that no name of a run enters a drawing."""

import json
import re

import numpy as np
import pytest
from matplotlib.axes import Axes

from freerun.report.exposure import exposure_panels
from freerun.report.figures import (
    colour_of,
    column,
    density,
    learning_panels,
    property_panels,
    temperature_panels,
    thinned,
)
from freerun.report.folder import read_run
from freerun.report.logged import phases_of
from freerun.report.svg import COLOURS, draw, numbers, short, standalone


def all_panels(runs):
    return [*learning_panels(runs), *property_panels(runs), *exposure_panels(runs), *temperature_panels(runs)]


def test_a_finished_run_gives_every_panel_with_words_for_those_who_do_not_see_it(molecules_run):
    panels = all_panels([read_run(molecules_run)])
    assert len(panels) == 3 + 5 + 4 + 1
    for panel in panels:
        assert len(panel.alt) > 20
        assert panel.svg.startswith("<svg viewBox=")
        assert len(panel.svg) < 30_000


def test_a_panel_takes_its_colours_from_the_page_and_holds_no_name(fake_run):
    runs = [read_run(fake_run("first-name")), read_run(fake_run("second-name", seed=1))]
    for panel in [*learning_panels(runs)[:1], *property_panels(runs)[:1], *temperature_panels(runs)]:
        assert not any(stand_in in panel.svg for stand_in in COLOURS.values())
        assert "var(--s1)" in panel.svg
        assert "var(--s2)" in panel.svg
        assert "-name" not in panel.svg
        assert "font-family" not in panel.svg


def test_a_drawing_that_leaves_the_page_needs_no_page():
    def line(axes: Axes) -> None:
        axes.plot([0, 1], color=COLOURS["s1"])

    alone = standalone(draw(line, "x"))
    assert "var(" not in alone
    assert 'xmlns="http://www.w3.org/2000/svg"' in alone


def test_forgetting_is_drawn_where_a_run_started_from_another(fake_run):
    folder = fake_run()
    with open(folder / "log.jsonl", "a") as file:
        file.write('{"step": 10, "valid_init_nll_per_token": 0.7}\n{"step": 20, "valid_init_nll_per_token": 0.9}\n')
    panel = learning_panels([read_run(folder)])[0]
    assert "forgotten" in panel.caption
    assert any("started from" in key.label for key in panel.keys)


def test_a_column_is_sorted_and_freed_of_what_is_no_number():
    x, y = column([{"a": 3, "b": 1}, {"a": 1, "b": None}, {"a": 2, "b": 5}, {"b": 7}, {"a": "x", "b": 1}], "a", "b")
    assert x.tolist() == [2, 3]
    assert y.tolist() == [5, 1]


def test_thinning_keeps_the_mean():
    x = np.arange(1000.0)
    thin_x, thin_y = thinned(x, x**2, 100)
    assert len(thin_x) == 100
    assert thin_y.mean() == pytest.approx((x**2).mean())


def test_a_density_integrates_to_one():
    grid = np.linspace(-8, 8, 400)
    values = np.random.default_rng(0).normal(size=500)
    assert np.trapezoid(density(values, grid), grid) == pytest.approx(1, abs=1e-3)


def test_a_property_that_never_varies_is_drawn(fake_run):
    folder = fake_run()
    (folder / "properties.json").write_text('{"length": {"ours": [3, 3, 3], "corpus": [3]}, "none": {"ours": []}}')
    assert len(property_panels([read_run(folder)])) == 1


def test_columns_of_unequal_length_are_cut_to_the_shortest(fake_run):
    folder = fake_run()
    (folder / "exposure.json").write_text(
        '{"probe": {"position": [1, 2, 3], "accuracy": [0.5, 0.6], "standard_error": [0.1]}, "prefix": 3}'
    )
    panels = exposure_panels([read_run(folder)])
    assert len(panels) == 1
    assert "accuracy from 0.5 (at 1) to 0.6 (at 2)" in panels[0].caption


def test_ticks_are_short():
    assert [short(value) for value in (0.0, 0.25, -1.5, 1200.0, 3e6)] == ["0", "0.25", "\u22121.5", "1.2k", "3M"]


def test_whatever_is_no_number_is_nan():
    assert np.isnan(numbers([None, "x", float("inf"), [1]])).all()
    assert numbers("12").size == 0


def test_colours_repeat_after_eight():
    assert colour_of(0) == colour_of(8) == "s1"
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in COLOURS.values())


def logged(folder, *records):
    (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return read_run(folder)


def test_what_critic_and_objective_say_is_drawn_and_samples_seen_on_the_way_are_named(fake_run):
    told = {"critic_accuracy": 0.7, "critic_accuracy_held_out": 0.6, "reward": 0.4, "objective": 0.5, "validity": 0.9}
    told |= {
        "uniqueness": 1.0,
        "observed_nll_oracle": 9.0,
        "observed_nll_oracle_standard_error": 0.1,
        "observed_<b>": 1,
    }
    run = logged(fake_run(), *({"step": step, "phase": "generator", **told} for step in (1, 2, 3)))
    panels = {panel.title: panel for panel in learning_panels([run])}
    assert len(panels) == 1 + 7
    assert "Samples: NLL under the oracle, nats a token" in panels
    assert "Samples: <b>" in panels
    labels = [key.label for key in panels["Real and own strings that the critic tells right"].keys]
    assert labels == ["of those it learns from", "held out"]


def test_phases_are_marked_where_they_began(fake_run):
    names = ["mle"] * 3 + ["critic", "<b>generator", "critic", "<b>generator"]
    run = logged(fake_run(), *({"step": 10 * i, "phase": name, "lr": 0.1} for i, name in enumerate(names, 1)))
    assert phases_of(run) == [(0.0, "mle"), (30.0, "critic"), (40.0, "<b>generator")]
    (panel,) = [panel for panel in learning_panels([run]) if panel.title == "Learning rate"]
    assert "critic</text>" in panel.svg
    assert "\u00b7b\u00b7generator</text>" in panel.svg


@pytest.mark.parametrize("wrong", ["x", None, True, [], {}, -1, 1e308])
def test_odd_logs_are_no_crash(fake_run, wrong):
    keys = ("step", "phase", "reward", "critic_accuracy", "observed_x")
    run = logged(fake_run(), dict.fromkeys(keys, wrong), {"step": 1, "phase": "a", "reward": wrong, "validity": 2})
    learning_panels([run])
