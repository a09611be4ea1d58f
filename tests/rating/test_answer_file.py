"""Answers are on the disk as soon as they are given, and whoever comes next goes on."""

from pathlib import Path

import pytest

from freerun.errors import FreerunError, UsageError
from freerun.rating.answer_file import AnswerFile
from freerun.scores.answers import Answer, read_answers


def row(string: str, rating: int, rater: str = "ann", order: int = 1) -> dict[str, object]:
    return {"string": string, "rating": rating, "rater": rater, "seconds": "1.5", "order": order}


def test_every_answer_can_be_read_as_soon_as_it_is_given(tmp_path):
    path = tmp_path / "people.csv"
    file = AnswerFile(path)
    assert not path.exists()
    odd = ['a "quoted", b', "two\nlines", "</script>", "=1+1", " x "]
    for place, string in enumerate(odd, 1):
        file.append(row(string, place))
        found = read_answers(path).answers
        assert found == tuple(Answer(string, float(i), "ann") for i, string in enumerate(odd[:place], 1))


def test_a_file_that_stands_there_is_gone_on_with_in_its_own_columns(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("rating;note;string\n3;mine;a b", "utf-8")  # no line end at its end
    file = AnswerFile(path)
    file.append(row("c;d", 4))
    assert path.read_text("utf-8") == 'rating;note;string\n3;mine;a b\n4;;"c;d"\n'
    assert file.rated("anybody") == {"a b": 1, "c;d": 1}


def test_only_ones_own_ratings_count_as_rated(tmp_path):
    file = AnswerFile(tmp_path / "people.csv")
    for string, rater in [("OCC", "ann"), ("CCO", "ann"), ("CCO", "ben"), ("CN", "ben")]:
        file.append(row(string, 3, rater))
    assert file.rated("ann") == {"CCO": 2}
    assert file.rated("ben") == {"CCO": 1, "CN": 1}
    assert file.rated("eve") == {}


def test_what_is_taken_back_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "people.csv"
    file = AnswerFile(path)
    file.append(row("a b", 3))
    before = path.read_bytes()
    file.append(row("c d", 4))
    file.take_back()
    assert path.read_bytes() == before
    file.take_back()
    assert path.read_bytes() == b""
    file.append(row("e f", 5))
    assert [answer.string for answer in read_answers(path).answers] == ["e f"]


def test_a_file_of_something_else_is_not_touched(tmp_path):
    path = Path(tmp_path / "people.csv")
    path.write_text("smiles,qed\nCCO,0.4\n", "utf-8")
    with pytest.raises(UsageError, match="no column 'string'"):
        AnswerFile(path)
    assert path.read_text("utf-8") == "smiles,qed\nCCO,0.4\n"


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(FreerunError, match=r"cannot write .*: No such file or directory"):
        AnswerFile(tmp_path / "nowhere" / "people.csv").append(row("a", 1))
