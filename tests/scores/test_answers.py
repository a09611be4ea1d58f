"""Files of ratings as people write them, and how well raters agree."""

import math
from pathlib import Path

import pytest

from freerun.errors import FreerunError, UsageError
from freerun.scores.answers import Answer, rater_consistency, read_answers


def read(folder: Path, content: str | bytes):
    path = folder / "people.csv"
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return read_answers(path)


def test_molecules_are_known_by_their_canonical_smiles(tmp_path):
    found = read(tmp_path, "string,rating,rater\nOCC,4,ann\nC(C)O,2.5,ben\n")
    assert found.is_chemical
    assert found.answers == (Answer("CCO", 4.0, "ann"), Answer("CCO", 2.5, "ben"))
    assert found.by_string() == {"CCO": [4.0, 2.5]}


def test_sentences_are_kept_as_they_are(tmp_path):
    found = read(tmp_path, 'string,rating\n"I, too",1\nI am,2\n" I\nsay ""no""",3\n')
    assert not found.is_chemical  # though RDKit reads the first word as iodine
    assert [answer.string for answer in found.answers] == ["I, too", "I am", ' I\nsay "no"']


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_byte_order_marks_delimiters_and_windows_line_ends_are_read(tmp_path, delimiter):
    rows = [["rater", "rating", "string"], ["ann", "3", '"x, y; z\t"'], ["", "1e0", "w"]]
    text = "\ufeff" + "".join(delimiter.join(row) + "\r\n" for row in rows)
    assert read(tmp_path, text).answers == (Answer("x, y; z\t", 3.0, "ann"), Answer("w", 1.0))


def test_what_is_left_out_is_counted_by_its_reason(tmp_path):
    found = read(tmp_path, "string,rating\nCCO,4\nC1CC,5\nCO,\nCN,2\n,3\nCS, \n")
    assert [answer.string for answer in found.answers] == ["CCO", "CN"]
    assert found.remarks == (
        "left out: 1 string that are no molecules",
        "left out: 2 rows without a rating",
        "left out: 1 row that cannot be read",
    )


def test_a_rating_that_is_no_number_is_told_with_line_and_value(tmp_path):
    for cell in ("good", "nan", "inf", '"3,5"'):
        with pytest.raises(UsageError) as caught:
            read(tmp_path, f"string,rating\nCCO,4\nCO,{cell}\n")
        assert f"people.csv, line 3, column rating: {cell.strip(chr(34))!r} is no number" in str(caught.value)


def test_a_missing_column_is_told_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"no column 'rating', did you mean 'Ratings'\?"):
        read(tmp_path, "string,Ratings\nCCO,4\n")
    with pytest.raises(UsageError, match=r"no column 'string'"):
        read(tmp_path, "CCO,4\nCO,3\n")


def test_a_file_without_ratings_or_no_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no rows"):
        read(tmp_path, "string,rating\n")
    with pytest.raises(UsageError, match="2 rows without a rating, and nothing else"):
        read(tmp_path, "string,rating\nCCO,\nCO,\n")
    with pytest.raises(FreerunError, match="is empty"):
        read(tmp_path, "")
    with pytest.raises(UsageError, match="there is no file"):
        read_answers(tmp_path / "nobody.csv")


def test_consistency_is_the_mean_difference_of_pairs(tmp_path):
    found = read(
        tmp_path,
        "string,rating,rater\na b,1,ann\na b,3,ann\na b,4,ann\nc d,5,ben\nc d,5,ben\nc d,2,ann\na b,5,ben\ne,1,eve\n",
    )
    told = rater_consistency(found)
    assert told.n_own == 4  # three pairs of ann's, one of ben's
    assert told.own == pytest.approx((2 + 3 + 1 + 0) / 4)
    assert told.n_between == 2
    assert told.between == pytest.approx((abs(8 / 3 - 5) + 3) / 2)


def test_consistency_without_repeats_is_no_number(tmp_path):
    told = rater_consistency(read(tmp_path, "string,rating\na b,1\nc d,2\n"))
    assert math.isnan(told.own)
    assert math.isnan(told.between)
    assert (told.n_own, told.n_between) == (0, 0)
