import math

import numpy as np
import pytest
import scipy.stats
import torch

from freerun.noise import GOLDEN_GAMMA, MASK_64, gumbel, mix, row_keys, uniform, uniform_at


def splitmix(*counters: int) -> int:
    """The hash of docs and code, written once more with Python's own integers."""
    state = 0
    for counter in counters:
        z = (state + counter + 1) * GOLDEN_GAMMA & MASK_64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK_64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK_64
        state = z ^ (z >> 31)
    return state


@pytest.mark.parametrize("counters", [(0, 0, 0, 0), (1, 2, 3, 4), (2**40, 10**9, 77, 4999), (2**63 - 1, 5, 0, 1)])
def test_tensors_give_the_numbers_of_whole_number_arithmetic(counters):
    seed, key, step, lane = counters
    expected = ((splitmix(*counters) >> 12) + 0.5) / 2**52
    assert uniform(seed, torch.tensor([key]), step, lane).item() == expected


def test_first_splitmix_output_is_the_published_one():
    # SplitMix64 with seed 0 gives 0xE220A8397B1DCDAF first (reference code of Vigna): here, the hash of the counter 0.
    assert splitmix(0) == 0xE220A8397B1DCDAF


def test_mix_is_a_hash_of_all_its_counters_in_order():
    assert mix(3, 1, 2) == splitmix(3, 1, 2) >> 1
    assert len({mix(a, b) for a in range(30) for b in range(30)}) == 900
    assert mix(-1) != mix(1)


def test_uniform_numbers_are_uniform_and_independent_of_their_neighbours():
    u = uniform(7, torch.arange(200)[:, None, None], torch.arange(20)[None, :, None], torch.arange(25))
    flat = u.flatten().numpy()
    assert scipy.stats.kstest(flat, "uniform").pvalue > 1e-3
    for axis in range(3):
        a, b = (u.narrow(axis, start, u.shape[axis] - 1).flatten().numpy() for start in (0, 1))
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(len(a))


def test_a_row_draws_the_same_in_any_batch():
    keys = torch.arange(100)
    whole = uniform(1, keys, 3)
    assert torch.equal(uniform(1, keys[40:60], 3), whole[40:60])
    assert torch.equal(uniform_at(row_keys(1, keys), 3), whole)


def test_numbers_stay_inside_the_open_interval():
    u = uniform(0, torch.arange(100_000), 0)
    assert u.min() > 0
    assert u.max() < 1


def test_gumbel_noise_has_its_mean_variance_and_distribution():
    g = gumbel(uniform(2, torch.arange(50_000), 1)).numpy()
    assert scipy.stats.kstest(g, "gumbel_r").pvalue > 1e-3
    assert abs(g.mean() - np.euler_gamma) < 4 * math.pi / math.sqrt(6 * 50_000)
