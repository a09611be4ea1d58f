import itertools
import math

import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from torch import Tensor

from freerun.constraints.base import EOS, PAD, SPECIALS, AbstractConstraint
from freerun.constraints.language import Language
from freerun.constraints.length import Length
from freerun.models.generator import Generator
from freerun.sampling.likelihood import log_prob
from freerun.sampling.relaxed import relaxed_run

N_VOCAB, LONGEST = 7, 3  # words 4, 5, 6
GRAMMAR = "S -> 'a' | 'a' 'b' | 'c' X X\nX -> 'a' | 'b'"
LANGUAGES: dict[str, AbstractConstraint] = {
    "one to three words": Length(N_VOCAB, 1, LONGEST),
    "three words": Length(N_VOCAB, LONGEST, LONGEST),
    "a grammar": Language((*SPECIALS, "a", "b", "c"), GRAMMAR),
}
WEIGHTS = 1.5 * torch.randn(LONGEST, N_VOCAB, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
WEIGHTS[:, PAD] = 0
OUTER = torch.randn(6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.fixture(params=LANGUAGES)
def constraint(request) -> AbstractConstraint:
    return LANGUAGES[request.param]


def build(d_context: int = 0) -> Generator:
    torch.manual_seed(3)
    generator = Generator(N_VOCAB, d_embedding=5, d_hidden=6, d_context=d_context).double()
    for weight in generator.parameters():
        weight.data *= 3  # far from uniform, and what was read matters
    return generator


def run(constraint: AbstractConstraint, n: int, *, hard: bool = False, temperature: float = 0.7, seed: int = 0):
    return relaxed_run(
        build(), constraint, n, budget=LONGEST + 1, temperature=temperature, seed=seed, hard=hard, context=None
    )


def language(constraint: AbstractConstraint) -> Tensor:
    """Every string of it, padded."""
    rows = [
        [*words, EOS] + [PAD] * (LONGEST - len(words))
        for length in range(LONGEST + 1)
        for words in itertools.product((4, 5, 6), repeat=length)
    ]
    tokens = torch.tensor(rows)
    scored = log_prob(build(), tokens, constraint, budget=LONGEST + 1).sum(1)
    return tokens[scored > -math.inf]


def padded(x: Tensor) -> Tensor:
    """Ids or rows, as wide as the budget."""
    if x.ndim == 2:
        return F.pad(x, (0, LONGEST + 1 - x.shape[1]), value=PAD)
    return torch.cat([x, F.one_hot(torch.zeros(len(x), LONGEST + 1 - x.shape[1]).long(), N_VOCAB).to(x)], 1)


def value(x: Tensor, bend: float = 1.0) -> Tensor:
    """f of rows of distributions; far from linear at bend 1, nearly so towards 0. Nothing of it depends on padding."""
    x = padded(x)[:, :LONGEST]
    return torch.tanh(torch.einsum("btv,tvd->bd", x, bend * WEIGHTS)) @ OUTER


def gradient(generator: Generator, loss: Tensor) -> Tensor:
    generator.zero_grad()
    loss.backward()
    slopes = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in generator.parameters()]
    return torch.cat([slope.flatten() for slope in slopes])


def exact_gradient(constraint: AbstractConstraint, bend: float = 1.0) -> Tensor:
    """Of E f(Y), by enumeration of the language."""
    generator, tokens = build(), language(constraint)
    probs = log_prob(generator, tokens, constraint, budget=LONGEST + 1).sum(1).exp()
    assert probs.sum().item() == pytest.approx(1)
    return gradient(generator, probs @ value(F.one_hot(tokens, N_VOCAB).double(), bend))


def relaxed_gradient(
    constraint: AbstractConstraint, temperature: float, *, hard: bool = False, n: int = 20_000, bend: float = 1.0
) -> Tensor:
    generator = build()
    drawn = relaxed_run(generator, constraint, n, budget=LONGEST + 1, temperature=temperature, seed=4, hard=hard)
    return gradient(generator, value(drawn.probs, bend).mean())


def error(estimate: Tensor, exact: Tensor) -> float:
    return ((estimate - exact).norm() / exact.norm()).item()


def cosine(a: Tensor, b: Tensor) -> float:
    return (a @ b / (a.norm() * b.norm())).item()


@pytest.mark.parametrize("hard", [False, True])
def test_forbidden_tokens_get_exactly_nothing_and_the_others_sum_to_one(constraint, hard):
    drawn = run(constraint, 200, hard=hard)
    allowed = constraint.replay(drawn.tokens, LONGEST + 1)
    assert (drawn.probs[~allowed] == 0).all()
    torch.testing.assert_close(drawn.probs.sum(-1), torch.ones_like(drawn.probs[..., 0]))
    assert torch.equal(drawn.probs.argmax(-1), drawn.tokens)
    assert {tuple(row) for row in padded(drawn.tokens).tolist()} <= {
        tuple(row) for row in language(constraint).tolist()
    }


def test_straight_through_tokens_are_samples_of_the_model(constraint):
    n = 20_000
    drawn = run(constraint, n, hard=True, temperature=3.0)
    strings = language(constraint)
    probs = log_prob(build(), strings, constraint, budget=LONGEST + 1).sum(1).exp().detach()
    counts = (padded(drawn.tokens)[:, None] == strings).all(2).sum(0)
    assert counts.sum() == n
    large = n * probs > 5  # the rest together
    observed = torch.cat([counts[large], counts[~large].sum()[None]]).double()
    expected = torch.cat([probs[large], probs[~large].sum()[None]]) * n
    kept = expected > 1e-9
    assert scipy.stats.chisquare(observed[kept].numpy(), expected[kept].numpy()).pvalue > 1e-3


def test_the_first_relaxed_token_is_a_sample_of_the_model(constraint):
    n = 20_000
    drawn = run(constraint, n, temperature=3.0)
    logits, _ = build()(torch.full((1, 1), 4))
    allowed = constraint.replay(torch.tensor([[4]]), LONGEST + 1)[0, 0]
    probs = logits[0, 0].detach().masked_fill(~allowed, -torch.inf).softmax(0)
    shares = torch.bincount(drawn.tokens[:, 0], minlength=N_VOCAB) / n
    assert ((shares - probs).abs() <= 4.5 * (probs * (1 - probs) / n).sqrt()).all()


def test_towards_temperature_0_rows_are_one_hot_and_both_ways_are_one(constraint):
    cold, hard = run(constraint, 2000, temperature=1e-4), run(constraint, 2000, hard=True)
    assert (1 - cold.probs.max(-1).values > 1e-6).float().mean() < 0.01
    assert (cold.tokens == hard.tokens).all(1).float().mean() > 0.99
    assert ((hard.probs == 0) | (hard.probs == 1)).all()


@pytest.mark.parametrize("hard", [False, True])
def test_a_row_is_the_same_whatever_the_batch_and_another_with_another_seed(constraint, hard):
    many, few, other = (run(constraint, n, hard=hard, seed=seed) for n, seed in ((50, 1), (5, 1), (50, 2)))
    width = few.tokens.shape[1]
    assert torch.equal(many.tokens[:5, :width], few.tokens)
    torch.testing.assert_close(many.probs[:5, :width], few.probs, rtol=0, atol=1e-12)
    assert not torch.equal(padded(many.tokens), padded(other.tokens))


@pytest.mark.parametrize("hard", [False, True])
def test_a_row_that_has_ended_is_padding_that_nothing_moves(hard):
    generator = build()
    drawn = relaxed_run(
        generator, LANGUAGES["one to three words"], 200, budget=LONGEST + 1, temperature=0.7, seed=0, hard=hard
    )
    ended = drawn.tokens == PAD
    assert ended.any()
    assert (ended[:, 1:] >= ended[:, :-1]).all()
    assert (drawn.tokens == EOS).sum(1).eq(1).all()
    assert torch.equal(drawn.probs[ended], F.one_hot(torch.tensor(PAD), N_VOCAB).double().expand(int(ended.sum()), -1))
    noise = torch.randn(drawn.probs.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (gradient(generator, (drawn.probs * noise)[ended].sum()) == 0).all()


def test_as_the_temperature_falls_the_relaxed_gradient_becomes_the_exact_one():
    """A cold gradient has more variance: hence the number of rows."""
    constraint = LANGUAGES["three words"]
    exact = exact_gradient(constraint)
    hot, warm, cold = (relaxed_gradient(constraint, tau, n=40_000) for tau in (5.0, 1.0, 0.15))
    assert cosine(hot, exact) < cosine(warm, exact) < cosine(cold, exact)
    assert cosine(cold, exact) > 0.99
    assert error(cold, exact) < 0.15
    assert error(warm, exact) > 0.25


def test_the_straight_through_gradient_points_the_same_way_where_f_is_nearly_linear():
    constraint = LANGUAGES["three words"]
    straight, bent = (
        cosine(relaxed_gradient(constraint, 0.5, hard=True, bend=bend), exact_gradient(constraint, bend))
        for bend in (0.15, 1.0)
    )
    assert straight > 0.97
    assert bent < 0.5  # a slope at a corner says nothing of another corner


def test_that_another_token_would_have_changed_the_mask_is_not_in_the_gradient():
    constraint = LANGUAGES["a grammar"]
    exact, cold = exact_gradient(constraint), relaxed_gradient(constraint, 0.15, n=40_000)
    assert error(cold, exact) > 0.5
    assert cosine(cold, exact) > 0.4


def test_a_context_leads_each_row():
    generator = build(d_context=2)
    contexts = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    settings = {"budget": LONGEST + 1, "temperature": 0.5, "seed": 0, "hard": False}
    whole = relaxed_run(generator, LANGUAGES["three words"], 6, context=contexts, **settings)
    first = relaxed_run(generator, LANGUAGES["three words"], 3, context=contexts[:3], **settings)
    torch.testing.assert_close(whole.probs[:3], first.probs, rtol=0, atol=1e-12)
    swapped = relaxed_run(generator, LANGUAGES["three words"], 6, context=contexts.flip(0), **settings)
    assert (swapped.probs - whole.probs).abs().amax((1, 2)).min() > 1e-6
    with pytest.raises(ValueError, match="context of width 2"):
        relaxed_run(generator, LANGUAGES["three words"], 3, **settings)


def test_dropout_is_off_as_in_sampling():
    generator = Generator(N_VOCAB, d_embedding=5, d_hidden=6, dropout_output=0.5).double().train()
    settings = {"budget": LONGEST + 1, "temperature": 0.5, "seed": 0, "hard": False}
    a, b = (relaxed_run(generator, LANGUAGES["three words"], 5, **settings) for _ in range(2))
    assert torch.equal(a.probs, b.probs)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match=r"temperature .* must be above 0"):
        run(LANGUAGES["a grammar"], 3, temperature=temperature)


def test_no_row_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        run(LANGUAGES["a grammar"], 0)
