"""The plain form of a grammar: lines `S -> S '+' T | T`, as papers and NLTK write them."""

import re

from freerun.grammars.checks import nearest
from freerun.grammars.draft import Draft, Named, Place, Source

# In order: what a quote opens, an arrow, a bar, any other run of characters without white space.
_ITEM = re.compile(
    r"""\s*(?:(?P<comment>\#.*)|(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<open>['"])|(?P<arrow>->)"""
    r"""|(?P<bar>\|)|(?P<bare>(?:(?!->)[^\s'"|])+))"""
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "/": "/", "f": "\f", "0": "\0"}
EMPTY = "ε"


def is_plain(text: str) -> bool:
    """Whether the first line that says something reads `NAME ->`."""
    lines = (line.strip() for line in text.split("\n"))
    first = next((line for line in lines if line and not line.startswith(("#", "//"))), "")
    return re.match(r"""[^\s:'"]+\s*->""", first) is not None


def read(source: Source) -> tuple[list[Draft], str]:
    """Rules in the order of the text, and the start symbol: the first left side.

    Raises:
        GrammarError: If a line is no rule, or names what has no rule in a file that quotes its literals.
    """
    rules: list[tuple[str, list[tuple[str, str, Place]], Place]] = []
    left = None
    for number, line in enumerate(source.text.split("\n"), 1):
        items = _items(source, line, number)
        if not items:
            continue
        if items[0][0] == "bar" and left is not None:
            items = items[1:]
        else:
            left = _left_side(source, items)
            items = items[2:]
        place = items[0][2] if items else Place(number, len(line.rstrip()) + 1)
        rules += [(left, alternative, at) for alternative, at in _alternatives(source, items, place)]
    if not rules:
        raise source.error(Place(1, 1), "no rule; write lines like S -> S '+' T | T")
    lefts = {left for left, _, _ in rules}
    quotes = any(kind == "quoted" for _, items, _ in rules for kind, _, _ in items)
    drafts = [
        Draft(left, tuple(s for item in items if (s := _symbol(source, item, lefts, quotes)) != ""), place)
        for left, items, place in rules
    ]
    return drafts, rules[0][0]


def unescaped(source: Source, text: str, place: Place) -> str:
    r"""What a quoted literal says: `\n \t \r \f \0 \\ \' \" \/ \xhh \uhhhh`."""

    def one(match: re.Match[str]) -> str:
        if match[3] is None:
            return chr(int(match[1] or match[2], 16))
        if match[3] not in _LETTERS:
            raise source.error(place, f"{match[0]!r} is no escape; a backslash itself is written \\\\")
        return _LETTERS[match[3]]

    return _ESCAPE.sub(one, text)


def _items(source: Source, line: str, number: int) -> list[tuple[str, str, Place]]:
    items = []
    for match in _ITEM.finditer(line):
        kind = match.lastgroup or ""
        place = Place(number, match.start(kind) + 1)
        if kind == "open":
            raise source.error(
                place, 'a quote is opened and not closed on this line; a quote itself is written "\'", a backslash \\\\'
            )
        if kind != "comment":
            items.append((kind, match[kind], place))
    return items


def _left_side(source: Source, items: list[tuple[str, str, Place]]) -> str:
    kinds = [kind for kind, _, _ in items[:2]]
    if kinds != ["bare", "arrow"]:
        wrong = items[1] if kinds[0] == "bare" and len(items) > 1 else items[0]
        wanted = (
            "'->' is expected after the left side"
            if wrong is not items[0] or kinds == ["bare"]
            else ("a rule begins with the name of a nonterminal")
        )
        raise source.error(wrong[2], f"{wrong[1]!r}: {wanted}, as in S -> S '+' T | T")
    return items[0][1]


def _alternatives(source: Source, items: list[tuple[str, str, Place]], place: Place):
    alternative: list[tuple[str, str, Place]] = []
    for item in items:
        if item[0] == "arrow":
            raise source.error(item[2], "a second '->' in one line; begin a new line for each left side, or quote it")
        if item[0] == "bar":
            yield alternative, place
            alternative, place = [], Place(item[2].line, item[2].column + 1)
        else:
            if not alternative:
                place = item[2]
            alternative.append(item)
    yield alternative, place


def _symbol(source: Source, item: tuple[str, str, Place], lefts: set[str], quotes: bool) -> Named | str:
    kind, text, place = item
    if kind == "quoted":
        return unescaped(source, text[1:-1], place)
    if text in lefts:
        return Named(text, place)
    if text == EMPTY:
        return ""
    if quotes:
        raise source.error(
            place,
            f"{text!r} is on no left side{nearest(text, lefts)} "
            f"(a file that quotes its literals quotes all of them: {text!r} in quotes would be one)",
        )
    return text
