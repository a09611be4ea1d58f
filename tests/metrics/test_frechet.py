import numpy as np
import pytest
import torch

from freerun.metrics.frechet import N_ACTIVATIONS, Gaussian, activations, frechet_distance, gaussian

SMILES = ["CCO", "Clc1ccc(Br)cc1", "C[C@H](N)C(=O)O", "O=S(=O)(N)c1ccccc1", "[Na+]", "C#N"]


def normal(mean: np.ndarray, covariance: np.ndarray) -> Gaussian:
    return Gaussian(mean, covariance, 1000)


def test_distance_of_diagonal_gaussians_has_a_closed_form():
    rng = np.random.default_rng(0)
    mean, other, a, b = rng.random((4, 20))
    distance = frechet_distance(normal(mean, np.diag(a**2)), normal(other, np.diag(b**2)))
    assert distance == pytest.approx(((mean - other) ** 2).sum() + ((a - b) ** 2).sum())


def test_distance_is_symmetric_and_zero_to_itself_even_if_singular():
    rng = np.random.default_rng(1)
    one, other = (normal(rng.random(30), np.cov(rng.random((30, 10)))) for _ in range(2))
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one), rel=1e-6)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)


def test_activations_equal_those_of_the_fcd_package():
    import fcd
    from fcd.utils import get_one_hot, load_imported_model  # the reference implementation of input and network

    with open(fcd.__path__[0] + "/ChemNet_v0.13_pretrained.pt", "rb") as file:
        network = load_imported_model(torch.load(file, weights_only=True)).eval()
    inputs = torch.tensor(np.stack([get_one_hot(text, 350) / 35 for text in SMILES])).float().transpose(1, 2)
    with torch.no_grad():
        expected = network(inputs).numpy()
    assert activations(SMILES) == pytest.approx(expected, abs=1e-6)


def test_chemnet_reads_a_string_to_its_first_point_and_349_symbols():
    values = activations(["CCO.Cl", "CCO", "C" * 400, "C" * 349])
    assert values[0] == pytest.approx(values[1])
    assert values[2] == pytest.approx(values[3])


def test_repeated_strings_count_as_often_as_they_occur():
    strings = [*SMILES, SMILES[0], SMILES[0], SMILES[3]]
    rows = activations(strings).astype(np.float64)
    fitted = gaussian(strings)
    assert fitted.n == len(strings)
    assert fitted.mean == pytest.approx(rows.mean(0), abs=1e-7)
    assert fitted.covariance == pytest.approx(np.cov(rows.T), abs=1e-7)


@pytest.mark.parametrize("strings", [[], ["CCO"]])
def test_fewer_than_two_strings_have_no_distance(strings: list[str]):
    other = normal(np.zeros(N_ACTIVATIONS), np.eye(N_ACTIVATIONS))
    assert np.isnan(frechet_distance(gaussian(strings), other))
