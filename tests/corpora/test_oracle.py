import hashlib
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest

from freerun.corpora import oracle
from freerun.corpora.containers import File, existing
from freerun.corpora.corpus import open_corpus
from freerun.corpora.oracle import Oracle, OracleDraw, load_oracle
from freerun.corpora.reading import Reading
from freerun.errors import FreerunError
from freerun.files import data_folder


@pytest.fixture(scope="module")
def weights() -> list[np.ndarray]:
    """15 arrays as published, for 6 words and 3 hidden values."""
    rng = np.random.default_rng(0)
    gates = [rng.normal(size=shape).astype(np.float32) for _ in range(4) for shape in ((3, 3), (3, 3), (3,))]
    return [rng.normal(size=(6, 3)).astype(np.float32), *gates, rng.normal(size=(3, 6)), rng.normal(size=6)]


@pytest.fixture
def tiny(weights, tmp_path) -> Oracle:
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(weights, protocol=3))
    return load_oracle(existing(tmp_path / "w.pkl"))


def test_the_nll_is_that_of_the_published_equations_word_by_word(tiny, weights):
    E, Wi, Ui, bi, Wf, Uf, bf, Wo, Uo, bo, Wc, Uc, bc, Wout, bout = [w.astype(np.float64) for w in weights]

    def s(z):
        return 1 / (1 + np.exp(-z))

    words, h, c, x, expected = [2, 0, 5, 5, 1], np.zeros(3), np.zeros(3), E[0], []
    for word in words:
        i, f, o = s(x @ Wi + h @ Ui + bi), s(x @ Wf + h @ Uf + bf), s(x @ Wo + h @ Uo + bo)
        c = f * c + i * np.tanh(x @ Wc + h @ Uc + bc)
        h = o * np.tanh(c)
        logits = h @ Wout + bout
        expected.append(np.log(np.exp(logits).sum()) - logits[word])
        x = E[word]
    np.testing.assert_allclose(tiny.nll(np.array([words])), [expected], rtol=1e-12)


def test_probabilities_of_all_sequences_sum_to_one(tiny):
    everything = np.array(list(itertools.product(range(6), repeat=4)))
    assert np.exp(-tiny.nll(everything).sum(axis=1)).sum() == pytest.approx(1, abs=1e-12)


def test_draws_follow_the_probabilities(tiny):
    n = 40_000
    words, nll = tiny.draw(0, n, length=2)
    np.testing.assert_allclose(nll, tiny.nll(words), rtol=1e-9)
    pairs = np.array(list(itertools.product(range(6), repeat=2)))
    expected = n * np.exp(-tiny.nll(pairs).sum(axis=1))
    counts = np.bincount(6 * words[:, 0].astype(int) + words[:, 1], minlength=36)
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 67  # 35 degrees of freedom: p = 0.001


def test_a_sequence_is_the_same_however_many_are_drawn(tiny, monkeypatch):
    many, _ = tiny.draw(1, 50)
    monkeypatch.setattr(oracle, "_CHUNK", 7)
    few, _ = tiny.draw(1, 20)
    np.testing.assert_array_equal(few, many[:20])
    assert not np.array_equal(tiny.draw(2, 20)[0], few)


def test_a_draw_of_another_hash_is_refused(tiny, tmp_path, cache):
    reader = OracleDraw(existing(tmp_path / "w.pkl"), "train")
    with pytest.raises(FreerunError, match=r"the train draw of seqgan-oracle has SHA-256 .* expected 8eca"):
        list(reader.records(Reading()))
    assert not cache.exists()


def test_a_draw_is_kept_and_a_damaged_one_is_drawn_again(tiny, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(oracle, "N_SEQUENCES", 30)
    words, _ = tiny.draw(1, 30)
    digest = hashlib.sha256(words.astype("<i2").tobytes()).hexdigest()
    monkeypatch.setitem(oracle.DRAWS, "valid", digest)
    reader = OracleDraw(existing(tmp_path / "w.pkl"), "valid")
    strings = [text for _, text, _ in reader.records(Reading())]
    assert strings[3] == " ".join(map(str, words[3].tolist()))
    kept = cache / "seqgan-oracle" / "valid.npy"
    kept.write_bytes(kept.read_bytes()[:-7])
    assert [text for _, text, _ in reader.records(Reading())] == strings
    missing = OracleDraw(File(Path("nowhere"), "nowhere"), "valid")
    assert len(list(missing.records(Reading()))) == 30  # from the cache


def test_other_weights_are_refused(tmp_path, weights):
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(weights[:4], protocol=3))
    with pytest.raises(FreerunError, match="holds 4 arrays, expected the 15"):
        load_oracle(existing(tmp_path / "w.pkl"))


@pytest.mark.slow
def test_the_published_oracle_has_the_golden_values():
    published = load_oracle(existing(data_folder() / "target_params_py3.pkl"))
    zeros = published.nll(np.zeros((1, 20), dtype=int))
    assert zeros.mean() == pytest.approx(13.9742308, abs=1e-6)
    np.testing.assert_allclose(zeros[0, :3], [12.347646, 12.614917, 13.280800], atol=1e-6)
    assert published.nll(np.arange(20)[None]).mean() == pytest.approx(11.61223658, abs=1e-6)
    nll = published.draw(1, 10_000)[1].mean(axis=1)
    assert abs(nll.mean() - 5.7535) < 4 * nll.std() / 100  # the published entropy, within four standard errors


@pytest.mark.slow
def test_the_corpus_is_the_pinned_one():
    corpus = open_corpus("seqgan-oracle")
    for split in corpus.splits:
        strings = [text for _, text in corpus.strings(split)]
        assert len(strings) == 10_000
        assert {len(text.split()) for text in strings} == {20}
