"""A run taught further: the same again from the same arguments, and nearer to what it was taught."""

import numpy as np
import pytest
import torch

from freerun import api, codes
from freerun.methods.base import AbstractMethod, unrolled
from freerun.samples import Wanted, draw
from freerun.trained import Trained
from freerun.tuning import tuned

WORDS = ["abba", "abab", "baba", "bbaa", "aabb", "ab", "ba", "aab"]
SETTINGS = [
    "representation.name=text",
    "method.name=vrae",
    "method.n_steps=60",
    "method.batch_size=32",
    "method.d_latent=4",
    "method.beta=0.1",
    "method.descent.lr=0.01",
    "model.d_hidden=16",
    "run.precision=float32",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("tuning")
    (folder / "corpus.txt").write_text("\n".join(WORDS * 8) + "\n")
    return Trained.load(api.train(corpus=folder / "corpus.txt", out=folder / "run", overrides=SETTINGS).folder)


def weights_of(trained: Trained) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in trained.state.networks.parameters()])


def test_the_same_arguments_give_the_same_weights_and_leave_the_run_alone(trained):
    before = weights_of(trained)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, other = (tuned(trained, WORDS, np.ones(8), 5, seed=3) for _ in range(2))
    assert torch.equal(weights_of(one), weights_of(other))
    assert not torch.equal(weights_of(one), before)
    assert torch.equal(weights_of(trained), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_word_with_all_the_weight_is_written_more_often(trained):
    def share(run: Trained) -> float:
        samples = [sample.raw for piece in draw(run, Wanted(400)) for sample in piece]
        return samples.count("ba") / 400

    taught = tuned(trained, WORDS, np.array([float(word == "ba") for word in WORDS]), 120, seed=0)
    assert share(taught) > share(trained) + 0.2


def test_the_method_of_the_run_stays_what_it_was(trained):
    method: AbstractMethod = trained.config.method
    assert tuned(trained, WORDS, np.ones(8), 2, seed=0).config.method == method
    assert [phase.n_steps for phase in unrolled(codes.latent_method(trained).for_tuning(7).phases(1))] == [7]
