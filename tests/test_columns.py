"""Columns of a corpus: read from the file, or computed by the score of that name."""

from pathlib import Path

import numpy as np
import pytest

from freerun.columns import columns_of, score_of
from freerun.corpora.corpus import Corpus, open_corpus
from freerun.corpora.encode import encode_split
from freerun.corpora.store import EncodedSplit
from freerun.errors import UsageError
from freerun.representations.smiles import Smiles
from freerun.scores import SCORES


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Corpus, EncodedSplit]:
    monkeypatch.setenv("FREERUN_CACHE", str(tmp_path / "cache"))
    rows = [f"{'C' * (i + 1)}O,{i if i % 7 else ''},{'even' if i % 2 == 0 else 'odd'},{i}" for i in range(40)]
    rows[3] = "C(C,3,odd,3"
    (tmp_path / "mine.csv").write_text("SMILES,weighed,kind,LogP\n" + "\n".join(rows) + "\n")
    corpus = open_corpus(str(tmp_path / "mine.csv"))
    return corpus, encode_split(corpus, "train", Smiles())


def test_columns_of_the_file_stand_beside_their_own_strings(opened):
    corpus, encoded = opened
    said: list[str] = []
    found = columns_of(corpus, "train", encoded, ["kind", "weighed"], said.append)
    assert list(found) == ["kind", "weighed"]
    lengths = [len(string) - 2 for string in encoded.strings(range(len(encoded)))]
    assert found["kind"].tolist() == ["even" if i % 2 == 0 else "odd" for i in lengths]
    np.testing.assert_array_equal(found["weighed"], [i if i % 7 else np.nan for i in lengths])
    assert any("weighed" in line and "missing" in line for line in said)


def test_a_column_that_the_file_lacks_is_computed_once(opened, monkeypatch):
    corpus, encoded = opened
    said: list[str] = []
    found = columns_of(corpus, "train", encoded, ["TPSA"], said.append)
    strings = encoded.strings(range(len(encoded)))
    np.testing.assert_array_equal(found["TPSA"], SCORES["tpsa"](strings))
    assert "TPSA is no column" in said[0]
    monkeypatch.setattr("freerun.columns.values_of", lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(columns_of(corpus, "train", encoded, ["TPSA"], said.append)["TPSA"], found["TPSA"])


def test_a_column_of_other_capitals_is_not_taken_and_that_is_said(opened):
    said: list[str] = []
    corpus, encoded = opened
    columns_of(corpus, "train", encoded, ["logp"], said.append)
    assert "it has 'LogP'" in said[0]


def test_what_is_neither_column_nor_score_is_refused_with_what_there_is(opened):
    corpus, encoded = opened
    with pytest.raises(UsageError, match=r"no column 'weihed'.*'kind', 'weighed'.*did you mean 'weighed'"):
        columns_of(corpus, "train", encoded, ["weihed"], lambda _: None)


def test_scores_are_found_whatever_the_capitals():
    assert score_of("QED") is SCORES["qed"]
    assert score_of("nothing") is None
    assert score_of("similarity:CCO") is not None
