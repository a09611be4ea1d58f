"""Every method with every representation under every constraint that fits it, from a file to samples."""

from pathlib import Path
from typing import Any

import pytest

from freerun import api
from freerun.chemistry import canonical
from freerun.constraints import CONSTRAINTS
from freerun.grammars.earley import Parser
from freerun.grammars.reading import grammar_of, load
from freerun.methods import METHODS
from freerun.representations import REPRESENTATIONS

pytestmark = pytest.mark.slow

SMILES = [
    "CCO",
    "CCN",
    "C1CCCCC1",
    "c1ccccc1",
    "CC(=O)O",
    "CCOC",
    "CNC(C)C",
    "OCC",
    "CC(C)O",
    "CCCl",
    "C#N",
    "CC=O",
] * 5
FORMULAS = [
    "x",
    "x + 1",
    "sin ( x )",
    "x * x + 2",
    "( x + 1 ) / 3",
    "exp ( x )",
    "x / 2",
    "1 + 2",
    "x + x",
    "3 * x",
] * 6
REPRESENTED: dict[str, tuple[list[str], list[str]]] = {  # settings and the lines that go with them
    "text": (["representation.unit=character"], [text.replace(" ", "") for text in FORMULAS]),
    "text, words": (["representation.name=text", "representation.unit=word"], FORMULAS),
    "smiles": ([], SMILES),
    "smiles, kekule": (["representation.name=smiles", "representation.kekule=true"], SMILES),
    "selfies": ([], SMILES),
    "grammar": ([], FORMULAS),
    "grammar, smiles": (["representation.name=grammar", "representation.grammar=smiles"], SMILES),
}
CONSTRAINED: dict[str, list[dict[str, Any]]] = {
    "text": [
        {"name": "none"},
        {"name": "length", "shortest": 2},
        {"name": "grammar", "grammar": "formulas"},
        {"name": "automaton", "pattern": r"[x123](.?[+*/]?[x123])*.*"},
        {"name": ["grammar", "length"], "grammar": {"grammar": "formulas"}, "length": {"longest": 9}},
        {"name": ["grammar", "automaton"], "grammar": {"grammar": "formulas"}, "automaton": {"pattern": "x.*"}},
    ],
    "text, words": [
        {"name": "none"},
        {"name": "length", "longest": 4},
        {"name": "automaton", "pattern": r"x( [+*/] [x123])*.*"},
    ],
    "smiles": [
        {"name": "none"},
        {"name": "length", "shortest": 3, "longest": 12},
        {"name": "grammar", "grammar": "smiles"},
        {"name": "kekule"},
    ],
    "smiles, kekule": [
        {"name": "representation"},
        {"name": "none"},
        {"name": ["kekule", "length"], "length": {"longest": 10}},
    ],
    "selfies": [{"name": "none"}, {"name": "length", "shortest": 2}],
    "grammar": [
        {"name": "representation"},
        {"name": "none"},
        {"name": ["representation", "length"], "length": {"longest": 20}},
    ],
    "grammar, smiles": [{"name": "representation"}],
}
PAID = {"n_mle": 3, "n_steps": 3}
CRITICISED = PAID | {"n_pretrain": 2, "n_critic": 1, "critic": {"widths": [1, 2], "filters": [4, 4]}}
CRITICISED_AT_ONCE = {name: value for name, value in CRITICISED.items() if name != "n_pretrain"}
OBJECTIVE = {"scores": ["length"], "shapes": {"length": {"shape": "clip", "worst": 20.0, "best": 0.0}}}
SETTINGS = {
    "grammar_vae": {"filters": [2, 2], "widths": [2, 2], "d_dense": 8},  # strings are too short for the paper's
    "aae": {"critic": [8], "d_latent": 4},
    "categorical_vae": {"n_variables": 2, "n_classes": 3},
    "semi_supervised": {"label": "length", "d_latent": 4},
    "professor_forcing": {"critic": {"d_hidden": 4, "widths": [4]}},
    "gumbel_gan": CRITICISED_AT_ONCE,
    "reinforce": PAID,
    "seqgan": CRITICISED,
    "maligan": CRITICISED,
    "organ": CRITICISED,
    "reinvent": PAID,
    "hill_climb": PAID,
}
COMBINATIONS = [
    pytest.param(method, form, table, id=f"{method}-{form}-{table['name']}")
    for method in METHODS
    for form, tables in CONSTRAINED.items()
    for table in tables
]


def test_nothing_is_left_out():
    assert {form.split(",")[0] for form in REPRESENTED} == set(REPRESENTATIONS)
    assert set(REPRESENTED) == set(CONSTRAINED)
    named = {
        name for tables in CONSTRAINED.values() for table in tables for name in [table["name"]] if str(name) == name
    }
    assert set(CONSTRAINTS) - named <= {"anything", "productions"}, "these are `none`, and the grammar's own"


@pytest.mark.parametrize(("method", "form", "table"), COMBINATIONS)
def test_from_a_file_to_samples(method: str, form: str, table: dict[str, Any], tmp_path: Path):
    settings, lines = REPRESENTED[form]
    corpus = tmp_path / ("corpus.smi" if "smiles" in form or form == "selfies" else "corpus.txt")
    corpus.write_text("\n".join(lines) + "\n")
    (tmp_path / "tiny.toml").write_text(_toml(method, form, table))
    run = api.train(str(tmp_path / "tiny.toml"), corpus=corpus, out=tmp_path / "run", overrides=settings)
    samples = run.sample(30, seed=1)
    assert len(samples) == 30
    assert all(sample.log_prob <= 0 for sample in samples)
    names = table["name"] if isinstance(table["name"], list) else [table["name"]]
    if "kekule" in names or (form == "smiles, kekule" and "representation" in names):
        assert all(canonical(sample.raw) for sample in samples)
    if "grammar" in names or (form.startswith("grammar") and "representation" in names):
        parser = Parser(grammar_of(load("smiles" if "smiles" in form else "formulas")))
        assert all(parser.accepts(sample.raw) for sample in samples)


def _toml(method: str, form: str, table: dict[str, Any]) -> str:
    lines = [
        f"method = {_value({'name': method, 'n_steps': 6, 'batch_size': 16} | SETTINGS.get(method, {}))}",
        "model = { d_embedding = 8, d_hidden = 16 }",
        "run = { device = 'cpu', precision = 'float32' }",
        f"representation = {{ name = {form.split(',')[0]!r} }}",
        f"constraint = {_value(table)}",
    ]
    if METHODS[method].takes_objective:
        lines.append(f"objective = {_value(OBJECTIVE)}")
    return "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + " }"
    return str(value) if isinstance(value, int) else repr(value)
