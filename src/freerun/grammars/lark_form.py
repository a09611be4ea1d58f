"""Grammar files in lark's EBNF: from words to rules and terminals as trees.

What only shapes lark's trees is read and dropped: `?rule`, `!rule`, aliases `-> name`. Priorities are dropped too: a
grammar here means its language, and all its derivations.

Source: https://lark-parser.readthedocs.io/en/stable/grammar.html
"""

import re

from freerun.grammars.draft import GrammarError, Place, Source
from freerun.grammars.lark_tokens import Word, words_of
from freerun.grammars.lark_trees import Choice, Definition, File, Literal, Mention, Pattern, Repeat, Sequence, Tree
from freerun.grammars.nfa import PatternError, nfa_of_regex
from freerun.grammars.plain import unescaped

MOST_TIMES = 1000  # x~n is written out


def read(source: Source) -> File:
    """The trees of a file.

    Raises:
        GrammarError: Where it breaks the grammar of grammars, or asks for what is not supported.
    """
    return _Reader(source).file()


class _Reader:
    def __init__(self, source: Source):
        self.source = source
        self.words = words_of(source)
        self.at = 0
        self.depth = 0  # open brackets: inside them lines do not end

    # Words

    @property
    def word(self) -> Word:
        """The next one; the end of a line counts only where a statement can end."""
        while self.words[self.at].kind == "newline":
            after = self.at
            while self.words[after].kind == "newline":
                after += 1
            if self.depth == 0 and self.words[after].text != "|":
                break
            self.at = after
        return self.words[self.at]

    def take(self) -> Word:
        word = self.word
        self.at += word.kind != "end"
        return word

    def accept(self, *texts: str) -> bool:
        word = self.word
        if word.kind in ("mark", "directive") and word.text in texts:
            self.at += 1
            return True
        return False

    def expect(self, text: str, where: str) -> None:
        if not self.accept(text):
            raise self.error(f"{self.word.shown}: {text!r} is expected {where}")

    def name(self, where: str) -> Word:
        if self.word.kind != "name":
            raise self.error(f"{self.word.shown}: a name is expected {where}")
        return self.take()

    def error(self, reason: str, word: Word | None = None) -> GrammarError:
        return self.source.error((word or self.word).place, reason)

    # Statements

    def file(self) -> File:
        definitions: list[Definition] = []
        imports: dict[str, tuple[str, Place]] = {}
        ignored: list[Choice] = []
        while self.skip_lines().kind != "end":
            if self.accept("%import"):
                self.imported(imports)
            elif self.accept("%ignore"):
                ignored.append(self.choice())
            else:
                definitions.append(self.definition())
            if self.word.kind not in ("newline", "end"):
                raise self.error(f"{self.word.shown} does not fit here: an expression, '|' or the end of the line does")
        self.check_defined_once(definitions, imports)
        return File(tuple(definitions), imports, tuple(ignored))

    def skip_lines(self) -> Word:
        while self.words[self.at].kind == "newline":
            self.at += 1
        return self.words[self.at]

    def definition(self) -> Definition:
        word = self.word
        if word.kind == "directive":
            raise self.error(f"{word.text} is not supported (only %import common.X and %ignore are)")
        while self.accept("?", "!"):
            pass
        word = self.name('where a rule or terminal begins, as in sum: term ("+" term)*')
        if self.accept(".") and self.take().kind != "number":
            raise self.error("a priority is a number, as in name.2", self.words[self.at - 1])
        if self.word.text == "{":
            raise self.error(f"templates ({word.text}{{..}}) are not supported; write the rule out")
        self.expect(":", f"after {word.text!r}")
        return Definition(word.text, self.choice(), word.place)

    def imported(self, imports: dict[str, tuple[str, Place]]) -> None:
        start = self.word
        relative = self.accept(".")
        module = self.name("after %import, as in %import common.INT")
        if relative or module.text != "common":
            raise self.error(
                f"only %import common.X is supported, not from {module.text!r}; write its rules out", start
            )
        if self.accept("."):
            word = self.name("after 'common.'")
            new = self.name("after '->'") if self.accept("->") else word
            imports[new.text] = (word.text, word.place)
            return
        self.expect("(", "after 'common' (or '.' and a name)")
        while not self.accept(")"):
            word = self.name("in the list of imports")
            imports[word.text] = (word.text, word.place)
            self.accept(",")

    def check_defined_once(self, definitions: list[Definition], imports: dict[str, tuple[str, Place]]) -> None:
        lines = {name: place.line for name, (_, place) in imports.items()}
        for definition in definitions:
            if definition.name in lines:
                raise self.source.error(
                    definition.place,
                    f"{definition.name!r} is defined already on line {lines[definition.name]}; "
                    "join the definitions with '|'",
                )
            lines[definition.name] = definition.place.line

    # Expressions

    def choice(self) -> Choice:
        alternatives = [self.sequence()]
        while self.accept("|"):
            alternatives.append(self.sequence())
        return Choice(tuple(alternatives))

    def sequence(self) -> Sequence:
        place, trees = self.word.place, []
        while self.word.kind in ("string", "regexp", "name") or self.word.text in ("(", "["):
            trees.append(self.repeated())
        if self.accept("->"):
            self.name("after '->' (an alias, which is read and dropped)")
        return Sequence(tuple(trees), place)

    def repeated(self) -> Tree:
        tree = self.atom()
        word = self.word
        if self.accept("?"):
            return Repeat(tree, 0, 1)
        if self.accept("*"):
            return Repeat(tree, 0, None)
        if self.accept("+"):
            return Repeat(tree, 1, None)
        if self.accept("~"):
            low = self.count()
            high = self.count() if self.accept("..") else low
            if not 0 <= low <= high <= MOST_TIMES or high == 0:
                raise self.error(f"{low} to {high} times: counts are 0 <= n <= m <= {MOST_TIMES}, m at least 1", word)
            return Repeat(tree, low, high)
        return tree

    def count(self) -> int:
        if self.word.kind != "number":
            raise self.error(f"{self.word.shown}: a number is expected after '~', as in x~2 or x~1..3")
        return int(self.take().text)

    def atom(self) -> Tree:
        word = self.take()
        if word.kind == "string":
            return self.literal(word)
        if word.kind == "regexp":
            return self.pattern(word)
        if word.kind == "name":
            if self.word.text == "{":
                raise self.error(f"templates ({word.text}{{..}}) are not supported; write the rule out")
            return Mention(word.text, word.place)
        closing = {"(": ")", "[": "]"}[word.text]
        self.depth += 1
        choice = self.choice()
        self.expect(closing, f"for the {word.text!r} of line {word.place.line}, column {word.place.column}")
        self.depth -= 1
        inner = choice.alternatives[0].trees
        tree = inner[0] if len(choice.alternatives) == 1 and len(inner) == 1 else choice
        return tree if word.text == "(" else Repeat(tree, 0, 1)

    def literal(self, word: Word) -> Tree:
        ignore_case = word.text.endswith("i")
        text = unescaped(self.source, word.text.rstrip("i")[1:-1] if ignore_case else word.text[1:-1], word.place)
        if self.accept(".."):
            last = self.take()
            end = unescaped(self.source, last.text[1:-1], last.place) if last.kind == "string" else ""
            if len(text) != 1 or len(end) != 1 or ignore_case or text > end:
                raise self.error(f'{word.text}.. goes from one character up to another, as in "a".."z"', word)
            return Pattern(f"[{re.escape(text)}-{re.escape(end)}]")
        return Literal(text, ignore_case and text.lower() != text.upper())

    def pattern(self, word: Word) -> Tree:
        body, _, flags = word.text[1:].rpartition("/")
        unknown = set(flags) - set("isx")
        if unknown:
            raise self.error(f"flag {min(unknown)!r} of a regular expression is not supported (i, s and x are)", word)
        body = body.replace("\\/", "/")
        pattern = f"(?{flags}:{body})" if flags else body
        try:
            nfa_of_regex(pattern)
        except PatternError as error:
            raise self.error(str(error), word) from error
        return Pattern(pattern)
