"""How contenders stand: means, pairs, costs and remarks, worked by hand."""

import dataclasses
import json
import math

import pytest
import safetensors.torch
import torch

from freerun.run_folder import RunFolder
from freerun.standings import Ran, costs_of, likelihoods, missed, remarks_on, standings


def ran(seed: int, value: float, steps: float = 10, ended: str = "finished", **more: float) -> Ran:
    costs = {"steps": float(steps), "tokens": 10.0 * steps, "calls": 0.0, "seconds": 3.0}
    return Ran(f"x-seed{seed}", seed, {"valid": float(value), **more}, costs, ended)


def test_differences_are_taken_seed_by_seed_from_the_first():
    runs = {"a": [ran(0, 0.5), ran(1, 0.9)], "b": [ran(1, 0.8), ran(0, 0.6)]}
    first, second = standings(runs)
    assert first.differences == {}
    assert first.measures["valid"].mean == pytest.approx(0.7)
    difference = second.differences["valid"]
    assert (difference.n, difference.mean) == (2, pytest.approx(0.0))
    assert (difference.low, difference.high) == pytest.approx((-0.1, 0.1))
    assert second.costs["tokens"].mean == 100


def test_a_seed_that_only_one_has_run_makes_no_pair():
    (_, second) = standings({"a": [ran(0, 0.5)], "b": [ran(0, 0.6), ran(1, 5.0)]})
    assert second.differences["valid"].n == 1
    assert second.measures["valid"].n == 2


def test_likelihoods_in_other_tokens_have_no_difference():
    runs = {"a": [ran(0, 0.5, valid_nll_per_token=2.0)], "b": [ran(0, 0.6, valid_nll_per_token=1.0)]}
    (_, other) = standings(runs, {"a": ("x", "y"), "b": ("xy",)})
    assert set(other.differences) == {"valid"}
    (_, same) = standings(runs, {"a": ("x", "y"), "b": ("x", "y")})
    assert same.differences["valid_nll_per_token"].mean == -1.0


def test_a_measure_that_only_one_has_makes_no_difference():
    (_, other) = standings({"a": [ran(0, 0.5, FCD=1.0)], "b": [ran(0, 0.6, valid_neg_elbo_per_token=1.0)]})
    assert set(other.differences) == {"valid"}


def test_a_run_that_failed_is_left_out_and_told_of():
    failed = Ran("b-seed0", 0, {}, {"steps": 3.0, "tokens": 0.0, "calls": 0.0, "seconds": 0.0}, "failed: no number")
    (_, other) = standings({"a": [ran(0, 0.5), ran(1, 0.5)], "b": [failed, ran(1, 0.75)]})
    assert other.measures["valid"].mean == 0.75
    assert other.differences["valid"].n == 1
    remarks = list(remarks_on("steps", 10.0, 5, {"b": [failed, ran(1, 0.75)]}))
    assert remarks == ["b-seed0 failed: no number; it is left out of the means."]


def test_who_ends_before_the_budget_is_told_of():
    runs = {"a": [ran(0, 1, steps=100)], "b": [ran(0, 1, steps=40), ran(1, 1, steps=99)]}
    (remark,) = remarks_on("steps", 100.0, 4, runs)
    assert remark.startswith("b ended before its budget did, at 40 % of it in 1 of 2 runs")
    assert list(remarks_on("time", 3 / 60, 4, {"a": [ran(0, 1)]})) == []
    assert len(list(remarks_on("time", 1.0, 4, {"a": [ran(0, 1)]}))) == 1


def test_who_never_came_to_its_own_phase_is_told_of():
    short = [dataclasses.replace(ran(seed, 1), missed=("generator", "mle")) for seed in range(3)]
    (remark,) = remarks_on("steps", 10.0, 4, {"a": [ran(0, 1)], "b": [*short, ran(3, 1)]})
    assert remark.startswith("b never came to its phase generator in 3 of 4 runs: the budget ended in mle.")


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        (["mle"], ("critic", "mle")),
        (["mle", "critic"], ("generator", "critic")),
        (["mle", "generator"], None),  # the critic needed no step
        (["mle", "critic", "generator", "critic"], None),
    ],
)
def test_the_phase_that_a_run_did_not_come_to(tmp_path, logged, expected):
    folder = RunFolder(tmp_path)
    folder.log.write_text("".join(json.dumps({"step": 1, "phase": phase}) + "\n" for phase in logged))
    assert missed(folder, ["mle", "critic", *["generator", "critic"] * 3]) == expected


@pytest.mark.parametrize(("n_seeds", "expected"), [(1, "One seed"), (3, "Of 3 seeds")])
def test_few_seeds_are_told_of(n_seeds, expected):
    (remark,) = remarks_on("steps", 10.0, n_seeds, {"a": [ran(0, 1)]})
    assert remark.startswith(expected)


def test_the_likelihood_is_that_of_the_weights_that_are_kept(tmp_path):
    folder = RunFolder(tmp_path)
    log = [(4, {"valid_nll_per_token": 3.0}), (8, {"valid_nll_per_token": 2.0, "valid_perplexity": 7.4})]
    log += [(8, {"nll_per_token": 0.1}), (12, {"valid_nll_per_token": 2.5})]
    folder.log.write_text("".join(json.dumps({"step": step, "phase": "p", **values}) + "\n" for step, values in log))
    for kept, expected in ((8, 2.0), (12, 2.5), (10, 2.0)):
        folder.best.write_bytes(safetensors.torch.save({"w": torch.zeros(1)}, {"step": str(kept)}))
        assert likelihoods(folder) == {"valid_nll_per_token": expected}
    folder.best.write_bytes(safetensors.torch.save({"w": torch.zeros(1)}, {"step": "2"}))
    assert likelihoods(folder) == {}
    folder.log.write_text('{"step": 1, "phase": "p", "valid_neg_elbo_per_token": null}\n')
    assert math.isnan(likelihoods(folder)["valid_neg_elbo_per_token"])


def test_costs_are_those_of_the_last_line_of_the_clock(tmp_path):
    folder = RunFolder(tmp_path)
    assert costs_of(folder) == {"steps": 0, "tokens": 0, "calls": 0, "seconds": 0}
    folder.timing.write_text(
        '{"step": 1, "seconds": 0.5, "tokens": 9}\n{"step": 4, "seconds": 2.5, "tokens": 40, "calls": 7}\n'
    )
    assert costs_of(folder) == {"steps": 4, "tokens": 40, "calls": 7, "seconds": 2.5}
