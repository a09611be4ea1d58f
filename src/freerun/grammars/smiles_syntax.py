"""The syntax of SMILES: tokens, and what is wrong with a string that is none. No chemistry.

Source: OpenSMILES 1.0 as RDKit reads it, with RDKit's bonds `->`, `<-`, `~` and ring numbers `%(nnn)`. Valences,
aromatic rings, and ring bonds that join an atom to itself or to its neighbour are chemistry: not looked at here.
"""

import re

from freerun.errors import InvalidSequence

# All 118 elements, by first letter.
ELEMENT = (
    "(?:A[cglmrstu]|B[aehikr]?|C[adeflmnorsu]?|D[bsy]|E[rsu]|F[elmr]?|G[ade]|H[efgos]?|I[nr]?|Kr?|L[airuv]|M[cdgnot]"
    "|N[abdeihop]?|O[gs]?|P[abdmortu]?|R[abefghnu]|S[bcegimnr]?|T[abcehilms]|U|V|W|Xe|Yb?|Z[nr])"
)
AROMATIC_ELEMENT = "(?:as|se|si|te|[bcnops])"
BRACKET_PARTS = (  # what a bracket atom holds, in this order
    r"\d*",  # isotope
    rf"(?:{ELEMENT}|{AROMATIC_ELEMENT}|\*)",
    r"(?:@(?:@|TH[12]|AL[12]|SP[123]|TB(?:1\d|20|[1-9])|OH(?:[12]\d|30|[1-9])?)?)?",
    r"(?:H\d{0,2})?",
    r"(?:\+\+|--|[+-]\d{0,2})?",  # charge
    r"(?::\d+)?",  # class
)
BRACKET = rf"\[{''.join(BRACKET_PARTS)}\]"

# The frequent ones first: encoding a corpus spends its time here.
TOKEN = re.compile(rf"Cl?|[cNOn()=\d]|{BRACKET}|Br?|->?|[FSsoPIbp#/\\.:$~*]|<-|%[1-9]\d|%\(\d{{1,5}}\)")
AROMATIC_TOKEN = re.compile(rf"[bcnops:]|\[\d*{AROMATIC_ELEMENT}[@H+:\]-]")

# No hit proves that neighbours fit (`check` looks closer at a hit: it may be two charges in a bracket atom).
BOND = r"[-=#$:/\\~]"
SUSPICIOUS = re.compile(
    rf"[-=#$:/\\~.(<%](?:[.()<%]|\Z|(?<=[(.])\d|(?<=\.){BOND}|(?<={BOND}){BOND}|(?<=\(){BOND}[\d%]|(?<=[<%]).)"
    r"|\A[^A-Za-z*\[]"
)
MARKS = frozenset("()0123456789")

# What may follow what; a bond that opens a branch leads to an atom, any other to an atom or a ring number.
FOLLOWS = {
    "start": ("atom",),
    "atom": ("atom", "bond", "ring", "(", ")", "."),
    "ring": ("atom", "bond", "ring", "(", ")", "."),
    "bond": ("atom", "ring"),
    "(": ("atom", "bond"),
    "bond after (": ("atom",),
    ")": ("atom", "bond", "ring", "(", ")", "."),
    ".": ("atom",),
}
KINDS = {"(": "(", ")": ")", ".": "."}
KINDS |= dict.fromkeys(("-", "=", "#", "$", ":", "/", "\\", "~", "->", "<-"), "bond")


def tokens_of(text: str) -> list[str]:
    """The tokens of a SMILES whose brackets, bonds, branches and ring numbers are in order.

    Raises:
        InvalidSequence: With the position of what is wrong, and what would be right.
    """
    tokens = TOKEN.findall(text)
    if "".join(tokens) != text or not text or SUSPICIOUS.search(text) or not _paired(tokens):
        check(text)
    return tokens


def _paired(tokens: list[str]) -> bool:
    """Whether every branch and every one-digit ring number is opened and closed."""
    depth, rings = 0, set()
    for mark in [token for token in tokens if token in MARKS]:
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
            if depth < 0:
                return False
        elif mark in rings:
            rings.remove(mark)
        else:
            rings.add(mark)
    return depth == 0 and not rings


def check(text: str) -> None:
    """Raises InvalidSequence for the first thing that is wrong with a SMILES; slow and exact."""
    position, before = 0, "start"
    branches: list[int] = []
    rings: dict[int, int] = {}  # number -> where it was opened
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise InvalidSequence(text, *_unreadable(text, position))
        token = match[0]
        kind = KINDS.get(token) or ("ring" if token[0] in "%0123456789" else "atom")
        if kind not in FOLLOWS[before]:
            raise InvalidSequence(text, position, f"{token!r} stands where {_expected(before)}")
        if kind == "(":
            branches.append(position)
        elif kind == ")":
            if not branches:
                raise InvalidSequence(text, position, "')' closes a branch that was not opened (drop it)")
            branches.pop()
        elif kind == "ring":
            number = int(token.strip("%()"))
            if rings.pop(number, None) is None:
                rings[number] = position
        before = "bond after (" if kind == "bond" and before == "(" else kind
        position = match.end()
    _check_end(text, before, branches, rings)


def _check_end(text: str, before: str, branches: list[int], rings: dict[int, int]) -> None:
    if not text:
        raise InvalidSequence(text, 0, "no atom (a SMILES has at least one)")
    if before not in ("atom", "ring", ")"):
        raise InvalidSequence(text, len(text), f"the end stands where {_expected(before)}")
    if branches:
        raise InvalidSequence(text, branches[-1], "a branch is opened and never closed (add its ')')")
    if rings:
        number, position = min(rings.items(), key=lambda item: item[1])
        raise InvalidSequence(text, position, f"ring {number} is opened and never closed (write its number twice)")


def _expected(before: str) -> str:
    wanted = " or ".join(_named(kind) for kind in FOLLOWS[before])
    return f"{wanted} is expected" + ("" if before == "start" else f" after {_named(before)}")


def _named(kind: str) -> str:
    names = {"atom": "an atom", "bond": "a bond", "ring": "a ring number", "bond after (": "the bond of a branch"}
    return names.get(kind, repr(kind))


def _unreadable(text: str, position: int) -> tuple[int, str]:
    """Where exactly no token can be read, and why."""
    letter = text[position]
    if letter == "[":
        return _unreadable_bracket(text, position)
    if letter == "%":
        return position, "'%' without a ring number from 10 (two digits, or more in parentheses: %10, %(100))"
    if letter.isspace():
        return position, "white space (one SMILES a line; a name belongs in a column of its own)"
    if letter.isalpha():
        return position, (
            f"{letter!r} is no atom that stands without brackets "
            "(B C N O P S F Cl Br I and aromatic b c n o p s do; others are written like [Na], [se])"
        )
    return position, f"{letter!r} is no symbol of SMILES"


def _unreadable_bracket(text: str, start: int) -> tuple[int, str]:
    position = start + 1
    for index, part in enumerate(BRACKET_PARTS):
        match = re.compile(part).match(text, position)
        if match is None:
            assert index == 1, "every other part may be absent"
            return position, "no element where a bracket atom needs one (like [Na+], [13C], [nH])"
        position = match.end()
    if position == len(text):
        return start, "a bracket atom is opened and never closed (add its ']')"
    return position, (
        f"{text[position]!r} does not fit into a bracket atom "
        "(isotope, element, chirality, H count, charge, class, in this order, like [13C@@H], [NH3+], [CH3:1])"
    )
