import pytest
import torch

from freerun.constraints.base import BOS, EOS, PAD
from freerun.constraints.language import Language
from freerun.constraints.length import Length
from freerun.models.generator import Generator
from freerun.sampling.likelihood import masked_log_softmax
from freerun.sampling.mixed import mixed, mixed_forcing

TOKENS = torch.tensor([[4, 5, 6, EOS], [6, 6, EOS, PAD], [5, 4, 4, EOS]])
RULE = Length(7, 2, 3)
ALLOWED = RULE.replay(TOKENS, 4)


def network(context_width: int = 0, dropout: float = 0.0) -> Generator:
    torch.manual_seed(0)
    generator = Generator(7, d_embedding=4, d_hidden=8, n_layers=2, dropout=dropout, d_context=context_width).double()
    with torch.no_grad():
        generator.output.weight.mul_(4)
    return generator


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_teacher_who_always_speaks_is_teacher_forcing():
    generator = network()
    logits = mixed_forcing(generator, TOKENS, ALLOWED, 1.0, rng())
    assert torch.equal(logits, generator(TOKENS)[0])


@pytest.mark.parametrize("p_teacher", [0.0, 0.4])
def test_one_pass_over_the_mixture_is_the_step_by_step_loop_and_its_gradient(p_teacher):
    generator, context = network(2), torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]]).double()
    logits = mixed_forcing(generator, TOKENS, ALLOWED, p_teacher, rng(3), context)
    logits.square().sum().backward()
    gradients = [weight.grad.clone() for weight in generator.parameters() if weight.grad is not None]
    generator.zero_grad()

    numbers = rng(3)
    coins, u = torch.rand(3, 4, generator=numbers), torch.rand(3, 4, generator=numbers)
    state, read, steps = generator.start(3, context), torch.full((3,), BOS), []
    for t in range(4):
        step, state = generator.step(read, state)
        steps.append(step)
        running = masked_log_softmax(step.detach(), ALLOWED[:, t]).exp().cumsum(1)
        drawn = (running <= u[:, t, None] * running[:, -1:]).sum(1)
        read = torch.where((coins[:, t] >= p_teacher) & (TOKENS[:, t] > EOS), drawn, TOKENS[:, t])
    by_steps = torch.stack(steps, 1)
    torch.testing.assert_close(logits, by_steps)
    by_steps.square().sum().backward()
    for weight, gradient in zip(generator.parameters(), gradients, strict=True):
        torch.testing.assert_close(gradient, weight.grad)


def test_the_first_logits_depend_on_no_draw_and_nothing_is_drawn_after_the_end():
    generator = network()
    read = mixed(generator, TOKENS, ALLOWED, 0.0, rng())
    assert torch.equal(read[TOKENS <= EOS], TOKENS[TOKENS <= EOS])
    logits = mixed_forcing(generator, TOKENS, ALLOWED, 0.0, rng())
    torch.testing.assert_close(logits[:, 0], generator(TOKENS)[0][:, 0])


def test_a_coin_is_thrown_for_each_token():
    generator, n = network(), 4000
    tokens = torch.tensor([[4, 5, EOS]]).repeat(n, 1)
    rule = Language(("<pad>", "<bos>", "<eos>", "<unk>", "a", "b", "c"), "S -> X X\nX -> 'a' | 'b' | 'c'")
    allowed = rule.replay(tokens, 3)
    read = mixed(generator, tokens, allowed, 0.7, rng())
    first = masked_log_softmax(generator(tokens)[0][0, 0], allowed[0, 0]).exp()
    kept = 0.7 + 0.3 * first[4].item()
    assert abs((read[:, 0] == 4).double().mean().item() - kept) < 4.5 * (kept * (1 - kept) / n) ** 0.5
    changed = (read[:, :2] != tokens[:, :2]).double()
    assert (changed.mean(0) > 0.05).all()
    assert 0 < (changed[:, 0] * changed[:, 1]).mean() < changed.mean(0).min()


def test_draws_obey_the_mask_of_the_true_prefix():
    """After a true `a` the rule wants a `b`, after a true `b` a `c`, whatever was drawn in their place."""
    rule = Language(("<pad>", "<bos>", "<eos>", "<unk>", "a", "b", "c"), "S -> 'a' 'b' | 'b' 'c'")
    tokens = torch.tensor([[4, 5, EOS], [5, 6, EOS]]).repeat(200, 1)
    read = mixed(network(), tokens, rule.replay(tokens, 3), 0.0, rng())
    assert set(read[:, 0].tolist()) == {4, 5}
    assert torch.equal(read[:, 1], tokens[:, 1])


def test_draws_are_made_without_dropout_and_the_network_is_given_back_as_it_was():
    generator = network(dropout=0.9)
    reads = [mixed(generator.train(), TOKENS, ALLOWED, 0.0, rng()) for _ in range(5)]
    assert generator.training
    assert generator.recurrent.layers.training
    assert all(torch.equal(read, reads[0]) for read in reads)
    logits = [mixed_forcing(generator, TOKENS, ALLOWED, 0.0, rng()) for _ in range(2)]
    assert not torch.equal(*logits)


def test_a_batch_of_empty_strings_is_read_as_it_stands():
    tokens = torch.full((2, 1), EOS)
    assert torch.equal(mixed(network(), tokens, Length(7).replay(tokens, 4), 0.0, rng()), tokens)
