"""The examination of a latent run on held-out strings: each number against its definition."""

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from freerun import api, posterior
from freerun.codes import decode, encode
from freerun.conditions import Conditions, Label
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split
from freerun.errors import UsageError
from freerun.examination import Examination
from freerun.held_out import HeldOut, read_held_out, readable
from freerun.methods.base import Latent
from freerun.prepare import reopen
from freerun.report.page import write_report
from freerun.run_folder import RunFolder
from freerun.sampling.likelihood import log_prob
from freerun.trained import Trained

TEXTS = ["abab", "baab", "aabb", "bbaa", "abba", "ab", "ba", "bb"]
SMALL = ["representation.name=text", "model.d_hidden=8", "method.batch_size=16", "method.n_steps=4"]
VRAE = [*SMALL, "method.name=vrae", "method.d_latent=3", "method.d_encoder=8"]


def train(folder: Path, settings: list[str], lines: list[str] = TEXTS * 6, suffix: str = "txt") -> Trained:
    (folder / f"corpus.{suffix}").write_text("\n".join(lines) + "\n")
    run = api.train("quickstart", corpus=folder / f"corpus.{suffix}", out=folder / "run", overrides=settings)
    return Trained.load(RunFolder.found(run.path))


def held_of(trained: Trained, split: str = "train") -> HeldOut:
    corpus = reopen(trained.folder, lambda _: None).corpus
    encoded = encode_split(corpus, split, trained.representation)
    return read_held_out(trained, corpus, split, encoded, readable(trained, encoded, 1000))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("posterior"), VRAE)


@pytest.fixture(scope="module")
def held(trained: Trained) -> HeldOut:
    return held_of(trained)


def test_what_is_read_is_what_encoding_the_strings_gives(trained, held):
    means, log_vars = encode(trained, held.strings)
    np.testing.assert_allclose(held.latent.mean, means, atol=1e-6)
    np.testing.assert_allclose(held.latent.log_var, log_vars, atol=1e-6)
    assert trained.representation.decode_batch(held.tokens) == list(held.strings)
    assert held.condition.shape == (len(held), 0)
    assert len(held.first(3)) == len(held.first(3).latent) == 3


def test_rows_that_training_could_not_have_had_are_left_out(trained, tmp_path):
    (tmp_path / "other.txt").write_text("\n".join(["ab", "abc", "a" * 50, "ba", "abab"] * 2) + "\n")
    other = open_corpus(str(tmp_path / "other.txt"))
    encoded = encode_split(other, "+".join(other.splits), trained.representation)
    strings = encoded.strings()
    rows = readable(trained, encoded, 100)
    assert {strings[row] for row in rows} == {"ab", "ba", "abab"}
    assert len(rows) == 6
    assert readable(trained, encoded, 2, rows[::-1]) == rows[::-1][:2]
    with pytest.raises(UsageError, match="holds no string in train"):
        read_held_out(trained, other, "train", encoded, [])


def test_reconstruction_is_the_share_that_greedy_decoding_gives_back(trained, held):
    means, _ = encode(trained, held.strings)
    own = [strings[0] for strings in decode(trained, means)]
    share = sum(a == b for a, b in zip(own, held.strings, strict=True)) / len(own)
    assert posterior.reconstruction(trained, held) == {"n": len(held), "share": share, "same_molecule": None}


def test_a_beam_that_holds_the_whole_language_gives_back_what_is_most_probable(trained, held):
    """Of 31 strings of at most four letters: the best of a beam that wide is the best of them all."""
    some = held.first(4)
    found = posterior.reconstruction(trained, some, beam=200)
    longest = trained.budget - 1
    language = ["".join(letters) for n in range(longest + 1) for letters in itertools.product("ab", repeat=n)]
    rows = [trained.representation.encode(text) for text in language]
    tokens = torch.zeros(len(rows), trained.budget, dtype=torch.long)
    for line, ids in zip(tokens, rows, strict=True):
        line[: len(ids) + 1] = torch.tensor([*ids, 2])
    n_back = 0
    for i in range(len(some)):
        context = some.latent.mean[i].expand(len(rows), -1)
        with torch.no_grad():
            scores = log_prob(trained.generator, tokens, trained.constraint, context, budget=trained.budget).sum(1)
        n_back += language[int(scores.argmax())] == some.strings[i]
    assert found == {"n": 4, "share": n_back / 4, "same_molecule": None, "k": 200}


def test_everything_is_told_and_can_be_written(trained, held):
    told = []
    found = posterior.posterior(trained, held, 10, notify=told.append)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(told) == 1
    assert (found["n"], found["d_latent"]) == (len(held), 3)
    assert -0.1 < found["mutual_information"] <= math.log(len(held))  # an estimate of about nothing
    assert found["kl"] == pytest.approx(found["mutual_information"] + found["marginal_kl"])
    weighed = found["likelihood"]
    assert (weighed["n"], weighed["n_samples"], weighed["forbidden"], weighed["given"]) == (10, 500, 0, [])
    assert weighed["nll_per_sequence"] < weighed["neg_elbo_per_sequence"]
    count = sum(len(text) + 1 for text in held.strings[:10])
    assert weighed["nll_per_token"] * count == pytest.approx(weighed["nll_per_sequence"] * 10)
    assert [found["reconstruction"][way]["n"] for way in ("greedy", "beam")] == [10, 10]
    assert len(found["map"]["x"]) == len(found["map"]["y"]) == len(held)
    assert found["map"]["colours"] == [
        {"name": "length", "values": [float(len(text)) for text in held.strings], "classes": None}
    ]


def test_neighbours_are_other_strings_each_once_the_nearest_first(trained, held):
    found = posterior.posterior(trained, held, 2)["neighbours"]
    means = held.latent.mean.numpy()
    assert [entry["string"] for entry in found] == list(held.strings[:3])
    for centre, entry in enumerate(found):
        distances = [each["distance"] for each in entry["nearest"]]
        names = [each["string"] for each in entry["nearest"]]
        assert distances == sorted(distances)
        assert len(set(names)) == len(names) == 6
        assert held.strings[centre] not in names
        others = [np.linalg.norm(means[i] - means[centre]) for i, s in enumerate(held.strings) if s == names[0]]
        assert distances[0] == pytest.approx(min(others), rel=1e-5)


def test_an_encoder_that_draws_nothing_has_no_density_but_gives_strings_back(trained, held):
    certain = Latent(held.latent.mean, torch.full_like(held.latent.log_var, -torch.inf))
    found = posterior.posterior(trained, dataclasses.replace(held, latent=certain), 5)
    assert [found[name] for name in ("kl", "mutual_information", "marginal_kl", "likelihood")] == [None] * 4
    assert found["active_units"] == int((held.latent.mean.var(0, correction=0) > 0.01).sum())
    assert found["reconstruction"]["greedy"]["n"] == 5
    json.dumps(found, allow_nan=False)


def test_a_larger_network_is_weighed_on_fewer_strings(trained, monkeypatch):
    assert posterior.n_affordable(trained) == posterior.N_WEIGHTED
    n_weights = sum(value.numel() for value in trained.generator.parameters())
    monkeypatch.setattr(posterior, "WORK", 50 * posterior.N_SAMPLES * trained.budget * n_weights)
    assert posterior.n_affordable(trained) == 50
    monkeypatch.setattr(posterior, "WORK", 1)
    assert posterior.n_affordable(trained) == 10


def test_a_conditional_run_is_told_its_conditions_from_the_file_or_by_a_score(tmp_path):
    """A label of the file, and a number that a score computes; both colour the map."""
    lines = ["text,kind", *[f"{text},{'one' if text[0] == 'a' else 'two'}" for text in TEXTS * 6]]
    settings = [*VRAE, 'method.condition=["kind","length"]', "corpus.column=text"]
    trained = train(tmp_path, settings, lines, "csv")
    held = held_of(trained)
    parts = trained.state.world.conditions.parts
    assert isinstance(parts[0], Label)
    assert [parts[0].classes[int(i)] for i in held.columns["kind"]] == [
        "one" if text[0] == "a" else "two" for text in held.strings
    ]
    assert held.columns["length"].tolist() == [len(text) for text in held.strings]
    torch.testing.assert_close(
        held.condition, Conditions(parts).encoded(held.columns, len(held), held.condition.device)
    )
    found = posterior.posterior(trained, held, 5)
    assert found["likelihood"]["given"] == ["kind", "length"]
    assert [entry["name"] for entry in found["map"]["colours"]] == ["kind", "length"]
    assert list(found["map"]["colours"][0]["classes"]) == ["one", "two"]


def test_codes_of_molecules_are_coloured_by_properties_and_compared_as_molecules(tmp_path):
    smiles = ["CCO", "CCN", "CCC", "c1ccccc1", "CC(=O)O", "CCOC", "CNC", "OCC", "CC(C)O", "CCCl"] * 8
    trained = train(tmp_path, [*VRAE[1:], "representation.name=smiles"], smiles, "smi")
    found = posterior.posterior(trained, held_of(trained), 5)
    assert [entry["name"] for entry in found["map"]["colours"]] == ["logP", "QED", "weight"]
    assert found["map"]["colours"][2]["values"][0] > 40
    back = found["reconstruction"]["greedy"]
    assert 0 <= back["share"] <= back["same_molecule"] <= 1


@pytest.mark.filterwarnings("default")
def test_evaluating_a_latent_run_writes_what_its_report_shows(trained, tmp_path):
    Examination(trained.folder, 10).run()
    found = json.loads((trained.folder.path / "posterior.json").read_text("utf-8"))
    assert found["n"] <= 100
    page = write_report([trained.folder.path], tmp_path / "report.html").read_text("utf-8")
    assert page.count('id="latent"') == 1
    assert page.count('class="codes"') == 1
