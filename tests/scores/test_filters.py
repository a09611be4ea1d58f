from itertools import islice
from pathlib import Path

import pytest
from rdkit import Chem

from freerun.chemistry import parse
from freerun.corpora.corpus import open_corpus
from freerun.scores.filters import alerts, has_forbidden_pattern, passes_filters, smarts

GOLDEN = Path(__file__).parents[1] / "golden"


def test_all_502_patterns_are_there_and_readable():
    patterns = smarts()
    assert len(patterns) == 502
    assert all(Chem.MolFromSmarts(pattern) is not None for pattern in patterns)


@pytest.mark.parametrize(
    ("smiles", "passes"),
    [
        ("CCOc1ccccc1", True),
        ("C1CCCCCCC1", False),  # a ring of eight
        ("C1CCCCCC1", True),
        ("CC[NH3+]", False),
        ("CC[Si](C)(C)C", False),
        ("CCI", False),
        ("CC=O", False),  # MCF7: an aldehyde
        ("C1CO1", False),  # MCF5: an epoxide
        ("CC(C)=Cc1ccccc1C#N", True),
    ],
)
def test_rules_of_the_benchmark(smiles: str, passes: bool):
    assert passes_filters(Chem.MolFromSmiles(smiles)) is passes


def verdicts_agree(lines: list[str]) -> int:
    """Screening may only leave out patterns that cannot match. Returns how many molecules a pattern forbids."""
    patterns = [Chem.MolFromSmarts(pattern) for pattern in smarts()]
    forbidden = 0
    for line in lines:
        mol = parse(line)
        if mol is None:
            continue
        with_hydrogens = Chem.AddHs(mol)
        matches = any(with_hydrogens.HasSubstructMatch(pattern) for pattern in patterns)
        assert has_forbidden_pattern(with_hydrogens) is matches, line
        forbidden += matches
    return forbidden


def golden_lines(n: int) -> list[str]:
    return list(dict.fromkeys((GOLDEN / "moses_a.smi").read_text().splitlines()))[:n]


def test_screening_gives_the_verdicts_of_the_full_loop():
    verdicts_agree(golden_lines(60))


def test_alerts_are_counted():
    patterns = [Chem.MolFromSmarts(pattern) for pattern in smarts()]
    counts = []
    for smiles in ("CCOc1ccccc1", "CC=O", "O=CCC1CO1", "O=CCCC=O"):
        mol = Chem.MolFromSmiles(smiles)
        counts.append(sum(Chem.AddHs(mol).HasSubstructMatch(pattern) for pattern in patterns))
        assert alerts(mol) == counts[-1]
    assert counts[0] == 0
    assert counts[2] > counts[1] > 0


@pytest.mark.slow
def test_screening_gives_the_verdicts_of_the_full_loop_where_many_are_forbidden():
    molecules = [text for _, text in islice(open_corpus("zinc250k").strings("train"), 1500)]
    assert verdicts_agree(golden_lines(500) + molecules) > 100
