"""The examination of a run on words: nothing chemical, and held-out strings with words that training never saw."""

import json

import pytest

from freerun import api
from freerun.report.page import write_report

pytestmark = pytest.mark.filterwarnings("default")


def test_a_run_on_words_is_examined_and_reported(tmp_path):
    lines = [f"the {a} {b} word{i}" for i, (a, b) in enumerate(zip("abcdefgh" * 12, "stuvwxyz" * 12, strict=True))]
    (tmp_path / "text.txt").write_text("\n".join(lines + [line.rsplit(" ", 1)[0] for line in lines]) + "\n")
    settings = ["representation.name=text", "representation.unit=word", "method.n_steps=40", "model.d_hidden=12"]
    run = api.train(corpus=tmp_path / "text.txt", out=tmp_path / "run", overrides=settings)
    measures = run.evaluate(40)
    assert {"BLEU-2", "self-BLEU-4", "distinct-1", "novelty"} <= set(measures)
    exposure = json.loads((run.path / "exposure.json").read_text())
    assert exposure["quality"] == "share of known 4-grams"
    assert exposure["n"] > 0
    page = write_report([run.path], tmp_path / "report.html").read_text()
    assert "BLEU-2" in page
