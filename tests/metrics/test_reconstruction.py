import math

import numpy as np
import pytest

from freerun.metrics.reconstruction import Share, prior_validity, reconstruction

BELOW_MINUS_ONE, BELOW_ZERO = 0.15865525, 0.5  # of the standard normal


def sign_decoder(codes: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
    """The sign of the first axis, as a string; the same each time."""
    return [["+" if code[0] > 0 else "-"] * n_each for code in codes]


def coin_decoder(codes: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
    """Says "a" with a probability of 0.25 whatever the code, with numbers of its own for each seed."""
    rng = np.random.default_rng(seed)
    return [["a" if u < 0.25 else "b" for u in row] for row in rng.random((len(codes), n_each))]


def test_a_perfect_decoder_gives_everything_back():
    names = [str(i) for i in range(30)]

    def decode(codes: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
        return [[str(round(float(code[0])))] * n_each for code in codes]

    means = np.arange(30.0)[:, None]
    assert reconstruction(names, means, np.full((30, 1), -20.0), decode) == Share(1.0, 0.0, 30)
    assert reconstruction(names[::-1], means, np.full((30, 1), -20.0), decode).value == 0.0


def test_the_codes_are_draws_from_the_posterior():
    """N(1, 1) is above 0, and N(1, 4) above 0, with the probabilities of the normal distribution."""
    n = 2000
    for deviation, expected in ((1.0, 1 - BELOW_MINUS_ONE), (2.0, 0.5 * (1 + math.erf(0.5 / 2**0.5)))):
        log_vars = np.full((n, 3), 2 * math.log(deviation))
        share = reconstruction(["+"] * n, np.ones((n, 3)), log_vars, sign_decoder, n_decodings=1)
        assert abs(share.value - expected) < 4.5 * share.standard_error
        assert share.standard_error == pytest.approx((expected * (1 - expected) / (10 * n)) ** 0.5, rel=0.1)


def test_each_code_is_decoded_anew_and_as_often_as_asked():
    asked = []

    def decode(codes: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
        asked.append((len(codes), n_each, seed))
        return coin_decoder(codes, n_each, seed)

    share = reconstruction(["a"] * 250, np.zeros((250, 2)), np.zeros((250, 2)), decode, n_encodings=8, n_decodings=20)
    assert [call[:2] for call in asked] == [(1000, 20), (1000, 20)]
    assert asked[0][2] != asked[1][2]
    assert abs(share.value - 0.25) < 4.5 * (0.25 * 0.75 / 40_000) ** 0.5


def test_equality_is_that_of_the_form_and_none_equals_nothing():
    means = np.zeros((2, 1))

    def decode(codes: np.ndarray, n_each: int, seed: int) -> list[list[str]]:
        return [["OCC", "CCO", "x", "C"][:n_each] for _ in codes]

    def form(string: str) -> str | None:
        return None if string == "x" else "".join(sorted(string))

    plain = reconstruction(["CCO", "x"], means, means, decode, n_encodings=1, n_decodings=4)
    assert plain.value == pytest.approx((0.25 + 0.25) / 2)
    formed = reconstruction(["CCO", "x"], means, means, decode, n_encodings=1, n_decodings=4, form=form)
    assert formed.value == pytest.approx((0.5 + 0) / 2)


def test_the_points_are_draws_from_the_prior_and_validity_is_asked_once_a_string():
    asked = []

    def is_valid(string: str) -> bool:
        asked.append(string)
        return string == "-"

    share = prior_validity(2, sign_decoder, is_valid, n_points=3000, n_decodings=5)
    assert abs(share.value - BELOW_ZERO) < 4.5 * share.standard_error
    assert share.standard_error == pytest.approx((0.25 / 3000) ** 0.5, rel=0.05)
    assert sorted(asked) == ["+", "-"]
    assert prior_validity(2, coin_decoder, bool, n_points=10, n_decodings=3) == Share(1.0, 0.0, 10)


def test_the_seed_chooses_the_codes():
    settings = {"n_points": 501, "n_decodings": 1}
    values = [prior_validity(1, sign_decoder, "+".__eq__, seed=seed, **settings).value for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="3 strings and 2 posteriors"):
        reconstruction(["a"] * 3, np.zeros((2, 1)), np.zeros((2, 1)), coin_decoder)
    with pytest.raises(ValueError, match="give at least 2"):
        prior_validity(1, coin_decoder, bool, n_points=1)
