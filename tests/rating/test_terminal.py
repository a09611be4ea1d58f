"""A session at the terminal, key by key."""

from collections import Counter

import pytest

from freerun.rating.plan import Item, Plan
from freerun.rating.terminal import Desk, places_left, rate, read_key, shown

PLAN = Plan(
    items=(Item("CCO", "OCC"), Item("CN", "CN"), Item("CS", "CS")),
    order=(1, 0, 2, 1),
    scale=5,
    is_chemical=True,
    rater="ann",
)


def session(plan: Plan, typed: str, places: list[int] | None = None) -> tuple[int, list[dict], list[str]]:
    """The number of ratings, the rows that were kept, what was shown; every look at the clock takes two seconds."""
    lines, rows, seen = iter(typed.split()), [], []
    ticks = iter(range(0, 1000, 2))
    desk = Desk(seen.append, lambda: next(lines, None), rows.append, rows.pop, lambda: float(next(ticks)))
    n = rate(plan, list(range(len(plan.order))) if places is None else places, desk)
    return n, rows, seen


@pytest.mark.parametrize(
    ("line", "key"),
    [
        *[("3\n", 3), (" 5 ", 5), ("s", "skip"), ("Back\n", "back"), ("Q", "quit"), ("", None), ("6", None)],
        *[("0", None), ("33", None), ("\u0663", None), ("x", None), ("so", None), ("3.5", None)],
    ],
)
def test_a_line_is_a_key_or_nothing(line, key):
    assert read_key(line, 5) == key


def test_each_rating_is_a_row_under_the_canonical_smiles():
    n, rows, _ = session(PLAN, "4 2 5 1")
    assert n == 4
    assert [(row["string"], row["rating"], row["order"]) for row in rows] == [
        ("CN", 4, 1),
        ("CCO", 2, 2),
        ("CS", 5, 3),
        ("CN", 1, 4),
    ]
    assert {(row["rater"], row["seconds"]) for row in rows} == {("ann", "2.0")}


def test_the_canonical_smiles_is_shown_where_it_is_another_one():
    assert shown(PLAN, 0) == "\n1 of 4\n  CN"
    assert shown(PLAN, 1) == "\n2 of 4\n  OCC\n  canonical: CCO"


def test_no_string_gives_orders_to_the_terminal():
    plan = Plan((Item("x", "a\x1b[2J\rb\nc\u202e"),), (0,), 5, False)
    assert shown(plan, 0) == "\n1 of 1\n  a\ufffd[2J\ufffdb\n  c\ufffd"


def test_back_takes_a_rating_back_and_passes_over_what_was_skipped():
    _, rows, _ = session(PLAN, "4 s b b 1 3 q")
    assert [(row["string"], row["rating"]) for row in rows] == [("CN", 1), ("CCO", 3)]
    n, rows, _ = session(PLAN, "b b 2 q")
    assert (n, len(rows)) == (1, 1)


def test_a_wrong_key_is_explained_and_asked_again():
    n, rows, seen = session(PLAN, "9 what 2")
    assert (n, rows[0]["rating"]) == (1, 2)
    assert seen.count("1 (worst) to 5 (best), s skip, b back, q quit") == 2


def test_the_end_of_input_is_the_end_of_the_session():
    assert session(PLAN, "")[:2] == (0, [])


def test_what_is_rated_is_not_asked_again_and_its_repeat_is():
    assert places_left(PLAN, {}) == [0, 1, 2, 3]
    assert places_left(PLAN, {"CN": 1, "CS": 1}) == [1, 3]
    assert places_left(PLAN, Counter({"CN": 5, "CCO": 1, "CS": 1, "other": 1})) == []
    _, rows, _ = session(PLAN, "1 2", places_left(PLAN, {"CN": 1, "CS": 1}))
    assert [row["order"] for row in rows] == [2, 4]
