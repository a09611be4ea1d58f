import hashlib
import subprocess
import sys

import pytest

from freerun.corpora.fetch import fetch, local_file
from freerun.corpora.pinned import PinnedFile
from freerun.errors import FreerunError, UsageError

GOOD = b"CCO\n"
HASH = f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
BY_URL = PinnedFile("a.smi", HASH, 4, url="https://example.invalid/a.smi")
BY_WHEEL = PinnedFile("a-1.whl", HASH, 4, wheel="a==1")


@pytest.fixture
def no_network(monkeypatch):
    """Any connection fails as it does without a network."""
    import requests

    def refuse(*_, **__):
        raise requests.ConnectionError("Max retries exceeded with url: /a.smi (Caused by ...)")

    monkeypatch.setattr(requests, "get", refuse)


def test_a_file_of_the_right_hash_needs_no_network(data, no_network):
    (data / "a.smi").write_bytes(GOOD)
    assert local_file(BY_URL) == data / "a.smi"


def test_a_file_of_the_wrong_hash_is_never_used(data, no_network):
    (data / "a.smi").write_bytes(b"CCC\n")
    with pytest.raises(FreerunError) as caught:
        local_file(BY_URL)
    message = str(caught.value)
    assert str(data / "a.smi") in message
    assert HASH.split(":")[1] in message
    assert hashlib.sha256(b"CCC\n").hexdigest() in message
    assert "delete it" in message


def test_md5_is_checked_where_nothing_better_is_published(data, no_network):
    md5 = PinnedFile("a.smi", f"md5:{hashlib.md5(GOOD).hexdigest()}", 4, url="https://example.invalid/a.smi")
    (data / "a.smi").write_bytes(GOOD)
    assert local_file(md5)
    (data / "a.smi").write_bytes(b"x")
    with pytest.raises(FreerunError, match="MD5"):
        local_file(md5)


def test_without_a_network_one_line_names_the_file_and_the_folder(data, no_network):
    with pytest.raises(FreerunError) as caught:
        local_file(BY_URL)
    message = str(caught.value)
    assert "\n" not in message
    assert "no network" in message
    for part in ("a.smi", BY_URL.url, str(data), HASH.split(":")[1]):
        assert part in message


class Response:
    """What requests gives, for a body that comes in pieces."""

    def __init__(self, body: bytes):
        self._body = body
        self.headers = {"content-length": str(len(body))}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def raise_for_status(self):
        pass

    def iter_content(self, chunk_size: int):
        del chunk_size
        yield self._body[:2]
        yield self._body[2:]

    def close(self):
        pass


def test_what_is_fetched_is_kept_and_told(data, monkeypatch):
    import requests

    monkeypatch.setattr(requests, "get", lambda *_, **__: Response(GOOD))
    told = []
    assert local_file(BY_URL, lambda *args: told.append(args)).read_bytes() == GOOD
    assert told[-1] == ("a.smi", 4, 4)
    assert [path.name for path in data.iterdir()] == ["a.smi"]


def test_a_download_with_another_hash_is_thrown_away(data, monkeypatch):
    import requests

    monkeypatch.setattr(requests, "get", lambda *_, **__: Response(b"evil"))
    with pytest.raises(FreerunError, match="another hash"):
        local_file(BY_URL)
    assert list(data.iterdir()) == []


def test_a_wheel_is_fetched_by_pip_without_a_shell(data, monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        (data / "a-1.whl").write_bytes(GOOD)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert local_file(BY_WHEEL) == data / "a-1.whl"
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary", ":all:", "a==1", str(data)} <= set(command)


@pytest.mark.parametrize(
    "stderr", ["python: No module named pip\n", "WARNING: retry\nERROR: no matching distribution\n"]
)
def test_without_pip_one_line_names_the_file_and_the_folder(data, monkeypatch, stderr):
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", stderr))
    with pytest.raises(FreerunError) as caught:
        local_file(BY_WHEEL)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("a-1.whl", str(data), stderr.splitlines()[-1]):
        assert part in message


def test_an_unknown_corpus_lists_those_there_are(data):
    with pytest.raises(UsageError, match=r"no corpus 'mose'.*moses-mini, moses,"):
        fetch(["mose"])
    assert list(fetch(["moses-mini"])) == ["moses-mini"]
