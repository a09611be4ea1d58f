import math

import numpy as np
import pytest

from freerun import evaluation
from freerun.corpora.containers import existing
from freerun.corpora.corpus import Corpus
from freerun.corpora.lines import TextLines
from freerun.corpora.oracle import Oracle
from freerun.corpora.splits import SplitRule
from freerun.errors import UsageError
from freerun.evaluation import Against, evaluate_strings, fitting_suite
from freerun.metrics import oracle as truth
from freerun.metrics.frontier import drawn

LINES = ["0 " * 20, " ".join(map(str, range(20))), "0 " * 20]


@pytest.fixture
def small(monkeypatch, tmp_path) -> None:
    """The corpus with a training draw of one sequence, and an oracle without a file."""
    (tmp_path / "train.txt").write_text(LINES[1] + "\n")
    parts = ((TextLines(existing(tmp_path / "train.txt")), SplitRule(body="train")),)
    named = classmethod(lambda cls, name, column=None: Against(name, Corpus(name, parts), "train", "train"))
    monkeypatch.setattr(Against, "named", named)
    rng = np.random.default_rng(0)
    shapes = (5_000, 2), (2, 8), (2, 8), (8,), (2, 5_000), (5_000,)
    small = Oracle(*(rng.normal(size=shape) for shape in shapes))
    monkeypatch.setattr(truth, "published_oracle", lambda: small)


def test_sequences_are_judged_by_the_oracle(small):
    measures = evaluate_strings(LINES, "oracle", "seqgan-oracle")
    ours = measures["ours"]
    each = truth.published_oracle().nll(truth.parsed(LINES)).mean(1)
    assert ours["nll_oracle"] == pytest.approx(each.mean(), abs=1e-12)
    assert ours["nll_oracle_standard_error"] == pytest.approx(each.std(ddof=1) / math.sqrt(3), abs=1e-12)
    assert (ours["n"], ours["uniqueness"], ours["in_train"]) == (3, 2 / 3, 1 / 3)
    assert evaluate_strings(LINES, "oracle", "")["against"] == "seqgan-oracle"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES, "1 2 3"], "line 4 holds 3 words, a sequence of seqgan-oracle has 20"),
        ([LINES[0], ""], "line 2 holds 0 words"),
        ([LINES[0], "0 " * 19 + "5000"], "line 2: '5000' is no word of seqgan-oracle"),
        (["a " * 20], "line 1: 'a' is no word"),
    ],
)
def test_a_line_that_is_no_sequence_is_refused_before_anything_is_measured(small, lines, message):
    with pytest.raises(UsageError, match=message):
        evaluate_strings(lines, "oracle", "seqgan-oracle")


def test_the_oracle_is_no_truth_for_other_corpora(small):
    with pytest.raises(UsageError, match="add --against seqgan-oracle"):
        evaluate_strings(LINES, "oracle", "moses")


def test_an_unknown_suite_is_refused_and_all_are_listed():
    with pytest.raises(UsageError, match="suite 'orakel' is not known; there are moses, text, expressions, oracle"):
        evaluate_strings(LINES, "orakel", "")


def test_every_suite_has_a_corpus_and_some_corpora_have_a_suite():
    assert set(evaluation._CORPUS_OF) == set(evaluation.SUITES)
    suites = [fitting_suite(name) for name in ("seqgan-oracle", "expressions", "coco", "moses", "own.txt")]
    assert suites == ["oracle", "expressions", "text", "text", "text"]


@pytest.mark.slow
def test_the_training_draw_stands_in_the_training_draw():
    lines = [" ".join(map(str, row)) for row in drawn("train")[:500].tolist()]
    ours = evaluate_strings(lines, "oracle", "seqgan-oracle")["ours"]
    assert (ours["in_train"], ours["uniqueness"], ours["n"]) == (1, 1, 500)
    assert abs(ours["nll_oracle"] - truth.ENTROPY) < 4 * ours["nll_oracle_standard_error"]
