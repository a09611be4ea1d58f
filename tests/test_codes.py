"""Codes of strings and strings of codes, on a run that was trained for a second on a few words."""

import dataclasses

import numpy as np
import pytest
import torch

from freerun import api, codes
from freerun.constraints.base import BOS
from freerun.errors import InvalidSequence, UsageError
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.trained import Trained

WORDS = ["abba", "abab", "baba", "bbaa", "aabb", "ab", "ba", "aab"]
SETTINGS = [
    "representation.name=text",
    "method.name=vrae",
    "method.n_steps=150",
    "method.batch_size=32",
    "method.d_latent=6",
    "method.beta=0.1",
    "method.descent.lr=0.01",
    "model.d_hidden=32",
    "run.precision=float32",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("codes")
    (folder / "corpus.txt").write_text("\n".join(WORDS * 8) + "\n")
    run = api.train(corpus=folder / "corpus.txt", out=folder / "run", overrides=SETTINGS)
    return Trained.load(run.folder, device="cpu")


def test_the_mean_of_a_posterior_decodes_to_its_string(trained):
    means, log_vars = codes.encode(trained, WORDS)
    assert means.shape == log_vars.shape == (8, 6)
    assert codes.decode(trained, means) == [[word] for word in WORDS]


def test_codes_do_not_depend_on_the_batch_or_on_the_order(trained):
    whole, _ = codes.encode(trained, WORDS)
    parts, _ = codes.encode(trained, WORDS[::-1], batch_size=3)
    np.testing.assert_allclose(parts[::-1], whole, atol=1e-6)


def test_greedy_strings_are_a_function_of_the_code_alone(trained):
    z = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    whole = codes.decode(trained, z)
    assert codes.decode(trained, z[::-1], seed=5)[::-1] == whole
    assert codes.decode(trained, z[:2], n_each=3) == [strings * 3 for strings in whole[:2]]
    assert len({strings[0] for strings in whole}) > 4


def test_drawn_strings_have_the_probabilities_of_the_generator(trained):
    """A code decoded 2,000 times against the generator's own first step."""
    z = codes.encode(trained, ["ab"])[0] + 1.0
    drawn = codes.decode(trained, z, greedy=False, n_each=2000, seed=1)[0]
    again = codes.decode(trained, np.concatenate([z, z]), greedy=False, n_each=1000, seed=1)
    assert again[0] + again[1] == drawn  # sample numbers run on from code to code
    generator = trained.generator
    context = torch.from_numpy(z)
    with torch.no_grad():
        logits, _ = generator.step(torch.tensor([BOS]), generator.start(1, context))
    allowed = trained.constraint.allowed(trained.constraint.start(1, trained.budget))
    p = logits.masked_fill(~allowed, -torch.inf).softmax(1)[0]
    first = trained.representation.token_ids["a"]
    share = sum(string.startswith("a") for string in drawn) / 2000
    assert abs(share - p[first].item()) < 4.5 * (0.25 / 2000) ** 0.5


def test_nothing_to_encode_or_to_decode_gives_nothing(trained):
    assert codes.encode(trained, [])[0].shape == (0, 6)
    assert codes.decode(trained, np.zeros((0, 6), np.float32)) == []


def test_an_interpolation_goes_from_one_string_to_the_other(trained):
    path = codes.interpolate(trained, "abba", "bbaa", 7)
    assert len(path) == 7
    assert (path[0], path[-1]) == ("abba", "bbaa")
    with pytest.raises(UsageError, match="n = 1 must be at least 2"):
        codes.interpolate(trained, "abba", "bbaa", 1)


def test_the_great_circle_keeps_the_length_and_turns_evenly():
    a, b = np.array([3.0, 0.0]), np.array([0.0, 3.0])
    circle = codes.great_circle(a, b, 4)
    angles = np.arange(4) * np.pi / 6
    np.testing.assert_allclose(circle, 3 * np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-12)
    np.testing.assert_allclose(codes.great_circle(a, -a, 3), np.stack([a, 0 * a, -a]))
    np.testing.assert_allclose(codes.great_circle(np.zeros(2), b, 3), np.stack([0 * b, b / 2, b]))


def test_what_cannot_be_encoded_is_named(trained):
    with pytest.raises(InvalidSequence, match="token 'z' is not in the vocabulary"):
        codes.encode(trained, ["ab", "abz"])
    with pytest.raises(UsageError, match=r"'aaaaaaaaaa' has 10 tokens; this run was trained on at most 4"):
        codes.encode(trained, ["ab", "aaaaaaaaaa"])
    with pytest.raises(UsageError, match="codes of width 6, one a row"):
        codes.decode(trained, np.zeros((2, 5), np.float32))


def test_what_cannot_be_encoded_keeps_its_row_where_it_may(trained):
    told: dict[int, str] = {}
    strings = ["ab", "abz", "abba", "aaaaaaaaaa"]
    means, log_vars = codes.encode(trained, strings, refused=lambda place, error: told.update({place: str(error)}))
    assert list(told) == [1, 3]
    assert "token 'z'" in told[1]
    assert np.isnan(means[[1, 3]]).all()
    assert np.isnan(log_vars[[1, 3]]).all()
    np.testing.assert_allclose(means[[0, 2]], codes.encode(trained, ["ab", "abba"])[0], atol=1e-6)
    assert [bool(each) for each in codes.decode(trained, means)] == [True, False, True, False]


def test_codes_decoded_in_parts_are_those_of_the_whole(trained):
    z = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    z[3] = np.nan
    whole = codes.decode(trained, z, greedy=False, n_each=3, seed=2)
    parts = [codes.decode(trained, z[i : i + 2], greedy=False, n_each=3, seed=2, first=i) for i in (0, 2, 4)]
    assert [strings for part in parts for strings in part] == whole
    assert whole[3] == []


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e60])
def test_a_code_that_is_not_finite_is_refused_with_its_row(trained, value):
    z = np.zeros((3, 6))
    z[1, 4] = value
    with pytest.raises(UsageError, match="row 11 of the codes"):
        codes.decode(trained, z, first=10)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Words with their kind, and with their length, which a score knows too."""
    folder = tmp_path_factory.mktemp("conditional")
    rows = [f"{word},{'long' if len(word) == 4 else 'short'}" for word in WORDS]
    (folder / "corpus.csv").write_text("string,kind\n" + "\n".join(rows * 8) + "\n")
    more = ["method.condition=['kind', 'length']", "method.condition_dropout=0.1"]
    run = api.train(corpus=folder / "corpus.csv", out=folder / "run", overrides=SETTINGS + more)
    return Trained.load(run.folder, device="cpu")


def test_the_encoder_is_told_what_is_known_of_a_string(conditional):
    kind = np.array(["long" if len(word) == 4 else "short" for word in WORDS], dtype=object)
    told, _ = codes.encode(conditional, WORDS, columns={"kind": kind})
    again, _ = codes.encode(
        conditional, WORDS, columns={"kind": kind, "length": np.array([len(w) for w in WORDS]) * 1.0}
    )
    np.testing.assert_array_equal(told, again)  # the length is computed where it is not given
    untold, _ = codes.encode(conditional, WORDS)
    assert not np.allclose(told, untold)
    known = codes.known_columns(conditional, ["ab", "abba"], {"kind": np.array(["odd", "long"], dtype=object)})
    assert known["length"].tolist() == [2.0, 4.0]
    assert known["kind"].isnan().tolist() == [True, False]


def test_conditions_that_are_asked_for_change_what_a_code_decodes_to(conditional):
    z = np.zeros((1, 6), np.float32)
    lengths = {}
    for kind, n in (("long", 4.0), ("short", 2.0)):
        drawn = codes.decode(conditional, z, greedy=False, n_each=200, given={"kind": kind, "length": n})[0]
        lengths[kind] = np.mean([len(string) for string in drawn])
    assert lengths["long"] > lengths["short"] + 0.5
    with pytest.raises(UsageError, match="kind has no class 'middling'"):
        codes.decode(conditional, z, given={"kind": "middling"})


def test_the_way_between_two_strings_begins_and_ends_at_their_own_conditions(conditional):
    """Of a string whose kind is not asked for, the encoder and the generator are told its length."""
    means, _ = codes.encode(conditional, ["abba", "ab"])
    ends = [codes.decode(conditional, means[i : i + 1], given={"length": n})[0][0] for i, n in ((0, 4.0), (1, 2.0))]
    path = codes.interpolate(conditional, "abba", "ab", 5)
    assert [path[0], path[-1]] == ends


def test_a_method_without_codes_is_refused(trained):
    config = dataclasses.replace(trained.config, method=TeacherForcing())
    with pytest.raises(UsageError, match="TeacherForcing, which has no latent codes"):
        codes.encode(dataclasses.replace(trained, config=config), ["ab"])
