"""Properties that hold for each constraint, run through the dict."""

import itertools
from typing import Any

import pytest
import torch

from freerun.constraints import CONSTRAINTS
from freerun.constraints.base import BOS, EOS, PAD, UNK
from freerun.models.generator import Generator
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob

N_VOCAB = 7  # the four special tokens and three words

WORLDS = {
    "anything": [{}],
    "length": [{"shortest": 0, "longest": 3}, {"shortest": 2, "longest": 2}, {"shortest": 1}],
}
CASES = [(name, settings) for name, cases in WORLDS.items() for settings in cases]


def test_every_constraint_has_a_world():
    assert set(WORLDS) == set(CONSTRAINTS)


@pytest.fixture(params=CASES, ids=str)
def constraint(request):
    name, settings = request.param
    kind: Any = CONSTRAINTS[name]
    return kind(n_vocab=N_VOCAB, **settings)


def generator(bias: float = 0.0) -> Generator:
    torch.manual_seed(3)
    network = Generator(N_VOCAB, d_embedding=4, d_hidden=8).double().eval()
    with torch.no_grad():
        network.output.weight.mul_(8)
        network.output.bias[EOS] += bias
    return network


def sequences(constraint, budget: int) -> list[tuple[int, ...]]:
    """Every string that the masks allow, by walking them."""
    found: list[tuple[int, ...]] = []
    fronts: list[tuple[tuple[int, ...], Any]] = [((), constraint.start(1, budget))]
    while fronts:
        written, state = fronts.pop()
        allowed = constraint.allowed(state)[0]
        assert allowed.any()
        if allowed[PAD]:
            assert int(allowed.sum()) == 1
            found.append(written)
            continue
        for token in allowed.nonzero()[:, 0].tolist():
            fronts.append(((*written, token), constraint.advance(state, torch.tensor([token]))))
    return found


def padded(rows, width: int) -> torch.Tensor:
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])


@pytest.mark.parametrize("budget", [3, 5])
def test_allowed_strings_are_those_of_the_language(constraint, budget):
    shortest = getattr(constraint, "shortest", 0)
    longest = min(getattr(constraint, "longest", None) or budget - 1, budget - 1)
    words = range(UNK + 1, N_VOCAB)
    expected = {(*word, EOS) for n in range(shortest, longest + 1) for word in itertools.product(words, repeat=n)}
    found = sequences(constraint, budget)
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_probabilities_of_all_strings_sum_to_one(constraint):
    rows = padded(sequences(constraint, 4), 4)
    total = log_prob(generator(), rows, constraint, budget=4).sum(1).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-12)


def test_sampled_frequencies_are_the_probabilities(constraint):
    network = generator()
    rows = padded(sequences(constraint, 4), 4)
    probabilities = log_prob(network, rows, constraint, budget=4).sum(1).exp()
    n = 6000
    drawn = FreeRun(network, constraint, 4, seed=1, batch_size=700)(n).tokens
    drawn = torch.nn.functional.pad(drawn, (0, 4 - drawn.shape[1]))
    counts = torch.tensor([(drawn == row).all(1).sum() for row in rows])
    assert int(counts.sum()) == n
    errors = (counts - n * probabilities) / (n * probabilities * (1 - probabilities)).sqrt().clamp(min=1)
    assert errors.abs().max() < 4.5


@pytest.mark.parametrize("bias", [-30.0, 0.0, 30.0])
def test_adversarial_weights_end_inside_the_budget(constraint, bias):
    for budget in range(4, 12):
        rollout = FreeRun(generator(bias), constraint, budget)(50)
        assert rollout.tokens.shape[1] <= budget
        assert ((rollout.tokens == EOS).sum(1) == 1).all()
        assert not ((rollout.tokens == BOS) | (rollout.tokens == UNK)).any()


def test_states_are_forked_by_rows(constraint):
    state = constraint.start(3, torch.tensor([4, 5, 6]))
    forked = constraint.advance(state, torch.tensor([4, 5, 6]))[torch.tensor([2, 2, 0])]
    alone = constraint.advance(constraint.start(1, 6), torch.tensor([6]))
    assert torch.equal(constraint.allowed(forked)[:1], constraint.allowed(alone))


def test_a_forbidden_token_scores_minus_infinity_and_never_nan(constraint):
    dead = torch.tensor([[BOS, 4, EOS, PAD], [4, 4, 4, 4], [EOS, 4, EOS, PAD], [PAD, PAD, PAD, PAD]])
    scores = log_prob(generator(), dead, constraint, budget=4)
    assert (scores.sum(1) == -torch.inf).all()
    assert not scores.isnan().any()


def test_a_budget_below_the_shortest_string_is_refused(constraint):
    with pytest.raises(ValueError, match="below the shortest string"):
        constraint.start(2, getattr(constraint, "shortest", 0))
