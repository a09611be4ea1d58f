import pytest
import torch

from freerun.sampling.decoding import BLOCK, LARGE, Decoding, inverse_cdf

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


def spiky(n_vocab: int, rows: int = 64) -> torch.Tensor:
    """Distributions of a few words among many of probability exactly 0."""
    generator = torch.Generator().manual_seed(n_vocab)
    probs = torch.rand(rows, n_vocab, generator=generator, dtype=torch.float64) ** 20
    return probs.where(torch.rand(rows, n_vocab, generator=generator) < 0.3, 0.0)


@pytest.mark.parametrize("n_vocab", [LARGE, LARGE + 1, 5003, 40 * LARGE + BLOCK - 1])
def test_two_levels_find_the_token_that_one_running_sum_finds(n_vocab):
    probs, u = spiky(n_vocab), torch.linspace(0, 1, 66, dtype=torch.float64)[1:-1]
    running = probs.cumsum(1)
    expected = (running <= u[:, None] * running[:, -1:]).sum(1)
    assert torch.equal(inverse_cdf(probs, u), expected)


@pytest.mark.parametrize("n_vocab", [LARGE, 5003])
@pytest.mark.parametrize("u", [2.0**-53, 0.5, 1 - 2.0**-53])
def test_two_levels_never_take_a_token_of_probability_zero(n_vocab, u):
    """Also where rounding leaves the point beyond the block, or the whole."""
    probs = spiky(n_vocab, 400).float()
    probs[:200, n_vocab // 3 :] = 0.0
    chosen = inverse_cdf(probs, torch.full((400,), u, dtype=torch.float64))
    assert (probs.gather(1, chosen[:, None]) > 0).all()


def test_a_single_token_of_a_large_vocabulary_is_always_taken():
    tokens = torch.arange(0, 5003, 7)
    probs = torch.nn.functional.one_hot(tokens, 5003).float()
    for u in (2.0**-53, 0.5, 1 - 2.0**-53):
        assert torch.equal(inverse_cdf(probs, torch.full(tokens.shape, u, dtype=torch.float64)), tokens)


def test_two_levels_draw_each_token_as_often_as_its_probability_says():
    probs, n = torch.rand(1, 600).pow(4), 60_000
    probs /= probs.sum()
    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n  # evenly, so that counts are off by one at most
    counts = inverse_cdf(probs.expand(n, -1), u).bincount(minlength=600)
    assert ((counts - n * probs[0]).abs() < 1.1).all()


@pytest.mark.parametrize("decoding", [Decoding(), Decoding(temperature=0.6), Decoding(top_k=9), Decoding(greedy=True)])
@pytest.mark.parametrize("n_vocab", [40, 1000])
def test_drawing_takes_what_is_chosen_from_the_log_probabilities(decoding, n_vocab):
    torch.manual_seed(0)
    logits, u = torch.randn(300, n_vocab, dtype=torch.float64) * 3, torch.rand(300, dtype=torch.float64)
    allowed = torch.rand(300, n_vocab) < 0.5
    allowed[:, 7] = True
    drawn = decoding.draw(logits, allowed, u)
    assert torch.equal(drawn, decoding.choose(decoding.log_probs(logits, allowed), u))
    assert allowed.gather(1, drawn[:, None]).all()


def test_a_forbidden_token_is_not_drawn_however_large_its_logit():
    logits = torch.full((50, 1000), 1e4)
    logits[:, 3] = -1e4
    allowed = torch.zeros(50, 1000, dtype=torch.bool)
    allowed[:, 3] = True
    assert (Decoding().draw(logits, allowed, torch.rand(50, dtype=torch.float64)) == 3).all()


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_numbers_outside_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Decoding(**wrong)
