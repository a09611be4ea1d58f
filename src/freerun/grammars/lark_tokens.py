"""The words of a grammar file in lark's EBNF, each with its place."""

import dataclasses
import re

from freerun.grammars.draft import Place, Source

_WORD = re.compile(
    r"""(?P<newline>\n)|(?P<space>[ \t\r\f]+|\#[^\n]*|//[^\n]*|\\[ \t]*\n)"""
    r"""|(?P<string>"(?:\\.|[^"\\\n])*"i?(?![a-zA-Z]))|(?P<regexp>/(?:\\.|[^/\\\n])+/[a-z]*)"""
    r"""|(?P<name>_*[a-zA-Z][_a-zA-Z0-9]*)|(?P<number>[+-]?\d+)|(?P<directive>%[a-z]+)|(?P<mark>->|\.\.|[:|?*+~.,!{}()\[\]])"""
)
NAMES = {"newline": "the end of the line", "end": "the end of the file"}


@dataclasses.dataclass(frozen=True)
class Word:
    """One word: its kind is newline, string, regexp, name, number, directive, mark or end."""

    kind: str
    text: str
    place: Place

    @property
    def shown(self) -> str:
        """As errors name it."""
        return NAMES.get(self.kind, repr(self.text))


def words_of(source: Source) -> list[Word]:
    """All words without comments, and an `end`.

    Raises:
        GrammarError: At a character that begins no word.
    """
    words, offset = [], 0
    while offset < len(source.text):
        match = _WORD.match(source.text, offset)
        if match is None:
            raise source.error(source.place(offset), _unreadable(source.text, offset))
        if match.lastgroup != "space":
            words.append(Word(match.lastgroup or "", match[0], source.place(offset)))
        offset = match.end()
    words.append(Word("end", "", source.place(len(source.text))))
    return words


def _unreadable(text: str, offset: int) -> str:
    letter = text[offset]
    if letter == '"':
        return 'a string is opened and not closed on this line; a quote itself is written \\"'
    if letter == "/":
        return "a regular expression is opened and not closed on this line; a slash itself is written \\/"
    if letter == "'":
        return 'literals stand in double quotes here: "x"'
    return f"{letter!r} begins nothing that a grammar holds; a literal stands in double quotes"
