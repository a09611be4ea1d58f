import numpy as np

from freerun.corpora.hashing import hashed, permutation, uniforms


def test_a_number_depends_on_its_counters_only():
    table = hashed(7, np.arange(50)[:, None], np.arange(30))
    assert table.shape == (50, 30)
    assert table[17, 4] == hashed(7, 17, 4)[0]
    assert len(np.unique(table)) == table.size


def test_hashes_are_the_same_on_every_machine():
    # SplitMix64 of seed 0: the first output of the reference implementation.
    assert hashed(0)[0] == 0xE220A8397B1DCDAF


def test_seeds_and_counter_orders_give_different_numbers():
    assert len({int(hashed(*key)[0]) for key in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0), (-1, 1, 2)]}) == 5


def test_uniforms_are_uniform():
    u = uniforms(3, np.arange(200_000))
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.bincount((u * 20).astype(int), minlength=20)
    chi_squared = ((counts - 10_000) ** 2 / 10_000).sum()
    assert chi_squared < 44  # 19 degrees of freedom: p = 0.001


def test_permutations_hold_every_row_once():
    order = permutation(0, 1, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert not np.array_equal(order, permutation(0, 2, 1000))
    assert np.array_equal(order, permutation(0, 1, 1000))
