import numpy as np
import pytest

from freerun.metrics.tanimoto import BITS, COLUMNS, mean_powers, nearest, pack, tiles


def bits(n: int, seed: int, density: float = 0.05) -> np.ndarray:
    """Random rows of many different numbers of bits, an empty row among them."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((n, BITS)) < density * rng.random((n, 1))).astype(np.uint8)
    rows[0] = 0
    return rows


def similarities(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    common = one.astype(float) @ other.T.astype(float)
    both = one.sum(1)[:, None] + other.sum(1)[None] - common
    return np.where(both == 0, 1.0, common / np.where(both == 0, 1, both))


@pytest.mark.parametrize("n_references", [1, 3, 2 * COLUMNS + 5])
def test_nearest_and_means_equal_the_dense_computation(n_references: int):
    ours, theirs = bits(150, 1), bits(n_references, 2)
    theirs[-1] = ours[7]
    expected = similarities(ours, theirs)
    references = tiles(pack(theirs))
    first, second = mean_powers(pack(ours), references)
    assert nearest(pack(ours), references) == pytest.approx(expected.max(1), abs=1e-15)
    assert first == pytest.approx(expected.mean(1), abs=1e-14)
    assert second == pytest.approx((expected**2).mean(1), abs=1e-14)


def test_an_empty_fingerprint_equals_an_empty_one_and_nothing_else():
    empty, full = np.zeros((1, BITS), dtype=np.uint8), np.ones((1, BITS), dtype=np.uint8)
    assert nearest(pack(empty), tiles(pack(np.concatenate([full, empty])))).tolist() == [1.0]
    assert nearest(pack(empty), tiles(pack(full))).tolist() == [0.0]


def test_a_tile_holds_fingerprints_of_one_number_of_bits():
    rows = bits(700, 3)
    cut = tiles(pack(rows))
    assert cut.used.sum() == 700
    counts = np.bitwise_count(cut.words).sum(axis=1)
    for tile, used in enumerate(cut.used):
        assert (counts[tile, :used] == cut.bits[tile]).all()
        assert not counts[tile, used:].any()


def test_no_query_has_no_neighbour():
    assert nearest(pack(bits(2, 0))[:0], tiles(pack(bits(2, 1)))).shape == (0,)
