import itertools
import math

import numpy as np
import pytest

from freerun.constraints.length import Length
from freerun.corpora.oracle import Oracle
from freerun.errors import UsageError
from freerun.files import data_folder
from freerun.metrics.frontier import drawn, tokens_of, words_of
from freerun.metrics.oracle import (
    ENTROPY,
    as_generator,
    forward_kl,
    nll,
    oracle_measures,
    parsed,
    published_oracle,
    reverse_kl,
)
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob

HAS_WEIGHTS = (data_folder() / "target_params_py3.pkl").is_file()


def tiny_oracle(n_words: int = 6, d: int = 3) -> Oracle:
    rng = np.random.default_rng(0)
    shapes = (n_words, d), (d, 4 * d), (d, 4 * d), (4 * d,), (d, n_words), (n_words,)
    return Oracle(*(rng.normal(size=shape) for shape in shapes))


def all_sequences(n_words: int, length: int) -> np.ndarray:
    return np.array(list(itertools.product(range(n_words), repeat=length)))


def test_the_nll_equals_that_of_the_word_by_word_code():
    oracle, sequences = tiny_oracle(), np.random.default_rng(1).integers(0, 6, (150, 7))
    np.testing.assert_allclose(nll(oracle, sequences), oracle.nll(sequences), rtol=0, atol=1e-13)
    assert nll(oracle, sequences[:0]).shape == (0, 7)


def test_probabilities_of_all_sequences_sum_to_one():
    assert np.exp(-nll(tiny_oracle(), all_sequences(6, 4)).sum(1)).sum() == pytest.approx(1, abs=1e-12)


def test_the_oracle_as_a_generator_gives_every_sequence_the_same_probability():
    oracle, sequences = tiny_oracle(), all_sequences(6, 3)
    scores = log_prob(as_generator(oracle), tokens_of(sequences), Length(10, 3, 3), budget=4)
    np.testing.assert_allclose(-scores[:, :3].detach().numpy(), oracle.nll(sequences), atol=1e-12)
    assert not scores[:, 3].any()  # <eos> is certain after three words


def test_measures_by_hand():
    oracle, sequences = tiny_oracle(), np.array([[0, 1], [0, 1], [2, 3], [4, 5]])
    measures = oracle_measures(sequences, train=[(2, 3), (5, 5)], oracle=oracle)
    each = oracle.nll(sequences).sum(1) / 2
    assert measures["nll_oracle"] == pytest.approx(each.sum() / 4, abs=1e-12)
    error = math.sqrt(((each - each.mean()) ** 2).sum() / 3 / 4)
    assert measures["nll_oracle_standard_error"] == pytest.approx(error, abs=1e-12)
    assert (measures["n"], measures["uniqueness"], measures["in_train"]) == (4, 3 / 4, 1 / 4)
    assert "in_train" not in oracle_measures(sequences, oracle=oracle)


def test_without_sequences_there_is_no_figure():
    measures = oracle_measures(np.empty((0, 5), dtype=np.int64), train=[], oracle=tiny_oracle())
    assert measures["n"] == 0
    assert all(math.isnan(value) for name, value in measures.items() if name != "n")


def test_both_divergences_equal_those_over_all_sequences():
    p, g, sequences = tiny_oracle(), tiny_oracle(), all_sequences(6, 3)
    g.bo[:] = 0
    log_p, log_g = -nll(p, sequences).sum(1), -nll(g, sequences).sum(1)
    exact = {
        "forward": (np.exp(log_p) * (log_p - log_g)).sum() / 3,
        "reverse": (np.exp(log_g) * (log_g - log_p)).sum() / 3,
    }
    truths, wrongs = p.draw(0, 4_000, 3)[0], g.draw(1, 4_000, 3)[0]
    forward = forward_kl(nll(g, truths).mean(1), nll(p, truths).mean(1))
    reverse = reverse_kl(nll(p, wrongs).mean(1), nll(g, wrongs).mean(1))
    assert abs(forward.value - exact["forward"]) < 4 * forward.standard_error < 0.1
    assert abs(reverse.value - exact["reverse"]) < 4 * reverse.standard_error < 0.1


def test_lines_become_word_numbers():
    assert parsed(["1 2  3", "0 0 4999"], length=3).tolist() == [[1, 2, 3], [0, 0, 4999]]
    assert parsed([], length=3).shape == (0, 3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2", "line 2 holds 2 words, a sequence of seqgan-oracle has 3"),
        ("", "line 2 holds 0 words"),
        ("1 2 3 4", "line 2 holds 4 words"),
        ("1 5000 2", "line 2: '5000' is no word of seqgan-oracle; words are the numbers 0 to 4999"),
        ("1 -1 2", "line 2: '-1' is no word"),
        ("1 2.0 2", "line 2: '2.0' is no word"),
        ("1 1_0 2", "line 2: '1_0' is no word"),
        ("1 \u0663 2", "line 2: '\u0663' is no word"),
        ("1 99999999999999999999999 2", "is no word"),
    ],
)
def test_a_line_that_is_no_sequence_is_named_by_its_number(line, message):
    with pytest.raises(UsageError, match=message):
        parsed(["1 2 3", line], length=3)


@pytest.mark.skipif(not HAS_WEIGHTS, reason="the published weights are not in the data folder")
def test_the_published_oracle_has_the_golden_values():
    oracle = published_oracle()
    zeros = nll(oracle, np.zeros((1, 20), dtype=np.int64))
    assert zeros.mean() == pytest.approx(13.9742308, abs=1e-6)
    np.testing.assert_allclose(zeros[0, :3], [12.347646, 12.614917, 13.280800], atol=1e-6)
    assert oracle_measures(np.arange(20)[None])["nll_oracle"] == pytest.approx(11.61223658, abs=1e-6)


@pytest.mark.slow
def test_the_drawn_corpus_has_the_published_entropy_and_noise_has_not():
    test = drawn("test")
    measures = oracle_measures(test, train=drawn("train").tolist())
    assert abs(measures["nll_oracle"] - ENTROPY) < 3 * measures["nll_oracle_standard_error"]
    assert (measures["uniqueness"], measures["in_train"]) == (1, 0)
    noise = oracle_measures(np.random.default_rng(0).integers(0, 5_000, (10_000, 20)))
    assert abs(noise["nll_oracle"] - 11.445) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoding", "n", "expected"),
    [
        (Decoding(temperature=0.9), 4_000, 5.265),
        (Decoding(temperature=0.5), 4_000, 3.308),
        (Decoding(greedy=True), 1, 2.756),
    ],
)
def test_the_true_oracle_sampled_colder_scores_better_than_itself(decoding, n, expected):
    """Expected: of 20,000 float64 sequences, standard errors .004 and .003; and the one greedy sequence."""
    generator = as_generator(published_oracle()).float()
    samples = FreeRun(generator, Length(5_004, 20, 20), 21, 1, decoding, batch_size=64)(n)
    measures = oracle_measures(words_of(samples.tokens, 20))
    error = 0 if n == 1 else measures["nll_oracle_standard_error"]
    assert abs(measures["nll_oracle"] - expected) < 0.001 + 4 * error
