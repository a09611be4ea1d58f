"""The log of a search: what is whole comes back bit for bit, what was cut short is dropped."""

import numpy as np
import pytest

from freerun.errors import FreerunError
from freerun.search.history import Asked, History, Log

ROUNDS = (
    Asked(("a", "b\n"), np.array([[0.1, 1 / 3], [2.0, -5e-9]]), np.array([1.5, -1 / 7])),
    Asked((), np.zeros((0, 2)), np.zeros(0)),
    Asked(("c",), np.array([[7.0, 8.0]]), np.array([2.5])),
)


def same(one: Asked, other: Asked) -> bool:
    return one.strings == other.strings and np.array_equal(one.z, other.z) and np.array_equal(one.totals, other.totals)


@pytest.fixture
def log(tmp_path) -> Log:
    log = Log(tmp_path / "queries.jsonl", {"seed": 3, "protocol": "p"})
    for number, asked in enumerate(ROUNDS):
        log.append(number, asked)
    return log


def test_rounds_come_back_exactly_the_empty_ones_too(log):
    assert all(map(same, log.rounds(2), ROUNDS))
    assert len(log.rounds(2)) == 3


@pytest.mark.parametrize("n_bytes", range(1, 330, 7))
def test_a_log_cut_anywhere_gives_its_whole_rounds_and_goes_on(log, n_bytes):
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-n_bytes] if n_bytes < len(whole) else b"")
    found = log.rounds(2)
    assert all(map(same, found, ROUNDS))
    assert len(found) < 3
    for number in range(len(found), 3):
        log.append(number, ROUNDS[number])
    assert log.path.read_bytes() == whole


def test_a_log_of_another_search_is_refused(log):
    with pytest.raises(FreerunError, match="other settings"):
        Log(log.path, {"seed": 4, "protocol": "p"}).rounds(2)


def test_queries_are_those_of_all_rounds_and_none_of_the_start():
    history = History(ROUNDS[0], ROUNDS)
    assert history.n_queries == 3
    assert history.queried.strings == ("a", "b\n", "c")
    assert History(ROUNDS[0]).queried.z.shape == (0, 2)
