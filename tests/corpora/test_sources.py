import re

import pytest

from freerun.corpora.corpus import open_corpus
from freerun.corpora.fetch import check
from freerun.corpora.sources import EMBEDDED, SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_a_corpus_is_described_and_pinned(name):
    source = SOURCES[name]
    assert source.description
    assert source.licence
    assert source.origin
    for file in source.files:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", file.hash)
        assert sum(map(bool, (file.embedded, file.url, file.wheel))) == 1
        assert "main/" not in file.url
        assert "master/" not in file.url
    assert {part.file for part in source.parts} == {file.name for file in source.files}
    assert {name for part in source.parts for name in part.rule.names} == set(source.splits)


def test_the_embedded_corpus_is_the_pinned_one():
    for file in SOURCES["moses-mini"].files:
        check(file, EMBEDDED / file.name)
        assert (EMBEDDED / file.name).stat().st_size == file.n_bytes


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SOURCES if name not in ("moses", "guacamol")])
def test_the_splits_have_the_sizes_that_are_stated(name):
    corpus = open_corpus(name)
    found = {split: sum(1 for _ in corpus.strings(split)) for split in corpus.splits}
    assert found == dict(SOURCES[name].splits)


@pytest.mark.slow
def test_zinc_begins_with_the_published_test_molecule():
    corpus = open_corpus("zinc250k")
    assert next(corpus.strings("test")) == (1, "CC(C)(C)c1ccc2occ(CC(=O)Nc3ccccc3F)c2c1")


@pytest.mark.slow
def test_shakespeare_is_whole_and_cut_at_nine_tenths():
    corpus = open_corpus("tinyshakespeare")
    train = "".join(text for _, text in corpus.strings("train"))
    valid = "".join(text for _, text in corpus.strings("valid"))
    assert len(train) == int(0.9 * 1_115_394)
    assert len(train + valid) == 1_115_394
    assert len(set(train + valid)) == 65
