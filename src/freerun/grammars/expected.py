"""What a parser expected, as a reader would say it: `one of ')' '+' or a digit`."""

import itertools
import string

GROUPS = (
    ("a letter", string.ascii_letters),
    ("a lower-case letter", string.ascii_lowercase),
    ("an upper-case letter", string.ascii_uppercase),
    ("a digit", string.digits),
)
BLANKS = frozenset(" \t\n\r\f\v")
SHORTEST_RUN = 4  # characters that are said as '1' to '4'
MOST = 12  # things said one by one


def expectation(literals: set[str], may_end: bool) -> str:
    """In words.

    Args:
        literals: Any of them may come.
        may_end: So may the end of the string.
    """
    left, groups = set(literals), []
    for name, characters in GROUPS:
        if left >= set(characters):
            left -= set(characters)
            groups.append(name)
    if len(left & BLANKS) > 1:
        left -= BLANKS
        groups.append("white space")
    if may_end:
        groups.append("the end")
    quoted = _runs(sorted(left))
    if len(quoted) > MOST:
        groups.append(f"{len(quoted) - MOST} more")
        quoted = quoted[:MOST]
    if not groups:
        groups = quoted[-1:] or ["nothing"]
        quoted = quoted[:-1]
    *before, last = [" ".join(quoted), *groups] if quoted else groups
    if not before:
        return last
    return ("one of " if len(quoted) + len(groups) > 2 and quoted else "") + ", ".join(before) + " or " + last


def _runs(literals: list[str]) -> list[str]:
    """Quoted; neighbouring characters as ranges."""
    single = [literal for literal in literals if len(literal) == 1]
    shown = []
    for _, run in itertools.groupby(enumerate(single), key=lambda pair: ord(pair[1]) - pair[0]):
        characters = [character for _, character in run]
        if len(characters) >= SHORTEST_RUN:
            shown.append(f"{characters[0]!r} to {characters[-1]!r}")
        else:
            shown += map(repr, characters)
    return shown + [repr(literal) for literal in literals if len(literal) > 1]
