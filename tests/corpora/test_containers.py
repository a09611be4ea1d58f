import gzip
import io
import os
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from freerun.corpora.containers import File, existing, spooled, standard_input
from freerun.errors import FreerunError, UsageError


def content(file: File) -> bytes:
    with file.open() as stream:
        return stream.read()


def test_members_of_a_wheel_and_of_a_tar_archive_are_found(tmp_path):
    inner = gzip.compress(b"CCO\n")
    wheel, archive = tmp_path / "a.whl", tmp_path / "a.txt.gz"
    with zipfile.ZipFile(wheel, "w") as out:
        out.writestr("data/train.csv.gz", inner)
    with tarfile.open(archive, "w:gz") as out:
        entry = tarfile.TarInfo("zinc.txt")
        entry.size = 4
        out.addfile(entry, io.BytesIO(b"CCO\n"))
    assert content(File(wheel, "a", "data/train.csv.gz")) == b"CCO\n"
    assert content(File(archive, "a", "zinc.txt")) == b"CCO\n"
    for path in (wheel, archive):
        with pytest.raises(FreerunError, match=r"cannot read a: .*other\.txt"):
            content(File(path, "a", "other.txt"))


def test_a_cut_gzip_file_is_one_clear_line(write):
    path = write("a.smi.gz", gzip.compress(os.urandom(10_000))[:5_000])
    with pytest.raises(FreerunError, match=r"a\.smi\.gz cannot be read to its end"):
        content(existing(Path(path)))


def test_what_is_no_file_is_said(tmp_path, write):
    with pytest.raises(UsageError, match="is a folder"):
        existing(tmp_path)
    with pytest.raises(UsageError, match="there is no file"):
        existing(tmp_path / "none.smi")
    with pytest.raises(FreerunError, match="is empty"):
        existing(Path(write("a.smi", "")))


def test_a_file_that_may_not_be_read_is_said(write, monkeypatch):
    path = Path(write("a.smi", "C\n"))

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(FreerunError, match=r"cannot read .*a\.smi: Permission denied"):
        existing(path)


def test_standard_input_is_copied_once_and_goes_when_it_is_let_go(monkeypatch):
    class Input:
        buffer = io.BytesIO(b"CCO\nCCC\n")

    monkeypatch.setattr(sys, "stdin", Input)
    standard_input.cache_clear()
    file = standard_input()
    assert content(file) == content(standard_input()) == b"CCO\nCCC\n"
    path = file.path
    standard_input.cache_clear()
    del file
    assert not path.exists()
    with pytest.raises(FreerunError, match="standard input is empty"):
        standard_input()


def test_a_pipe_is_copied_as_standard_input_is(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(b"CCO\n",))
    writer.start()
    file = existing(fifo)
    writer.join()
    assert content(file) == content(file) == b"CCO\n"
    assert file.name == str(fifo)


def test_the_digest_is_that_of_the_bytes(write):
    path = write("a.smi", "CCO\n")
    assert existing(Path(path)).digest == spooled(io.BytesIO(b"CCO\n"), "x").digest
    assert File(Path(path), "a", pinned="known").digest == "known"
