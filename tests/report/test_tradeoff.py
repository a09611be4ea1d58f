"""The trade-off: measured against plain set arithmetic, drawn for one run and for several."""

import dataclasses
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from freerun import api
from freerun.metrics.molecules import describe
from freerun.metrics.moses import internal_diversity
from freerun.report.folder import read_run
from freerun.report.page import write_report
from freerun.report.tradeoff import tradeoff_panels, tradeoff_svg
from freerun.samples import Wanted, draw
from freerun.sampling.decoding import Decoding
from freerun.tradeoff import diversity, tradeoff
from freerun.trained import Trained

SMILES = ["CCO", "CCN", "CCC", "c1ccccc1", "CC(=O)O", "CCOC", "CNC", "OCC", "CC(C)O", "CCCl"] * 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("tradeoff")
    (folder / "corpus.smi").write_text("\n".join(SMILES) + "\n")
    settings = ["method.n_steps=100", "method.batch_size=16", "model.d_hidden=16", "method.descent.lr=0.02"]
    return Trained.load(api.train(corpus=folder / "corpus.smi", out=folder / "run", overrides=settings).folder)


def test_each_record_is_what_the_samples_of_that_temperature_give(trained):
    told = []
    records = tradeoff(trained, (0.5, 1.2), n=60, seed=3, progress=lambda *work: told.append(work))
    assert [work[1:] for work in told] == [(1, 2), (2, 2)]
    for record in records:
        decoding = Decoding(temperature=record["temperature"])
        samples = [sample for piece in draw(trained, Wanted(60, 3, decoding)) for sample in piece]
        valid = [sample.string for sample in samples if sample.valid]
        known = {text for text in set(valid) if text in SMILES}
        assert record["n"] == 60
        assert record["valid"] == len(valid) / 60
        assert record["unique"] == len(set(valid)) / len(valid)
        assert record["novelty"] == pytest.approx(1 - len(known) / len(set(valid)))
        assert 0 < record["novelty"] < 1
        assert record["intdiv"] == pytest.approx(internal_diversity(describe(valid))[0])
    assert records[0]["valid"] != records[1]["valid"]


def test_diversity_of_one_molecule_is_zero_and_of_none_is_none():
    assert diversity(["CCO"] * 3) == pytest.approx(0)
    assert math.isnan(diversity([]))
    # no bit in common: half of the pairs are a molecule with itself
    assert diversity(["C", "O"]) == pytest.approx(0.5)


def run_of(path: Path, records: object) -> Path:
    path.mkdir()
    (path / "tradeoff.json").write_text(json.dumps(records))
    return path


def records(valid: float, falls: float) -> list[dict[str, float | None]]:
    return [
        {"temperature": t / 10, "n": 9, "valid": valid - falls * t, "unique": t / 20, "novelty": 0.5, "intdiv": None}
        for t in range(15, 4, -1)
    ]


def test_one_panel_a_measure_that_there_is(tmp_path):
    run = read_run(run_of(tmp_path / "one", records(0.9, 0.02)))
    unique, novelty = tradeoff_panels([run])
    assert unique.caption == "0.8 valid, uniqueness 0.25 at T = 0.5; 0.6 valid, uniqueness 0.75 at T = 1.5."
    assert novelty.keys == ()
    page = write_report([run.path], tmp_path / "page.html").read_text("utf-8")
    assert page.count('id="tradeoff"') == 1


def test_several_runs_stand_in_one_drawing_each_with_its_name(tmp_path):
    names = ["kekule", "<script>&", "x" * 300]
    runs = [read_run(run_of(tmp_path / str(i), records(0.9, 0.01 * i))) for i in range(3)]
    runs = [dataclasses.replace(run, name=name) for run, name in zip(runs, names, strict=True)]
    root = ET.fromstring(tradeoff_svg(runs))
    texts = ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("kekule") == 2
    assert texts.count("·script··") == 2
    assert "var(" not in tradeoff_svg(runs)
    assert max(map(len, texts)) < 60


JUNK = [[], {}, [1, "a"], [{"temperature": "x"}], [{"temperature": 1, "valid": [], "unique": 2}] * 3]


@pytest.mark.parametrize("junk", JUNK)
def test_a_strange_file_is_no_drawing(tmp_path, junk):
    run = read_run(run_of(tmp_path / "run", junk))
    assert tradeoff_panels([run]) == []
    with pytest.raises(ValueError, match=r"tradeoff\.json"):
        tradeoff_svg([run])
