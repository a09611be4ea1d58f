import functools
import gzip
import operator
import os

import numpy as np
import pytest

from freerun.corpora.corpus import open_corpus
from freerun.corpora.reading import Reading
from freerun.errors import FreerunError, UsageError


def strings(corpus, split: str) -> list[str]:
    return [text for _, text in corpus.strings(split)]


def lines(n: int) -> str:
    return "".join(f"C{'C' * (i % 40)}{i}\n" for i in range(n))


def test_the_splits_of_an_own_file_hold_every_line_once(write):
    corpus = open_corpus(write("a.txt", lines(1000)))
    assert corpus.splits == ("train", "valid", "test")
    parts = {split: strings(corpus, split) for split in corpus.splits}
    assert {split: len(part) for split, part in parts.items()} == {"train": 900, "valid": 50, "test": 50}
    assert sorted(functools.reduce(operator.iadd, parts.values(), [])) == sorted(lines(1000).split())
    assert strings(corpus, "train+valid+test") == lines(1000).split()


def test_line_numbers_are_those_of_the_file(write):
    corpus = open_corpus(write("a.txt", "a\n\nb\nc\n"))
    assert list(corpus.strings("train+valid+test")) == [(1, "a"), (3, "b"), (4, "c")]


def test_a_refused_line_moves_no_other_to_another_split(write):
    good = lines(200).splitlines()
    bad = [*good[:37], "\x01", *good[38:]]
    one, other = open_corpus(write("a.txt", "\n".join(good))), open_corpus(write("b.txt", "\n".join(bad)))
    for split in one.splits:
        assert [text for text in strings(one, split) if text != good[37]] == strings(other, split)


def test_refusals_belong_to_the_split_of_their_line(write):
    corpus = open_corpus(write("a.txt", "\n".join(["\x01", "a"] * 200)))
    counts = {}
    for split in corpus.splits:
        reading = Reading()
        list(corpus.strings(split, reading))
        counts[split] = reading.refusals.count
    assert sum(counts.values()) == 200
    assert all(0 < counts[split] < 200 for split in corpus.splits)


def test_two_lines_are_enough_for_a_validation(write):
    corpus = open_corpus(write("a.smi", "CCO\nCCC\n"))
    assert [len(strings(corpus, split)) for split in corpus.splits] == [1, 1, 0]


def test_columns_are_aligned_with_the_strings(write):
    rows = [f"C{'C' * (i % 30)},{i},{'' if i % 7 == 0 else i / 2},{'ab'[i % 2]}" for i in range(300)]
    rows[11] = ",11,5,a"
    path = write("a.csv", "\n".join(["smiles,id,logp,set", *rows]))
    corpus = open_corpus(path, columns=["logp", "set", "id"])
    for split in corpus.splits:
        reading = Reading()
        columns = corpus.columns(split, reading)
        found = list(corpus.strings(split))
        assert len(found) == len(columns["logp"]) == len(columns["set"])
        np.testing.assert_array_equal(columns["id"], [line - 2 for line, _ in found])
        expected = [np.nan if i % 7 == 0 else i / 2 for i in columns["id"]]
        np.testing.assert_array_equal(columns["logp"], expected)
        assert columns["set"].tolist() == ["ab"[int(i) % 2] for i in columns["id"]]
        assert any("'logp'" in note for note in reading.notes)
    assert open_corpus(path).columns("train") == {}


def test_a_missing_property_column_is_said_when_the_corpus_is_opened(write):
    with pytest.raises(UsageError, match="no column 'qed'; its columns are 'smiles'"):
        open_corpus(write("a.csv", "smiles\nC\n"), columns=["qed"])
    with pytest.raises(UsageError, match="no column 'qed'"):
        open_corpus(write("a.smi", "C\n"), columns=["qed"])


def test_max_lines_takes_the_first_of_each_split(write):
    path = write("a.txt", lines(1000))
    few, all_of_it = open_corpus(path, max_lines=30), open_corpus(path)
    assert strings(few, "train") == strings(all_of_it, "train")[:30]
    assert strings(few, "valid") == strings(all_of_it, "valid")[:30]
    with pytest.raises(UsageError, match="max_lines is 0"):
        open_corpus(path, max_lines=0)


def test_the_content_key_changes_with_all_that_changes_the_strings(write):
    path = write("a.csv", "smiles,other\n" + "\n".join(f"{text},{text}O" for text in lines(100).split()))
    keys = [
        open_corpus(path).content_key("train"),
        open_corpus(path).content_key("valid"),
        open_corpus(path, column="other").content_key("train"),
        open_corpus(path, seed=1).content_key("train"),
        open_corpus(path, max_lines=5).content_key("train"),
        open_corpus(path, standardize="parent").content_key("train"),
        open_corpus(write("b.csv", "smiles,other\nC,C\n")).content_key("train"),
    ]
    assert len(set(keys)) == len(keys)


def test_the_content_key_does_not_depend_on_name_or_properties(write):
    text = "smiles,logp\nC,1\nCC,2\n"
    one, other = open_corpus(write("a.csv", text)), open_corpus(write("b.csv", text), columns=["logp"])
    assert one.content_key("train") == other.content_key("train")
    assert one.content_key("train+valid") == one.content_key("valid+train")


def test_the_embedded_corpus_needs_nothing(data):
    corpus = open_corpus("moses-mini")
    assert corpus.splits == ("train", "valid", "test")
    assert len(strings(corpus, "train+valid")) == 20_000
    assert len(strings(corpus, "test")) == 2_000
    assert len(strings(corpus, "valid")) == 400
    assert corpus.facts["licence"] == "MIT"
    assert corpus.content_key("test") == open_corpus("moses-mini", seed=5).content_key("test")


def test_an_unknown_name_gets_a_hint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no file and no corpus 'moses_mini'; did you mean 'moses-mini'"):
        open_corpus("moses_mini")
    with pytest.raises(UsageError, match="there is no file"):
        open_corpus("sub/none.smi")
    with pytest.raises(UsageError, match="a named corpus"):
        open_corpus("moses-mini", column="smiles")
    with pytest.raises(UsageError, match="standardize is 'salts'; it must be one of none, parent"):
        open_corpus("moses-mini", standardize="salts")


def test_an_unknown_split_lists_those_there_are(write):
    with pytest.raises(UsageError, match="has no split 'dev'; it has train, valid, test"):
        list(open_corpus(write("a.smi", "C\n")).strings("train+dev"))


def test_a_table_of_nothing_but_a_header_is_empty(write):
    corpus = open_corpus(write("a.csv", "smiles\n"))
    with pytest.raises(FreerunError, match=r"a\.csv holds no strings"):
        list(corpus.strings("train"))


def test_crlf_bom_and_latin1_together(write):
    data = b"\xef\xbb\xbfsmiles,name\r\nCCO,\xe9thanol\r\nCCC,propane\r\n"
    for name, content in (("a.csv", data), ("a.csv.gz", gzip.compress(data))):
        corpus = open_corpus(write(name, content), columns=["name"])
        reading = Reading()
        assert strings(corpus, "train+valid+test") == ["CCO", "CCC"]
        assert corpus.columns("train+valid+test", reading)["name"].tolist() == ["éthanol", "propane"]
        assert sum("Latin-1" in note for note in reading.notes) == 1


def test_junk_behind_a_good_beginning_costs_its_own_lines(write):
    junk = os.urandom(50_000).replace(b"\n", b"\0")
    corpus = open_corpus(write("a.smi", b"CCO\n" * 20_000 + junk + b"\nCCC\n"))
    reading = Reading()
    found = list(corpus.strings("train+valid+test", reading))
    assert found[-1] == (20_002, "CCC")
    assert len(found) == 20_001
    assert reading.refusals.count == 1
