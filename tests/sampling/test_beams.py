import itertools
import math

import pytest
import torch

from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Anything, Length
from freerun.errors import UsageError
from freerun.models.generator import Generator
from freerun.sampling.beams import BeamSearch, conditioned_on_maximum
from freerun.sampling.likelihood import log_prob


def network() -> Generator:
    torch.manual_seed(0)
    generator = Generator(6, d_embedding=4, d_hidden=16).double().eval()
    with torch.no_grad():
        generator.output.weight.mul_(8)
    return generator


def language() -> dict[tuple[int, ...], float]:
    """All 15 strings of at most three of two words, with their probabilities, by scoring each."""
    words = [(*w, EOS) for n in range(4) for w in itertools.product((4, 5), repeat=n)]
    rows = torch.tensor([[*w, *[PAD] * (4 - len(w))] for w in words])
    probabilities = log_prob(network(), rows, Anything(6), budget=4).sum(1).exp()
    return {tuple(row): p for row, p in zip(rows.tolist(), probabilities.tolist(), strict=True)}


def rows_of(beams) -> list[tuple[int, ...]]:
    return [tuple(row) for row in torch.nn.functional.pad(beams.tokens, (0, 4 - beams.tokens.shape[1])).tolist()]


def test_a_wide_beam_finds_every_string_in_order_of_probability():
    beams, expected = BeamSearch(network(), Anything(6), 4)(100), language()
    assert rows_of(beams) == sorted(expected, key=expected.__getitem__, reverse=True)
    assert beams.log_prob.exp().tolist() == pytest.approx([expected[row] for row in rows_of(beams)])


def test_a_narrow_beam_finds_the_most_probable_string_here():
    expected = language()
    assert rows_of(BeamSearch(network(), Anything(6), 4)(3))[0] == max(expected, key=expected.__getitem__)


@pytest.mark.parametrize("n", [250, pytest.param(4000, marks=pytest.mark.slow)])
def test_ordered_pairs_without_replacement_have_their_exact_probabilities(n):
    expected = language()
    counts: dict[tuple, int] = {}
    generator = network()
    for seed in range(n):
        pair = tuple(rows_of(BeamSearch(generator, Anything(6), 4, seed=seed)(2)))
        counts[pair] = counts.get(pair, 0) + 1
    for (a, b), count in counts.items():
        p = expected[a] * expected[b] / (1 - expected[a])
        assert abs(count - n * p) < 4.5 * math.sqrt(max(1, n * p))


def test_a_wider_beam_of_the_same_seed_begins_with_the_narrower():
    narrow = BeamSearch(network(), Anything(6), 4, seed=5)(4)
    wide = BeamSearch(network(), Anything(6), 4, seed=5)(9)
    assert rows_of(wide)[:4] == rows_of(narrow)
    torch.testing.assert_close(wide.score[:4], narrow.score)


def test_drawing_more_than_there_are_gives_each_string_once():
    found = rows_of(BeamSearch(network(), Anything(6), 4, seed=1)(1000))
    assert sorted(found) == sorted(language())


def test_small_chunks_change_nothing():
    small = BeamSearch(network(), Anything(6), 4, seed=5, chunk=2)(9)
    assert rows_of(small) == rows_of(BeamSearch(network(), Anything(6), 4, seed=5)(9))


def test_a_prefix_is_completed_without_replacement():
    found = rows_of(BeamSearch(network(), Anything(6), 4, seed=1)(100, prefix=torch.tensor([5])))
    assert sorted(found) == sorted(row for row in language() if row[0] == 5)


def test_a_forbidden_prefix_is_refused():
    with pytest.raises(UsageError, match="does not allow token 4 of the prefix"):
        BeamSearch(network(), Length(6, 0, 1), 4)(2, prefix=torch.tensor([4, 4]))


def test_conditioning_moves_the_maximum_and_keeps_the_order():
    g = torch.tensor([[0.3, -1.0, 2.0, -torch.inf]], dtype=torch.float64)
    moved = conditioned_on_maximum(g, torch.tensor([[-4.0]], dtype=torch.float64))
    naive = -torch.log(math.exp(4.0) - math.exp(-2.0) + torch.exp(-g[:, :3]))
    torch.testing.assert_close(moved[:, :3], naive)
    assert moved[0, 2].item() == pytest.approx(-4.0)
    assert moved[0, 3] == -torch.inf


def test_a_context_leads_the_search():
    """With each code the beam that holds all strings is in the order of their probabilities under that code."""
    torch.manual_seed(0)
    generator = Generator(6, d_embedding=4, d_hidden=16, d_context=2).double().eval()
    with torch.no_grad():
        generator.output.weight.mul_(8)
    words = [(*w, EOS) for n in range(4) for w in itertools.product((4, 5), repeat=n)]
    rows = torch.tensor([[*w, *[PAD] * (4 - len(w))] for w in words])
    best = set()
    for context in torch.tensor([[[-3.0, 0.0]], [[0.0, 3.0]], [[3.0, -3.0]]]).double():
        beams = BeamSearch(generator, Anything(6), 4)(100, context=context)
        expected = log_prob(generator, rows, Anything(6), context.expand(len(rows), -1), budget=4).sum(1)
        order = expected.argsort(descending=True)
        assert rows_of(beams) == [tuple(row) for row in rows[order].tolist()]
        torch.testing.assert_close(beams.log_prob, expected[order])
        best.add(rows_of(beams)[0])
    assert len(best) > 1


def test_a_context_that_is_missing_is_refused():
    led = Generator(6, d_embedding=4, d_hidden=8, d_context=2)
    with pytest.raises(ValueError, match="context of width 2"):
        BeamSearch(led, Anything(6), 4)(2)
