import pytest
import torch

from freerun.sampling.decoding import Decoding, inverse_cdf

LOGITS = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
ALL = torch.ones(1, 4, dtype=torch.bool)


def probabilities(decoding: Decoding, allowed=ALL) -> list[float]:
    return decoding.log_probs(LOGITS, allowed).exp()[0].tolist()


def test_temperature_sharpens():
    squares = torch.tensor([0.01, 0.04, 0.09, 0.16])
    assert probabilities(Decoding(temperature=0.5)) == pytest.approx((squares / squares.sum()).tolist())


def test_top_k_keeps_the_k_largest_allowed_ones():
    assert probabilities(Decoding(top_k=2)) == pytest.approx([0, 0, 3 / 7, 4 / 7])
    not_the_last = torch.tensor([[True, True, True, False]])
    assert probabilities(Decoding(top_k=2), not_the_last) == pytest.approx([0, 0.4, 0.6, 0])


def test_top_p_keeps_the_smallest_set_that_reaches_p():
    assert probabilities(Decoding(top_p=0.7)) == pytest.approx([0, 0, 3 / 7, 4 / 7])
    assert probabilities(Decoding(top_p=0.71)) == pytest.approx([0, 2 / 9, 3 / 9, 4 / 9])
    assert probabilities(Decoding(top_p=0.1)) == pytest.approx([0, 0, 0, 1])


def test_inverse_cdf_steps_where_the_running_sum_does():
    probs = torch.tensor([[0.25, 0.0, 0.5, 0.25]]).expand(5, -1)
    u = torch.tensor([1e-9, 0.2499, 0.25, 0.7499, 0.75], dtype=torch.float64)
    assert inverse_cdf(probs, u).tolist() == [0, 0, 2, 2, 3]


def test_inverse_cdf_never_takes_a_token_of_probability_zero():
    probs = torch.tensor([[0.0, 1 / 3, 1 / 3, 1 / 3, 0.0]]).expand(2, -1)
    assert inverse_cdf(probs, torch.tensor([2.0**-53, 1 - 2.0**-53], dtype=torch.float64)).tolist() == [1, 3]


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_numbers_outside_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Decoding(**wrong)
