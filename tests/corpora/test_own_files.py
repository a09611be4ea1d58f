import io
import os
import sys

import pytest

from freerun.corpora.containers import standard_input
from freerun.corpora.lines import TextLines
from freerun.corpora.own_files import open_file
from freerun.corpora.reading import Reading
from freerun.corpora.tables import Table
from freerun.errors import FreerunError, UsageError


def strings(name: str, column: str | None = None) -> list:
    return [text for _, text, _ in open_file(name, column).records(Reading())]


@pytest.mark.parametrize("suffix", [".smi", ".SMI", ".smiles", ".smi.gz"])
def test_smi_files_end_the_string_at_white_space(write, suffix):
    assert strings(write(f"a{suffix}", "CCO ethanol\nCCC\tpropane\n")) == ["CCO", "CCC"]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.txt.gz"])
def test_text_files_keep_the_line(write, name):
    assert strings(write(name, "a b\nc\n")) == ["a b", "c"]


def test_tables_by_suffix(write):
    assert strings(write("a.tsv", "id\ttext\n1\ta, b\n")) == ["a, b"]
    assert strings(write("a.csv", "smiles\nCCO\n")) == ["CCO"]


def test_an_unknown_suffix_names_the_known_ones(write):
    with pytest.raises(UsageError, match=r"suffix '\.sdf'.*\.smi \.smiles \.txt \.csv \.tsv \.parquet"):
        open_file(write("a.sdf", "x\n"))


def test_a_column_of_plain_lines_is_refused(write):
    with pytest.raises(UsageError, match="no column 'smiles'"):
        open_file(write("a.smi", "C\n"), "smiles")


@pytest.mark.parametrize("junk", [b"\x7fELF\x02\x01\x01\0\0\0", bytes(range(256)) * 20, b"\x1b\x01\x02 abc"])
def test_binary_junk_is_no_text(write, junk):
    with pytest.raises(FreerunError, match=r"a\.smi is not a text file \(byte 0x"):
        open_file(write("a.smi", junk))


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_are_no_text(write, seed):
    with pytest.raises(FreerunError, match=r"not a text file|cannot be read|UTF-16"):
        open_file(write("a.txt", os.urandom(4096)))


def test_utf16_is_named(write):
    with pytest.raises(FreerunError, match="is UTF-16; convert it"):
        open_file(write("a.csv", "smiles\nC\n".encode("utf-16")))


@pytest.mark.parametrize("blank", ["\n", "  \n\r\n\t\n"])
def test_a_file_of_blank_lines_is_empty(write, blank):
    with pytest.raises(FreerunError, match="is empty"):
        open_file(write("a.smi", blank))


@pytest.mark.parametrize(
    ("data", "column", "kind"),
    [
        (b"CCO\nCCC\n", None, TextLines),
        (b"id,smiles\n1,CCO\n", None, Table),
        (b"\xef\xbb\xbfSMILES\nCCO\n", None, Table),
        (b"molecule;logp\nCCO;1\n", "molecule", Table),
        (b"a sentence, with a text\n", None, TextLines),
    ],
)
def test_standard_input_is_a_table_if_it_looks_like_one(monkeypatch, data, column, kind):
    class Input:
        buffer = io.BytesIO(data)

    monkeypatch.setattr(sys, "stdin", Input)
    standard_input.cache_clear()
    assert isinstance(open_file("-", column), kind)
