"""From runs to strings and files, on a run that was trained for a second on molecules."""

import csv
import dataclasses
from pathlib import Path

import pyarrow.parquet
import pytest

from freerun import api, outputs, samples
from freerun.chemistry import canonical, rdkit
from freerun.errors import UsageError
from freerun.known import training_strings
from freerun.samples import Wanted, draw
from freerun.sampling.decoding import Decoding
from freerun.scores import SCORES
from freerun.scores.families import FAMILIES
from freerun.trained import Trained

SMILES = ["CCO", "CCN", "CCC", "c1ccccc1", "CC(=O)O", "CCOC", "CNC", "OCC", "CC(C)O", "CCCl"] * 6


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("samples")
    (folder / "corpus.smi").write_text("\n".join(SMILES) + "\n")
    settings = ["method.n_steps=120", "method.batch_size=16", "model.d_hidden=24", "method.descent.lr=0.01"]
    run = api.train(corpus=folder / "corpus.smi", out=folder / "run", overrides=settings)
    return Trained.load(run.folder)


def drawn(trained: Trained, wanted: Wanted) -> list[samples.Sample]:
    return [sample for piece in draw(trained, wanted) for sample in piece]


def test_a_sample_says_its_canonical_form_and_its_likelihood(trained):
    for sample in drawn(trained, Wanted(60)):
        assert sample.valid == (canonical(sample.raw) is not None)
        assert sample.string == (canonical(sample.raw) or sample.raw)
        assert sample.log_prob <= 0


def test_the_likelihood_is_the_models_own_whatever_the_decoding(trained):
    plain = {sample.raw: sample.log_prob for sample in drawn(trained, Wanted(300))}
    others = [
        Wanted(100, decoding=Decoding(temperature=0.7)),
        Wanted(100, decoding=Decoding(top_k=3)),
        Wanted(20, beam=20),
        Wanted(20, unique=True),
        Wanted(20, prefix="CC"),
    ]
    for wanted in others:
        common = [sample for sample in drawn(trained, wanted) if sample.raw in plain]
        assert common
        for sample in common:
            assert sample.log_prob == pytest.approx(plain[sample.raw], abs=1e-4)


def test_unique_lines_are_unique_and_as_many_as_asked_for(trained):
    found = drawn(trained, Wanted(100, unique=True))
    assert len({sample.string for sample in found}) == 100


def test_unique_raw_strings_may_name_a_molecule_twice(trained):
    found = drawn(trained, Wanted(150, unique=True, raw=True))
    assert len({sample.raw for sample in found}) == 150


def test_a_language_that_is_exhausted_is_said(trained):
    said: list[str] = []
    found = [s for piece in draw(trained, Wanted(5000, unique=True, max_length=1), said.append) for s in piece]
    assert len(found) == len(trained.representation.vocab) - 4 + 1
    assert "there are no more different ones" in said[-1]


def test_valid_only_and_novel_go_on_until_there_are_enough(trained):
    found = drawn(trained, Wanted(40, valid_only=True, is_known=training_strings(trained)))
    assert len(found) == 40
    assert all(sample.valid and sample.string not in SMILES for sample in found)


def test_greedy_is_one_string_and_beams_are_in_order(trained):
    assert len(drawn(trained, Wanted(5, decoding=Decoding(greedy=True)))) == 1
    scores = [sample.log_prob for sample in drawn(trained, Wanted(10, beam=10))]
    assert scores == sorted(scores, reverse=True)


def test_every_string_begins_with_the_prefix(trained):
    assert all(sample.raw.startswith("CC(") for sample in drawn(trained, Wanted(30, prefix="CC(")))
    with pytest.raises(UsageError, match="leaves no room"):
        drawn(trained, Wanted(5, prefix="CC(", max_length=2))


def test_an_unconstrained_sample_of_the_plain_constraint_is_the_same(trained):
    assert drawn(trained, Wanted(20, constrained=False)) == drawn(trained, Wanted(20))


def test_contradicting_options_are_refused(trained):
    with pytest.raises(UsageError, match="cannot be combined"):
        drawn(trained, Wanted(5, unique=True, beam=3))


def written(trained: Trained, path: Path, **options) -> dict[str, int]:
    return outputs.write_samples(draw(trained, Wanted(50)), str(path), **options)


def test_every_form_of_file_holds_every_sample(trained, tmp_path):
    expected = drawn(trained, Wanted(50))
    strings = [sample.string for sample in expected]
    written(trained, tmp_path / "a.smi")
    assert (tmp_path / "a.smi").read_text().splitlines() == strings
    written(trained, tmp_path / "raw.txt", raw=True)
    assert (tmp_path / "raw.txt").read_text().splitlines() == [sample.raw for sample in expected]
    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t")):
        written(trained, tmp_path / name)
        with open(tmp_path / name, newline="") as file:
            rows = list(csv.DictReader(file, delimiter=delimiter))
        assert [row["string"] for row in rows] == strings
        assert [row["valid"] == "true" for row in rows] == [sample.valid for sample in expected]
    written(trained, tmp_path / "a.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["string"] for row in table] == strings
    counts = written(trained, tmp_path / "a.sdf")
    molecules = list(rdkit().SDMolSupplier(str(tmp_path / "a.sdf")))
    assert [rdkit().MolToSmiles(molecule) for molecule in molecules] == [s.string for s in expected if s.valid]
    assert counts["written"] == len(molecules)
    assert counts["drawn"] == 50


def test_scores_and_conditions_are_columns_of_every_table(trained, tmp_path):
    options = {"scores": ["length", "qed"], "given": {"logP": 2.5, "kind": "amide"}}
    strings = [sample.string for sample in drawn(trained, Wanted(50))]
    expected = SCORES["qed"](strings).tolist()
    for name, delimiter in (("a.csv", ","), ("a.tsv", "\t")):
        written(trained, tmp_path / name, **options)
        with open(tmp_path / name, newline="") as file:
            rows = list(csv.DictReader(file, delimiter=delimiter))
        assert list(rows[0]) == [*outputs.OWN, "given_logP", "given_kind", "length", "qed"]
        assert {(row["given_logP"], row["given_kind"]) for row in rows} == {("2.5", "amide")}
        assert [float(row["qed"] or "nan") for row in rows] == pytest.approx(expected, abs=0, nan_ok=True)
    written(trained, tmp_path / "a.parquet", **options)
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert [row["length"] for row in table] == [len(string) for string in strings]
    assert [row["qed"] is None for row in table] == [value != value for value in expected]
    assert table[0]["given_kind"] == "amide"
    written(trained, tmp_path / "a.sdf", **options)
    first = next(iter(rdkit().SDMolSupplier(str(tmp_path / "a.sdf"))))
    assert float(first.GetProp("length")) == len(first.GetProp("_Name"))
    assert first.GetProp("given_kind") == "amide"


def test_scores_of_raw_lines_are_those_of_the_raw_strings(trained, capsys):
    outputs.write_samples(draw(trained, Wanted(20)), "-", raw=True, scores=["length", "qed"])
    for line in capsys.readouterr().out.splitlines():
        raw, length, qed = line.split("\t")
        assert float(length) == len(raw)
        assert (qed == "nan") == (canonical(raw) is None)


def test_a_form_without_columns_has_no_place_for_scores(trained, tmp_path):
    with pytest.raises(UsageError, match=r"has no place for scores; choose one of .csv, .tsv, .parquet, .sdf"):
        written(trained, tmp_path / "a.smi", scores=["qed"])
    assert list(tmp_path.iterdir()) == []


def test_no_score_bears_the_name_of_another_column():
    assert not set(outputs.OWN) & {*SCORES, *FAMILIES}
    assert not [name for name in (*SCORES, *FAMILIES) if name.startswith("given_")]
    assert list(outputs.OWN) == [field.name for field in dataclasses.fields(samples.Sample)]


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Teacher forcing on molecules with their weight: all samples are led by the same context."""
    folder = tmp_path_factory.mktemp("conditional")
    (folder / "corpus.smi").write_text("\n".join(SMILES) + "\n")
    settings = ["method.n_steps=80", "method.batch_size=16", "model.d_hidden=16", "method.descent.lr=0.02"]
    run = api.train(
        corpus=folder / "corpus.smi", out=folder / "run", conditions=["weight", "rings"], overrides=settings
    )
    return Trained.load(run.folder)


def test_samples_without_codes_are_searched_and_drawn_without_replacement_under_conditions(conditional):
    plain = {sample.raw: sample.log_prob for sample in drawn(conditional, Wanted(200, given={"rings": 1.0}))}
    for wanted in (
        Wanted(20, beam=20, given={"rings": 1.0}),
        Wanted(20, unique=True, given={"Rings": 1.0}),
        Wanted(40, decoding=Decoding(temperature=0.7), given={"rings": 1.0}),
    ):
        common = [sample for sample in drawn(conditional, wanted) if sample.raw in plain]
        assert common
        for sample in common:
            assert sample.log_prob == pytest.approx(plain[sample.raw], abs=1e-3)
    assert len(drawn(conditional, Wanted(5, decoding=Decoding(greedy=True)))) == 1


def test_what_lies_outside_the_corpus_is_said_with_the_range(conditional):
    said: list[str] = []
    list(draw(conditional, Wanted(1, given={"weight": 900.0}), said.append))
    assert "weight = 900 lies outside what was trained on" in said[0]
    with pytest.raises(UsageError, match="is no condition of this run, did you mean 'rings'"):
        drawn(conditional, Wanted(1, given={"ring": 1.0}))


def test_an_unknown_suffix_is_refused(trained, tmp_path):
    with pytest.raises(UsageError, match="unknown suffix"):
        written(trained, tmp_path / "a.doc")


def test_line_breaks_inside_a_string_do_not_make_lines():
    assert outputs.one_line("a\r\nb") == "a\\r\\nb"
