"""Grammar files: where they lie, and which of the two forms they are written in."""

import importlib.resources
from pathlib import Path

from freerun.errors import UsageError
from freerun.grammars import lark_rules, plain
from freerun.grammars.checks import checked, nearest
from freerun.grammars.draft import Source
from freerun.grammars.grammar import Grammar

SHIPPED = {
    "formulas": "formulas.txt",
    "smiles76": "smiles76.txt",
    "smiles": "smiles.lark",
    "json": "json.lark",
}


def load(source: str) -> str:
    """The text of a shipped grammar, by name, or of a file, by path.

    Raises:
        UsageError: If there is neither.
    """
    if source in SHIPPED:
        return (importlib.resources.files("freerun.grammars") / "shipped" / SHIPPED[source]).read_text("utf-8")
    path = Path(source)
    if not path.is_file():
        raise UsageError(
            f"no grammar {source!r}: neither a file nor one of {', '.join(SHIPPED)}{nearest(source, SHIPPED)}"
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read grammar {source!r}: {error}; it must be UTF-8 text") from error


def grammar_of(text: str, name: str = "grammar") -> Grammar:
    """The grammar that a text says, in lark's EBNF or in lines `A -> B c | d`, compiled to characters and checked.

    Args:
        name: What errors call the text: the file's name.

    Raises:
        GrammarError: With line and column, if the text is no grammar, or one that cannot be used.
    """
    source = Source(text.replace("\r\n", "\n"), name)
    drafts, start = plain.read(source) if plain.is_plain(source.text) else lark_rules.read(source)
    return checked(source, drafts, start)
