"""What is told of one string: its spanning tree against RDKit's graph, its derivation against the rules themselves."""

import importlib.resources
import re
import xml.etree.ElementTree as ET

import pytest

from freerun.errors import InvalidSequence, UsageError
from freerun.explanation.derivation import Derivation
from freerun.explanation.derivation_tree import tree_svg
from freerun.explanation.explanation import explain_string
from freerun.explanation.graph import graph_svg
from freerun.explanation.spanning_tree import Closure, spanning_tree
from freerun.grammars.grammar import Grammar, Rule
from freerun.grammars.smiles_syntax import tokens_of
from freerun.representations.molecules import unsanitized

# S -> S '+' T | T ; T -> 'x' | '(' S ')' | ε
SUMS = Grammar(("S", "T"), (Rule(0, (0, "+", 1)), Rule(0, (1,)), Rule(1, ("x",)), Rule(1, ("(", 0, ")")), Rule(1, ())))
X_PLUS_NOTHING = (0, 1, 2, 4)
ODD = [
    "C1CC2CC3CC(C1)C23",
    "C%10CCC%(123)CC%10C%123",
    "[Na+].[Cl-]",
    "C=1CCCCC1",
    "F/C=C/F",
    "C(C)(C)(C)C",
    "C12C3C1C23",
]


def molecules(n: int) -> list[str]:
    text = (importlib.resources.files("freerun.corpora") / "data" / "moses_mini_test.smi").read_text("utf-8")
    return [line.split()[0] for line in text.splitlines()[:n]]


@pytest.mark.parametrize("smiles", [*ODD[2:], ODD[0], *molecules(40)])
def test_tree_bonds_and_closures_are_the_bonds_that_rdkit_reads(smiles):
    tree = spanning_tree(tokens_of(smiles))
    graph = unsanitized(smiles)
    written = [frozenset((b.parent, b.child)) for b in tree.bonds]
    cut = [frozenset((c.opener, c.closer)) for c in tree.closures]
    assert len(tree.atoms) == graph.GetNumAtoms()
    assert sorted(map(sorted, written + cut)) == sorted(
        sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in graph.GetBonds()
    )
    assert len(written) == len(tree.atoms) - smiles.count(".") - 1  # a spanning tree of each part
    assert list(map(tokens_of(smiles).__getitem__, tree.atoms)) == [
        token for token in tokens_of(smiles) if token[0].isalpha() or token[0] == "["
    ]


def test_a_closure_names_its_label_its_atoms_and_its_tokens():
    tree = spanning_tree(tokens_of("CC1CC=1"))
    assert tree.closures == (Closure("1", 1, 3, (2, 6)),)
    assert tree.meanings[2] == "atom 2 opens ring 1"
    assert tree.meanings[6] == "closes ring 1: bond of atoms 2 and 4"
    assert [bond.in_branch for bond in spanning_tree(tokens_of("C(N)O")).bonds] == [True, False]


def test_sentential_forms_go_from_the_start_symbol_to_the_string():
    forms = list(Derivation(SUMS, X_PLUS_NOTHING).forms())
    assert [(form.written, form.due, form.waiting) for form in forms] == [
        ("", 0, ()),
        ("", 0, ("+", 1)),
        ("", 1, ("+", 1)),
        ("x+", 1, ()),
        ("x+", None, ()),
    ]
    assert [form.rule for form in forms] == [*X_PLUS_NOTHING, None]


def test_the_leaves_of_the_tree_are_the_string_and_its_rules_are_those_given():
    nodes = Derivation(SUMS, (0, 1, 3, 1, 2, 4)).tree()
    assert "".join(node.symbol for node in nodes if isinstance(node.symbol, str)) == "(x)+"
    assert [node.rule for node in nodes if node.rule is not None] == [0, 1, 3, 1, 2, 4]
    assert [nodes[child].symbol for child in nodes[0].children] == [0, "+", 1]
    assert max(node.depth for node in nodes) == 5


@pytest.mark.parametrize("rules", [(2,), (1, 2, 2), (0, 1, 2)])
def test_what_is_no_leftmost_derivation_is_refused(rules):
    with pytest.raises(ValueError, match=r"is due|the end|left over"):
        list(Derivation(SUMS, rules).forms())


def test_no_two_labels_of_a_tree_touch():
    told = explain_string("x*sin(3)+1/(x+exp(2*x))", "formulas")
    assert told.derivation is not None
    root = ET.fromstring(str(tree_svg(told.derivation)))
    rows: dict[str, list[tuple[float, float]]] = {}
    for group in root.iter("g"):
        text = group.find("text")
        assert text is not None
        half = 7.9 * len(text.text or "") / 2
        x = float(text.attrib["x"])
        rows.setdefault(text.attrib["y"], []).append((x - half, x + half))
    assert len(rows) > 5
    for row in rows.values():
        for (_, right), (left, _) in zip(sorted(row), sorted(row)[1:], strict=False):
            assert left > right


def test_a_grammar_is_named_by_itself_or_by_its_file(tmp_path):
    (tmp_path / "sums.txt").write_text("S -> S '+' T | T\nT -> 'x' | '(' S ')'\n")
    told = explain_string("x+(x)", str(tmp_path / "sums.txt"))
    assert told.derivation is not None
    assert told.derivation.rules == (0, 1, 2, 3, 1, 2)
    assert told.ids == tuple(4 + rule for rule in told.derivation.rules)
    assert list(told.derivation.forms())[-1].written == "x+(x)"
    with pytest.raises(InvalidSequence) as caught:
        explain_string("x+y", str(tmp_path / "sums.txt"))
    assert caught.value.position == 2


def test_ids_are_those_of_the_string_and_positions_count_its_characters():
    told = explain_string("OCCCl")
    assert (told.tokens, told.ids, told.starts) == (("O", "C", "C", "Cl"), (4, 5, 5, 6), (0, 1, 2, 3))
    assert (told.representation, told.because) == ("smiles", "chosen by looking at the string")
    words = explain_string("to be or", "text", ["representation.unit=word"])
    assert (words.starts, words.molecule) == ((0, 3, 6), None)


def test_selfies_are_no_tokens_of_the_string_but_the_graph_is_drawn():
    told = explain_string("c1ccccc1", "selfies")
    assert (told.starts, told.meanings) == ((), ())
    assert told.molecule is not None
    assert len(told.molecule.tree.closures) == 1


@pytest.mark.parametrize(("name", "nearest"), [("smile", "smiles"), ("formula", "formulas")])
def test_an_unknown_representation_names_the_nearest(name, nearest):
    with pytest.raises(UsageError, match=f"did you mean '{nearest}'"):
        explain_string("CCO", name)


def test_settings_of_other_tables_are_refused():
    with pytest.raises(UsageError, match="only representation"):
        explain_string("CCO", "smiles", ["model.d_hidden=3"])


def test_what_was_meant_as_a_smiles_is_told_why_it_is_none():
    told = explain_string("CC(C")
    assert told.representation == "text"
    assert "a branch is opened and never closed" in told.remarks[0]
    assert explain_string("hello").remarks == ()


def test_no_molecule_is_drawn_with_the_atom_that_rdkit_names():
    told = explain_string("NC(C)(C)(C)C", "smiles")
    assert told.molecule is not None
    assert told.molecule.problem is not None
    assert told.molecule.problem.position == 1
    (wrong,) = re.findall(r'class="atom k(\d+) wrong"', str(graph_svg(told.molecule)))
    assert wrong == "1"


def test_the_drawing_has_every_atom_every_bond_and_every_label():
    told = explain_string(ODD[0])
    assert told.molecule is not None
    root = ET.fromstring(str(graph_svg(told.molecule)))
    classes = [group.attrib["class"].split() for group in root.iter("g")]
    assert sum("atom" in names for names in classes) == 9
    assert sum("chain" in names or "branch" in names for names in classes) == 8
    closures = [group for group in root.iter("g") if "closure" in group.attrib["class"]]
    assert [group.findtext("text") for group in closures] == ["1", "2", "3"]
    numbers = [text.text for text in root.iter("text") if text.attrib.get("class") == "number"]
    assert numbers == [str(i) for i in range(1, 10)]


def test_a_bond_is_drawn_as_it_is_written():
    def strokes(smiles: str) -> list[int]:
        molecule = explain_string(smiles, "smiles").molecule
        assert molecule is not None
        root = ET.fromstring(str(graph_svg(molecule)))
        return [len(group.findall("line")) for group in root.iter("g") if "bond" in group.attrib["class"]]

    assert sorted(strokes("C=CC#N")) == [1, 2, 3]
    assert sorted(strokes("C1=CC=CC=C1")) == [1, 1, 1, 2, 2, 2]
    assert sorted(strokes("c1ccccc1c1ccccc1")) == [1] + 12 * [2]  # no aromatic bond between the rings
