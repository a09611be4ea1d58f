"""The syntax of SMILES against RDKit's periodic table and parser, and the fast check against the exact one."""

import random
import re

import pytest

from freerun.chemistry import rdkit
from freerun.errors import InvalidSequence
from freerun.grammars.smiles_syntax import BRACKET, ELEMENT, check, tokens_of

LINES = (
    "CC(C)(C)C(=O)C(Oc1ccc(Cl)cc1)n1ccnc1",
    "N#Cc1ccc(-c2ccc(O[C@@H](C(=O)N3CCCC3)c3ccccc3)cc2)cc1",
    "C/C(=C\\c1ccc([N+](=O)[O-])cc1)[C@H]1CC[13CH2]C1.[Na+].[Cl-]",
    "C1CC2%10CC(Br)(I)C%10(C1)O2",
)


def test_every_element_and_nothing_else_is_an_element():
    table = rdkit().GetPeriodicTable()
    elements = {table.GetElementSymbol(number) for number in range(1, 119)}
    letters = "abcdefghijklmnopqrstuvwxyz"
    candidates = {first + second for first in letters.upper() for second in ["", *letters]}
    assert {symbol for symbol in candidates if re.fullmatch(ELEMENT, symbol)} == elements


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("ClCCBr", ["Cl", "C", "C", "Br"]),
        ("[13C@@H](N)C", ["[13C@@H]", "(", "N", ")", "C"]),
        ("C%12CC%12", ["C", "%12", "C", "C", "%12"]),
        ("C%(100)C%(100)C", ["C", "%(100)", "C", "%(100)", "C"]),
        ("C12CC12", ["C", "1", "2", "C", "C", "1", "2"]),
        ("N->[Fe+2]<-N", ["N", "->", "[Fe+2]", "<-", "N"]),
        ("C-C=C#C$C~C:C", list("C-C=C#C$C~C:C")),
        ("[Zr++].[U-2].[CH3:12]", ["[Zr++]", ".", "[U-2]", ".", "[CH3:12]"]),
        ("c1cc[se]c1", ["c", "1", "c", "c", "[se]", "c", "1"]),
        ("C=1CC=1", ["C", "=", "1", "C", "C", "=", "1"]),
    ],
)
def test_a_smiles_is_split_into_its_tokens(text: str, tokens: list[str]):
    assert tokens_of(text) == tokens


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "at least one"),
        ("C(C", 1, "add its ')'"),
        ("C(C(C)C", 1, "add its ')'"),
        ("CC)C", 2, "drop it"),
        ("C1CC2", 1, "ring 1 is opened and never closed"),
        ("C1CC1C2", 6, "ring 2"),
        ("CC%10", 2, "ring 10"),
        ("CC%1", 2, "two digits"),
        ("C[NH2", 1, "add its ']'"),
        ("C[NH2@]", 5, "in this order"),
        ("C[Xx]", 2, "no element"),
        ("C[]", 2, "no element"),
        ("NaCl", 1, "written like [Na]"),
        ("CHC", 1, "written like [Na]"),
        ("CC=", 3, "the end stands where an atom or a ring number is expected after a bond"),
        ("C==C", 2, "'=' stands where an atom or a ring number is expected after a bond"),
        ("C(=)C", 3, "')' stands where an atom is expected after the bond of a branch"),
        ("C()C", 2, "')' stands where an atom or a bond is expected after '('"),
        ("C(1CC1)", 2, "'1' stands where"),
        ("=C", 0, "'=' stands where an atom is expected"),
        ("C..C", 2, "'.' stands where an atom is expected after '.'"),
        ("C.", 2, "the end stands where"),
        ("CC\nC", 2, "white space"),
        ("CCO ethanol", 3, "a name belongs in a column"),
        ("CCé", 2, "'é'"),
        ("C{C", 1, "no symbol"),
    ],
)
def test_what_is_wrong_is_said_with_its_position_and_remedy(text: str, position: int, says: str):
    with pytest.raises(InvalidSequence, match=re.escape(says)) as caught:
        tokens_of(text)
    assert caught.value.position == position


def mutants(n: int, seed: int) -> list[str]:
    """Real SMILES cut short and with one or two characters inserted, dropped or replaced."""
    rng = random.Random(seed)
    letters = "CNOcnos()[]=#123456789%-+@H/\\.:lBrFIS*<>$~aeu%0"
    found = []
    for _ in range(n):
        text = list(rng.choice(LINES)[: rng.choice((8, 20, 99))])
        for _ in range(rng.randint(1, 2)):
            start = rng.randrange(len(text))
            text[start : start + rng.randint(0, 1)] = rng.choice([[], [rng.choice(letters)]])
            text = text or ["C"]
        found.append("".join(text))
    return found


def test_the_fast_check_and_the_exact_one_agree():
    n_good = 0
    for text in mutants(4000, seed=0):
        verdicts = []
        for function in (tokens_of, check):
            try:
                function(text)
                verdicts.append(None)
            except InvalidSequence as error:
                verdicts.append((error.position, error.reason))
        assert verdicts[0] == verdicts[1], text
        n_good += verdicts[0] is None
    assert 400 < n_good < 3600, "the mutants must show both verdicts"


def test_rdkit_reads_the_same_strings_but_for_ring_bonds_without_two_atoms():
    params = rdkit().SmilesParserParams()
    params.sanitize, params.removeHs, params.allowCXSMILES, params.parseName = False, False, False, False
    n_differ = 0
    for text in mutants(4000, seed=1):
        try:
            tokens_of(text)
        except InvalidSequence:
            assert rdkit().MolFromSmiles(text, params) is None, text
            continue
        n_differ += rdkit().MolFromSmiles(text, params) is None
    assert n_differ < 100  # the likes of C11, C1C1, [OH10]


def test_bracket_atoms_are_one_token():
    for atom in ("[H]", "[HH]", "[2H+]", "[nH]", "[C@TH2H]", "[Co@OH12](N)", "[Pt@SP1]", "[OH-:3]", "[*-]", "[te]"):
        assert re.match(BRACKET, atom)
        assert tokens_of(atom)[0] == atom.partition("]")[0] + "]"
