from pathlib import Path

import pytest

from freerun.corpora.containers import existing
from freerun.corpora.reading import Reading, Refusal
from freerun.corpora.tables import _MAX_ROW_LINES, guessed_column, open_table
from freerun.errors import UsageError


def table(path: str, column: str | None = None):
    return open_table(existing(Path(path)), None, column)


def read(path: str, columns: tuple[str, ...] = (), column: str | None = None) -> list:
    return list(table(path, column).records(Reading(), columns))


def test_quoted_fields_hold_delimiters_quotes_and_line_ends(write):
    path = write("a.csv", 'id,text\n1,"a, b"\n2,"he said ""no"""\n3,"two\nlines"\n4,c\n')
    assert [record[:2] for record in read(path)] == [
        (2, "a, b"),
        (3, 'he said "no"'),
        (4, "two\nlines"),
        (6, "c"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_seen_in_the_header(write, delimiter):
    path = write("a.csv", f"smiles{delimiter}logp\nCCO{delimiter}1.5\n")
    assert read(path, ("logp",)) == [(2, "CCO", ["1.5"])]


def test_a_bad_row_costs_itself_only(write):
    path = write("a.csv", "smiles,logp\nCCO,1\n,2\nCCC\nCCN,3,4\nCC,5,\n\nCCCl,6\n")
    records = read(path, ("logp",))
    assert [record for record in records if isinstance(record[1], str)] == [
        (2, "CCO", ["1"]),
        (4, "CCC", [""]),
        (6, "CC", ["5"]),
        (8, "CCCl", ["6"]),
    ]
    reasons = {record[0]: record[1].reason for record in records if isinstance(record[1], Refusal)}
    assert "nothing in column 'smiles'" in reasons[3]
    assert "3 fields where the header has 2" in reasons[5]


@pytest.mark.parametrize("n_after", [1, 3 * _MAX_ROW_LINES])
def test_a_quote_that_never_closes_costs_its_own_line_only(write, n_after):
    rows = [f"C{'C' * (i % 9)},{i}" for i in range(n_after)]
    path = write("a.csv", "\n".join(["smiles,logp", "CO,0", '"CN,1', *rows]))
    records = read(path, ("logp",))
    assert [record[0] for record in records if isinstance(record[1], Refusal)] == [3]
    assert [record[2] for record in records if record[0] > 3] == [[str(i)] for i in range(n_after)]


def test_text_behind_a_closing_quote_is_refused(write):
    records = read(write("a.csv", 'smiles,logp\n"CC"O,0\nCN,1\n'))
    assert [record[1] if isinstance(record[1], str) else record[0] for record in records] == [2, "CN"]


def test_lines_refused_before_they_are_rows_keep_their_place(write):
    records = read(write("a.csv", b"smiles\nC\nN\0N\nO\n" + b"C" * 200_000 + b"\nF\n"))
    assert [(line, isinstance(text, str)) for line, text, _ in records] == [
        (2, True),
        (3, False),
        (4, True),
        (5, False),
        (6, True),
    ]


@pytest.mark.parametrize(
    ("header", "guess"),
    [
        ("id,smiles,SMILES", "smiles"),
        ("id,Canonical_Smiles", "Canonical_Smiles"),
        ("text,smiles", "smiles"),
        ("sequence,id", "sequence"),
    ],
)
def test_a_usual_name_is_guessed(write, header, guess):
    assert table(write("a.csv", header + "\n" + ",".join("a" for _ in header.split(",")))).column == guess


def test_the_only_column_of_text_is_guessed(write):
    assert table(write("a.csv", "x,molecule,y\n1,CCO,2\n3,CCC,4\n")).column == "molecule"


def test_no_guess_among_several_lists_them():
    with pytest.raises(UsageError, match=r"--column NAME.*'a' \(text\), 'b' \(text\), 'c' \(numbers\)"):
        guessed_column({"a": "label", "b": "label", "c": "number"}, "f.csv")


def test_a_missing_column_lists_those_there_are(write):
    path = write("a.csv", "smiles,logp\nCCO,1\n")
    with pytest.raises(UsageError, match=r"has no column 'smi'; its columns are 'smiles', 'logp'"):
        table(path, "smi")
    with pytest.raises(UsageError, match=r"has no column 'qed'"):
        read(path, ("qed",))
    assert table(path).column_names() == ("smiles", "logp")
