import math

import pytest
import torch
import torch.nn.functional as F

from freerun.constraints.base import BOS, EOS, PAD, SPECIALS, AbstractConstraint
from freerun.constraints.language import Language
from freerun.constraints.length import Anything, Length
from freerun.models.generator import Generator
from freerun.noise import hashed, row_keys, uniform_at
from freerun.sampling.decoding import PLAIN, Decoding
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob, masked_log_softmax
from freerun.sampling.rollouts import completions

BUDGET, SEED, N = 9, 5, 3
PALINDROMES = Language((*SPECIALS, "a", "b"), "S -> 'a' S 'a' | 'b' S 'b' | 'a' | 'b' |")
CONSTRAINTS = {"anything": Anything(8), "length": Length(8, 3, 6), "palindromes": PALINDROMES}


def network(n_vocab: int, d_context: int = 0) -> Generator:
    torch.manual_seed(0)
    generator = Generator(n_vocab, d_embedding=4, d_hidden=16, d_context=d_context).double().eval()
    with torch.no_grad():
        generator.output.weight.mul_(6)
    return generator


def sequences(generator: Generator, constraint: AbstractConstraint, n: int = 8) -> torch.Tensor:
    return FreeRun(generator, constraint, BUDGET, seed=1)(n).tokens


def plain_loop(
    generator: Generator,
    constraint: AbstractConstraint,
    prefix: list[int],
    keys: tuple[int, int],
    context: torch.Tensor | None = None,
    temperature: float = 1.0,
) -> list[int]:
    """One prefix and one rollout, from the start of the sequence: what the batched rollouts must equal."""
    state, rule = generator.start(1, context), constraint.start(1, BUDGET)
    sequence, rollout = keys
    key = hashed(hashed(row_keys(SEED, torch.tensor([sequence])), len(prefix)), rollout)
    token, written = BOS, []
    while token != EOS:
        logits, state = generator.step(torch.tensor([token]), state)
        if len(written) < len(prefix):
            token = prefix[len(written)]
        else:
            probabilities = masked_log_softmax(logits / temperature, constraint.allowed(rule))[0].exp()
            running = probabilities.cumsum(0)
            token = int((running <= uniform_at(key, len(written)) * running[-1]).sum())
        rule = constraint.advance(rule, torch.tensor([token]))
        written.append(token)
    return written + [PAD] * (BUDGET - len(written))


def expected_of(generator, constraint, tokens, lengths, context=None, temperature=1.0) -> torch.Tensor:
    result = torch.zeros(len(tokens), len(lengths), N, BUDGET, dtype=torch.long)
    for b, row in enumerate(tokens.tolist()):
        own = [token for token in row if token != PAD]
        for j, length in enumerate(lengths):
            for k in range(N):
                one = None if context is None else context[b : b + 1]
                result[b, j, k] = torch.tensor(
                    plain_loop(generator, constraint, own[:length], (b, k), one, temperature)
                )
    return result


@pytest.mark.parametrize("name", CONSTRAINTS)
@pytest.mark.parametrize("batch_size", [7, 512])
def test_completions_equal_a_plain_loop_number_by_number(name, batch_size):
    constraint = CONSTRAINTS[name]
    generator = network(constraint.n_vocab)
    tokens, lengths = sequences(generator, constraint), range(BUDGET)
    found = completions(generator, constraint, tokens, lengths, N, budget=BUDGET, seed=SEED, batch_size=batch_size)
    assert torch.equal(found, expected_of(generator, constraint, tokens, lengths))


def test_a_large_vocabulary_equals_a_plain_loop_too():
    constraint = Length(700, 3, 6)
    generator = network(700)
    tokens, lengths = sequences(generator, constraint, 4), [1, 3]
    found = completions(generator, constraint, tokens, lengths, N, budget=BUDGET, seed=SEED)
    assert torch.equal(found, expected_of(generator, constraint, tokens, lengths))


def test_lengths_may_come_in_any_order_and_twice():
    generator, constraint = network(8), Anything(8)
    tokens = sequences(generator, constraint)
    every = completions(generator, constraint, tokens, range(6), N, budget=BUDGET, seed=SEED)
    some = completions(generator, constraint, tokens, [4, 1, 4], N, budget=BUDGET, seed=SEED)
    assert torch.equal(some, every[:, [4, 1, 4]])


def test_a_prefix_that_has_ended_is_the_sequence_itself():
    generator, constraint = network(8), Anything(8)
    tokens = sequences(generator, constraint, 30)
    n_tokens = (tokens != PAD).sum(1)
    assert int(n_tokens.min()) < tokens.shape[1]
    lengths = [3, tokens.shape[1]]
    found = completions(generator, constraint, tokens, lengths, N, budget=BUDGET, seed=SEED)
    own = F.pad(tokens, (0, BUDGET - tokens.shape[1]))[:, None]
    assert (found[:, 1] == own).all()
    assert (found[n_tokens <= 3][:, 0] == own[n_tokens <= 3]).all()
    assert not (found[n_tokens > 3][:, 0] == own[n_tokens > 3]).all()


def test_every_completion_keeps_its_prefix_and_ends_inside_the_budget():
    generator, constraint = network(8), Length(8, 0, None)
    with torch.no_grad():
        generator.output.bias[EOS] -= 30  # goes on as long as it may
    tokens, lengths = sequences(generator, constraint), [2, 5]
    found = completions(generator, constraint, tokens, lengths, N, budget=BUDGET, seed=SEED)
    for j, length in enumerate(lengths):
        assert (found[:, j, :, :length] == tokens[:, None, :length]).all()
    assert (found[..., -1] == EOS).all()


def test_completions_are_draws_of_the_conditional_distribution():
    generator, constraint, n = network(6), Length(6, 0, 3), 4000
    prefix = torch.tensor([[5, 4, 4, EOS]])
    found = completions(generator, constraint, prefix, [2], n, budget=4, seed=SEED)[0, 0]
    rows = torch.tensor([[5, 4, 4, EOS], [5, 4, 5, EOS], [5, 4, EOS, PAD]])
    probabilities = log_prob(generator, rows, constraint, budget=4)[:, 2:].sum(1).exp().tolist()
    assert sum(probabilities) == pytest.approx(1)
    for row, p in zip(rows, probabilities, strict=True):
        assert abs(int((found == row).all(1).sum()) - n * p) < 4.5 * math.sqrt(n * p * (1 - p)) + 1e-9


def test_the_temperature_is_that_of_the_completions():
    generator, constraint = network(8), Length(8, 3, 6)
    tokens, lengths, warm = sequences(generator, constraint), [1, 3], Decoding(temperature=1.7)
    found = completions(generator, constraint, tokens, lengths, N, budget=BUDGET, seed=SEED, decoding=warm)
    assert torch.equal(found, expected_of(generator, constraint, tokens, lengths, temperature=1.7))
    assert not torch.equal(found, expected_of(generator, constraint, tokens, lengths))


def test_a_context_follows_its_sequence():
    generator, constraint = network(8, d_context=2), Length(8, 3, 6)
    contexts = torch.randn(8, 2, dtype=torch.float64) * 3
    tokens = FreeRun(generator, constraint, BUDGET, seed=1, context=lambda index: contexts[index])(8).tokens
    lengths = [1, 4]
    found = completions(generator, constraint, tokens, lengths, N, budget=BUDGET, seed=SEED, context=contexts)
    assert torch.equal(found, expected_of(generator, constraint, tokens, lengths, contexts))


def test_the_loop_that_reads_samples_back_is_not_a_gradient_path():
    generator = network(8)
    tokens = sequences(generator, Anything(8))
    assert not completions(generator, Anything(8), tokens, [1], N, budget=BUDGET, seed=SEED).requires_grad


@pytest.mark.parametrize("decoding", [PLAIN, Decoding(top_k=2), Decoding(greedy=True)])
def test_rollouts_of_a_sequence_do_not_depend_on_those_behind_it(decoding):
    generator, constraint = network(8), Anything(8)
    tokens = sequences(generator, constraint)
    whole = completions(generator, constraint, tokens, [2], N, budget=BUDGET, seed=SEED, decoding=decoding)
    part = completions(generator, constraint, tokens[:5], [2], N, budget=BUDGET, seed=SEED, decoding=decoding)
    assert torch.equal(part, whole[:5])


@pytest.mark.parametrize(
    ("row", "lengths"),
    [
        ([4, 4, 4, 4, EOS], [4]),  # longer than the language's longest
        ([4, BOS, EOS, PAD, PAD], [2]),
        ([4, 4, PAD, PAD, PAD], [3]),  # breaks off
    ],
)
def test_a_prefix_of_no_sequence_is_refused(row, lengths):
    with pytest.raises(ValueError, match=r"token \d of sequence 0 .* is not allowed"):
        completions(network(8), Length(8, 0, 3), torch.tensor([row]), lengths, N, budget=BUDGET, seed=SEED)


@pytest.mark.parametrize(("lengths", "n"), [([], 2), ([1], 0), ([-1], 2)])
def test_nothing_to_complete_is_refused(lengths, n):
    with pytest.raises(ValueError, match="give at least one of each"):
        completions(network(8), Anything(8), torch.tensor([[4, EOS]]), lengths, n, budget=BUDGET, seed=SEED)
