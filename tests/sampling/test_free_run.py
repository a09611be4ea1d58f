import dataclasses

import pytest
import torch

from freerun.constraints.base import BOS, EOS, PAD
from freerun.constraints.length import Anything, Length
from freerun.errors import UsageError
from freerun.models.generator import Generator
from freerun.noise import uniform
from freerun.sampling.decoding import Decoding
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob, masked_log_softmax


def network(n_vocab: int = 8) -> Generator:
    torch.manual_seed(0)
    generator = Generator(n_vocab, d_embedding=4, d_hidden=16).double().eval()
    with torch.no_grad():
        generator.output.weight.mul_(6)
    return generator


def run(**changes) -> FreeRun:
    plain = FreeRun(network(), Anything(8), 12, seed=1, batch_size=7)
    return dataclasses.replace(plain, **changes)


def plain_loop(generator: Generator, constraint, budget: int, seed: int, index: int) -> list[int]:
    """One sequence, one token at a time: what the batched loop must equal number by number."""
    state, rule, token, written = generator.start(1), constraint.start(1, budget), BOS, []
    for position in range(budget):
        logits, state = generator.step(torch.tensor([token]), state)
        probabilities = masked_log_softmax(logits, constraint.allowed(rule))[0].exp()
        u = uniform(seed, torch.tensor([index]), position).item()
        running = probabilities.cumsum(0)
        token = int((running <= u * running[-1]).sum())
        rule = constraint.advance(rule, torch.tensor([token]))
        written.append(token)
        if token == EOS:
            break
    return written


def test_the_refilled_batch_equals_a_plain_loop():
    rollout = run()(30)
    for index, row in enumerate(rollout.tokens.tolist()):
        expected = plain_loop(network(), Anything(8), 12, 1, index)
        assert row[: len(expected)] == expected
        assert set(row[len(expected) :]) <= {PAD}


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_sample_i_is_the_same_whatever_the_batch(batch_size):
    whole, part = run()(40), run(batch_size=batch_size)(25, first=10)
    width = part.tokens.shape[1]
    assert torch.equal(part.tokens, whole.tokens[10:35, :width])
    assert part.index.tolist() == list(range(10, 35))


def test_another_seed_gives_other_samples():
    assert not torch.equal(run()(40).tokens, run(seed=2)(40).tokens)


def test_log_prob_of_samples_is_that_of_scoring_them():
    rollout = run()(60)
    scored = log_prob(network(), rollout.tokens, Anything(8), budget=12)
    torch.testing.assert_close(rollout.log_prob.double(), scored, rtol=0, atol=1e-6)


def test_log_prob_knows_the_temperature():
    rollout = run(decoding=Decoding(temperature=0.7))(60)
    scored = log_prob(network(), rollout.tokens, Anything(8), budget=12, temperature=0.7)
    torch.testing.assert_close(rollout.log_prob.double(), scored, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_vocab", [8, 700])
def test_samples_are_the_same_where_log_probabilities_are_not_asked_for(n_vocab):
    plain = run(generator=network(n_vocab), constraint=Anything(n_vocab), decoding=Decoding(temperature=0.8))
    bare = dataclasses.replace(plain, with_log_prob=False)(40)
    assert torch.equal(bare.tokens, plain(40).tokens)
    assert bare.log_prob[bare.tokens != PAD].isnan().all()


def test_hidden_states_are_those_of_teacher_forcing_on_the_samples():
    rollout = run(with_hidden=True)(20)
    _, hidden = network()(rollout.tokens)
    written = rollout.tokens != PAD
    assert rollout.hidden is not None
    torch.testing.assert_close(rollout.hidden[written].double(), hidden[written].double(), rtol=0, atol=1e-6)


def test_masks_are_those_of_replaying_the_samples():
    rollout = run(with_masks=True, constraint=Length(8, 2, 6))(20)
    assert rollout.allowed is not None
    assert torch.equal(rollout.allowed, Length(8, 2, 6).replay(rollout.tokens, 12))


def test_pieces_in_order_are_the_whole():
    pieces = list(run().in_order(100, chunk=16))
    assert len(pieces) > 3
    assert torch.cat([piece.index for piece in pieces]).tolist() == list(range(100))
    whole = run()(100).tokens
    for piece in pieces:
        width = piece.tokens.shape[1]
        assert torch.equal(piece.tokens, whole[piece.index, :width])


def test_a_prefix_is_kept_and_its_completion_is_the_conditional_distribution():
    prefix = torch.tensor([5, 6])
    rollout = run(prefix=lambda index: prefix.expand(len(index), -1), constraint=Length(8, 0, 3), batch_size=512)(4000)
    assert (rollout.tokens[:, :2] == prefix).all()
    assert (rollout.log_prob[:, :2] == 0).all()
    rows = torch.tensor([[5, 6, k, EOS] for k in range(4, 8)] + [[5, 6, EOS, PAD]])
    joint = log_prob(network(), rows, Length(8, 0, 3), budget=12)
    expected = joint[:, 2:].sum(1).exp()
    counts = torch.tensor([(rollout.tokens == row).all(1).sum() for row in rows])
    assert ((counts - 4000 * expected).abs() < 4.5 * (4000 * expected * (1 - expected)).sqrt() + 1e-9).all()


def test_prefixes_of_different_lengths_stand_side_by_side():
    prefixes = torch.tensor([[5, 6, 7], [4, PAD, PAD], [PAD, PAD, PAD]])
    rollout = run(prefix=lambda index: prefixes[index])(3)
    assert rollout.tokens[0, :3].tolist() == [5, 6, 7]
    assert rollout.tokens[1, 0] == 4
    free = run()(3).tokens[2]
    width = min(len(free), rollout.tokens.shape[1])
    assert torch.equal(rollout.tokens[2, :width], free[:width])


def test_a_prefix_that_the_constraint_forbids_is_refused():
    with pytest.raises(UsageError, match="token 2 of the prefix"):
        run(prefix=lambda index: torch.tensor([[5, 5, 5]]).expand(len(index), -1), constraint=Length(8, 0, 2))(4)


def test_greedy_takes_the_most_probable_token():
    rollout = run(decoding=Decoding(greedy=True))(2)
    logits, _ = network()(rollout.tokens[:1])
    allowed = Anything(8).replay(rollout.tokens[:1], 12)
    n = int((rollout.tokens[0] != PAD).sum())
    assert torch.equal(masked_log_softmax(logits, allowed).argmax(-1)[0, :n], rollout.tokens[0, :n])


def test_no_samples_are_an_empty_rollout():
    assert run()(0).tokens.shape == (0, 0)
