"""Rating in a terminal: what is shown, what a key means, and the session that joins them."""

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from freerun.rating.plan import Plan

Key = int | Literal["skip", "back", "quit"]
"""A rating, or what else a line of the keyboard asks for."""


@dataclasses.dataclass(frozen=True)
class Desk:
    """Where a session reads and writes.

    Args:
        show: Takes a text for the eyes.
        ask: The next line of the keyboard; None where there will be no more.
        keep: Takes the row of an answer, and has it on the disk when it returns.
        take_back: Forgets the row that was kept last.
        clock: Seconds.
    """

    show: Callable[[str], None]
    ask: Callable[[], str | None]
    keep: Callable[[Mapping[str, object]], None]
    take_back: Callable[[], None]
    clock: Callable[[], float]


def read_key(line: str, scale: int) -> Key | None:
    """What a line means; None where it means nothing."""
    words: dict[str, Key] = {"s": "skip", "b": "back", "q": "quit"}
    text = line.strip().lower()
    if text.isascii() and text.isdigit() and 1 <= int(text) <= scale:
        return int(text)
    return words.get(text[:1]) if text in ("s", "b", "q", "skip", "back", "quit") else None


def places_left(plan: Plan, rated: Mapping[str, int]) -> list[int]:
    """Places of the order that are still to be asked: each rating that there is answers the first of its string."""
    left = collections.Counter(rated)
    places = []
    for place, item in enumerate(plan.order):
        string = plan.items[item].string
        if left[string] > 0:
            left[string] -= 1
        else:
            places.append(place)
    return places


def shown(plan: Plan, place: int) -> str:
    """A string as the terminal shows it: as it was written, and, if that is another one, its canonical SMILES."""
    item = plan.items[plan.order[place]]
    lines = [f"\n{place + 1} of {len(plan.order)}", f"  {_visible(item.raw)}"]
    if plan.is_chemical and item.raw != item.string:
        lines.append(f"  canonical: {item.string}")
    return "\n".join(lines)


def keys(scale: int) -> str:
    """What can be typed."""
    return f"1 (worst) to {scale} (best), s skip, b back, q quit"


def rate(plan: Plan, places: Sequence[int], desk: Desk) -> int:
    """Asks about all these places; returns how many were rated. What was skipped comes again in the next session."""
    kept: list[int] = []
    at = 0
    while at < len(places):
        desk.show(shown(plan, places[at]))
        began, key = desk.clock(), None
        while key is None:
            line = desk.ask()
            key = "quit" if line is None else read_key(line, plan.scale)
            if key is None:
                desk.show(keys(plan.scale))
        match key:
            case "quit":
                return len(kept)
            case "back":
                at = max(at - 1, 0)
                if kept and kept[-1] == at:
                    kept.pop()
                    desk.take_back()
            case "skip":
                at += 1
            case rating:
                desk.keep(_row(plan, places[at], rating, desk.clock() - began))
                kept.append(at)
                at += 1
    return len(kept)


def _row(plan: Plan, place: int, rating: int, seconds: float) -> dict[str, object]:
    string = plan.items[plan.order[place]].string
    return {
        "string": string,
        "rating": rating,
        "rater": plan.rater,
        "seconds": f"{seconds:.1f}",
        "order": place + 1,
    }


def _visible(text: str) -> str:
    """No character that a terminal obeys; line ends are kept."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n  ".join("".join(letter if letter.isprintable() else "\ufffd" for letter in line) for line in lines)
