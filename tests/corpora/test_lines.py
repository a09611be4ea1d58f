import gzip
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from freerun.corpora.containers import Stream, existing
from freerun.corpora.lines import MAX_LINE, TextLines, Windows, numbered_lines
from freerun.corpora.reading import Reading, Refusal
from freerun.errors import UsageError


def lines_of(data: bytes, reading: Reading | None = None) -> list[tuple[int, str | Refusal]]:
    return list(numbered_lines(Stream(io.BytesIO(data), "f"), "f", reading or Reading()))


@pytest.mark.parametrize(
    "data",
    [b"a\nb\n", b"a\nb", b"a\r\nb\r\n", b"a\r\nb", b"a\r\nb\r", b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\r\nb"],
)
def test_line_ends_and_byte_order_marks_are_no_part_of_a_line(data):
    assert lines_of(data) == [(1, "a"), (2, "b")]


def test_a_line_that_is_not_utf8_is_latin1_and_said_once():
    reading = Reading()
    data = "é\n".encode() + "naïve\nfür\n".encode("latin-1")
    assert lines_of(data, reading) == [(1, "é"), (2, "naïve"), (3, "für")]
    assert len(reading.notes) == 1
    assert "Latin-1" in reading.notes[0]


def test_control_characters_refuse_their_own_line_only():
    (_, a), (_, refused), (_, b) = lines_of(b"a\nx\x00y\nb\n")
    assert (a, b) == ("a", "b")
    assert isinstance(refused, Refusal)
    assert (refused.line, refused.position) == (2, 1)


def test_a_tab_is_text():
    assert lines_of(b"a\tb\n") == [(1, "a\tb")]


@pytest.mark.parametrize("n", [MAX_LINE + 1, 10_000_000])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_too_long_is_refused_and_reading_goes_on(n, end):
    (_, a), (number, refused), *rest = lines_of(b"a\n" + b"x" * n + (b"\nb\n" if end else b""))
    assert a == "a"
    assert isinstance(refused, Refusal)
    assert number == refused.line == 2
    assert "longer than" in refused.reason
    assert rest == ([(3, "b")] if end else [])


def test_the_longest_line_allowed_is_read():
    assert lines_of(b"x" * MAX_LINE + b"\n") == [(1, "x" * MAX_LINE)]


class Endless(io.RawIOBase):
    """200 MB of one line, then another line."""

    def __init__(self):
        self._left = 200

    def read(self, n: int = -1) -> bytes:
        self._left -= 1
        return b"x" * (1 << 20) if self._left > 0 else b"\nb\n" if self._left == 0 else b""


def test_a_huge_line_is_read_in_bounded_memory():
    tracemalloc.start()
    try:
        found = list(numbered_lines(Stream(Endless(), "f"), "f", Reading()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found[1] == (2, "b")
    assert peak < 8e6


def test_lines_across_blocks_are_whole():
    expected = [f"line {i} " + "y" * (i % 300) for i in range(20_000)]
    data = "\n".join(expected).encode()
    assert len(data) > 3 << 20
    assert [text for _, text in lines_of(data)] == expected


def strings(reader) -> Iterator[str]:
    return (text for _, text, _ in reader.records(Reading()))


def test_text_keeps_the_whole_line_and_smi_its_first_field(write):
    file = existing_file(write("a.txt", "CCO ethanol\n\n   \n  b \n"))
    assert list(strings(TextLines(file))) == ["CCO ethanol", "  b "]
    assert list(strings(TextLines(file, strip=True))) == ["CCO ethanol", "b"]
    assert list(strings(TextLines(file, first_field=True))) == ["CCO", "b"]


def test_a_header_of_smi_is_no_molecule(write):
    reading = Reading()
    file = existing_file(write("a.smi", "SMILES name\nCCO ethanol\n"))
    assert [record[:2] for record in TextLines(file, first_field=True).records(reading)] == [(2, "CCO")]
    assert "header" in reading.notes[0]


def test_gzip_is_seen_by_its_bytes(write):
    file = existing_file(write("a.txt", gzip.compress(b"a\nb\n")))
    assert list(strings(TextLines(file))) == ["a", "b"]


def test_plain_lines_have_no_columns(write):
    reader = TextLines(existing_file(write("a.txt", "a\n")))
    with pytest.raises(UsageError, match="no column 'logp'"):
        list(reader.records(Reading(), ("logp",)))


def test_windows_cover_the_text_and_begin_anew_at_a_break(write):
    text = "".join(chr(97 + i % 26) + "\n" for i in range(50))
    reader = Windows(existing_file(write("a.txt", text)), 16, (40,))
    windows = list(strings(reader))
    assert "".join(windows) == text
    assert [len(window) for window in windows] == [16, 16, 8, 16, 16, 16, 12]


def existing_file(path: str):
    from pathlib import Path

    return existing(Path(path))
