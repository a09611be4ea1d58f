import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freerun.chemistry import LONGEST
from freerun.corpora import encode, workers
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, encode_texts, fit
from freerun.errors import FreerunError
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

EVERYTHING = "train+valid+test"
MOLECULES = ["CCO", "c1ccccc1Cl", "C[C@H](N)O", "BrCC", "CCO", "C%10CC%10"]


@pytest.fixture
def corpus(write):
    return open_corpus(write("a.smi", "\n".join([MOLECULES[0], "C(", "", *MOLECULES[1:], "C C"])))


def test_rows_are_the_tokens_of_the_strings(corpus, cache):
    encoded = encode_split(corpus, EVERYTHING, Smiles())
    assert encoded.strings() == [*MOLECULES, "C"]
    assert [encoded.tokens(row) for row in range(len(encoded))] == [Smiles().tokenize(s) for s in [*MOLECULES, "C"]]
    assert encoded.strings([4, 1]) == [MOLECULES[4], MOLECULES[1]]
    assert encoded.lengths.tolist() == [len(Smiles().tokenize(s)) for s in [*MOLECULES, "C"]]
    assert encoded.ids.dtype == np.uint8
    flat = [token for s in [*MOLECULES, "C"] for token in Smiles().tokenize(s)]
    assert dict(zip(encoded.alphabet, encoded.counts.tolist(), strict=True)) == {t: flat.count(t) for t in flat}
    assert encoded.n_tokens == len(flat)


def test_a_refused_line_is_counted_and_changes_no_other(corpus, cache):
    encoded = encode_split(corpus, EVERYTHING, Smiles())
    assert encoded.refusals.count == 1
    (refusal,) = encoded.refusals.examples
    assert (refusal.line, refusal.file) == (2, corpus.name)
    assert encoded.lines.tolist() == [1, 4, 5, 6, 7, 8, 9]
    assert encoded.records.tolist() == [0, 2, 3, 4, 5, 6, 7]


def test_columns_follow_the_rows(write, cache):
    path = write("a.csv", "smiles,y\nCCO,1\nC(,2\nCCC,3\nCCN,\n")
    corpus = open_corpus(path, columns=["y"])
    encoded = encode_split(corpus, EVERYTHING, Smiles())
    np.testing.assert_array_equal(encoded.align(corpus.columns(EVERYTHING))["y"], [1, 3, np.nan])


def test_strict_names_the_line_now_and_from_the_cache(corpus, cache):
    for _ in range(2):
        with pytest.raises(FreerunError, match="line 2, position"):
            encode_split(corpus, EVERYTHING, Smiles(), strict=True)
    assert not list((cache / "encoded").glob("*"))
    encode_split(corpus, EVERYTHING, Smiles())
    with pytest.raises(FreerunError, match="line 2, position"):
        encode_split(corpus, EVERYTHING, Smiles(), strict=True)


def test_a_corpus_whose_every_line_is_refused_has_no_rows_and_says_why(write, cache):
    encoded = encode_split(open_corpus(write("a.smi", "C(\n)C\n")), EVERYTHING, Smiles())
    assert len(encoded) == encoded.n_tokens == 0
    assert str(encoded.refusals).startswith("2 lines were left out; the first: ")
    assert "a.smi, line 1, position" in str(encoded.refusals)


def test_a_split_without_lines_has_no_rows(write, cache):
    encoded = encode_split(open_corpus(write("a.smi", "C\n")), "test", Smiles())
    assert len(encoded) == encoded.n_tokens == 0
    assert encoded.strings() == []


def test_the_second_time_nothing_is_read(corpus, cache, monkeypatch):
    first = encode_split(corpus, EVERYTHING, Smiles())
    monkeypatch.setattr(encode, "map_chunks", None)
    again = encode_split(corpus, EVERYTHING, Smiles().with_vocab(["C"]))
    assert again.strings() == first.strings()
    assert again.refusals == first.refusals
    assert again.notes == first.notes


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-3], lambda b: b[: len(b) // 2], lambda b: b"\xff" + b[1:], lambda b: b""]
)
def test_a_damaged_entry_is_made_again(corpus, cache, damage):
    path = encode_split(corpus, EVERYTHING, Smiles()).path
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert encode_split(corpus, EVERYTHING, Smiles()).strings() == [*MOLECULES, "C"]
    assert path.read_bytes() == good


def test_chunks_do_not_show(write, cache, tmp_path, monkeypatch):
    texts = [f"word{i % 700} {'abc'[i % 3]}" for i in range(1500)]
    corpus = open_corpus(write("a.txt", "\n".join(texts)))
    whole = encode_split(corpus, EVERYTHING, Text(unit="word"))
    monkeypatch.setattr(encode, "chunked", lambda records: workers.chunked(records, 7))
    pieces = encode_split(corpus, EVERYTHING, Text(unit="word"), cache=tmp_path / "other")
    assert whole.ids.dtype == np.uint16
    assert whole.strings() == texts
    assert pieces.path.read_bytes() == whole.path.read_bytes()


def test_a_monstrous_molecule_is_refused_before_rdkit_sees_it():
    reply, _ = encode_texts(Smiles(), ["C" * (LONGEST + 1), "C"])
    assert [index for index, _, _ in reply["refused"]] == [0]


def test_the_vocabulary_is_sorted_by_frequency_then_name(write, cache):
    corpus = open_corpus(write("a.txt", "bbbb\ncaa\nac\n"))
    train = encode_split(corpus, EVERYTHING, Text())
    fitted = fit(Text(), train)
    assert fitted.vocab[4:] == ("b", "a", "c")
    assert fit(Text(), train, train).vocab == fitted.vocab


def test_progress_counts_the_lines(corpus, cache):
    told = []
    encode_split(corpus, EVERYTHING, Smiles(), progress=lambda done, total: told.append((done, total)))
    assert told == [(8, 0)]
    encode_split(open_corpus("moses-mini"), "valid", Smiles(), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (400, 400)


def test_a_full_disk_is_one_clear_line(corpus, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encode, "write_entry", full)
    with pytest.raises(FreerunError, match="No space left on device"):
        encode_split(corpus, EVERYTHING, Smiles())
    assert not list((cache / "encoded").glob("*"))


@pytest.mark.slow
def test_two_processes_that_make_the_same_entry_both_succeed(write, cache):
    path = write("a.smi", "".join(f"C{'C' * (i % 50)}O\n" for i in range(20_000)))
    code = (
        "import sys; from freerun.corpora.corpus import open_corpus; from freerun.corpora.encode import encode_split; "
        "from freerun.representations.smiles import Smiles; "
        "print(len(encode_split(open_corpus(sys.argv[1]), 'train', Smiles())))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[0].split() for process in both] == [[b"18000"], [b"18000"]]
    assert len(list((cache / "encoded").iterdir())) == 1


@pytest.mark.slow
def test_processes_write_the_same_bytes_as_one(write, cache, tmp_path, monkeypatch):
    path = write("a.smi", "".join(f"C{'C' * (i % 50)}O{'(' * (i % 97 == 0)}\n" for i in range(10_000)))
    corpus = open_corpus(path)
    alone = encode_split(corpus, "train", Smiles(kekule=True), n_workers=1)
    monkeypatch.setattr(encode, "map_chunks", lambda job, chunks, n: workers.map_chunks(job, chunks, n, 0.0))
    together = encode_split(corpus, "train", Smiles(kekule=True), cache=tmp_path / "b", n_workers=3)
    assert together.path.read_bytes() == alone.path.read_bytes()
    assert alone.refusals.count > 80


def test_a_script_without_a_main_guard_can_encode(write, cache, tmp_path):
    """The worker processes do not import the user's script."""
    assert "multiprocessing" not in Path(workers.__file__).read_text()
