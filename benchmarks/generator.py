"""Training and free running of recurrent generators, beside the matrix multiplications that they cannot do without.

    python benchmarks/generator.py

The limit of each figure is the time of its matrix products alone, the same shapes and the same arithmetic, measured
in this process. Useful tokens are those of finished sequences, <eos> included. One JSON line a figure.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from freerun.constraints.base import PAD
from freerun.constraints.length import Anything
from freerun.corpora.batches import Batch, Batches
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.methods.base import Network, World
from freerun.methods.descent import Descent
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.models.generator import Generator
from freerun.representations.smiles import Smiles
from freerun.sampling.free_run import FreeRun
from freerun.trained import compute_dtype

sys.path.insert(0, str(Path(__file__).parent))
from peers import charrnn_loop

CHARRNN = Network(d_embedding=0, d_hidden=768, n_layers=3)
SMALL = Network(d_embedding=32, d_hidden=256)
LENGTH = 38  # tokens of a training sequence here; the mean of MOSES with <eos>
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def seconds(work: Callable[[], object], n: int = 3) -> float:
    """The best of n runs after one to warm up: other work on the machine only adds."""
    work()
    times = []
    for _ in range(n):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def product(m: int, k: int, n: int, dtype: torch.dtype) -> float:
    a, b = torch.randn(m, k, dtype=dtype), torch.randn(n, k, dtype=dtype)
    return seconds(lambda: torch.mm(a, b.t()), 5)


def training_products(network: Network, n_vocab: int, batch: int, dtype: torch.dtype) -> float:
    """Seconds of the matrix products of one training step: forward, and the two of the backward pass for each."""
    rows, hidden = batch * LENGTH, network.d_hidden
    total = 3 * product(rows, hidden, n_vocab, torch.float32)
    for layer in range(network.n_layers):
        d_in = hidden if layer else network.d_embedding or n_vocab
        total += product(rows, d_in, 4 * hidden, dtype) + product(rows, 4 * hidden, d_in, dtype)
        total += product(4 * hidden, rows, d_in, dtype) + product(4 * hidden, rows, hidden, dtype)
        total += LENGTH * (product(batch, hidden, 4 * hidden, dtype) + product(batch, 4 * hidden, hidden, dtype))
    return total


def step_products(network: Network, n_vocab: int, batch: int, dtype: torch.dtype) -> float:
    """Seconds of the matrix products of one step of free running."""
    total = product(batch, network.d_hidden, n_vocab, torch.float32)
    for layer in range(network.n_layers):
        d_in = network.d_hidden if layer else network.d_embedding or n_vocab
        total += product(batch, d_in, 4 * network.d_hidden, dtype)
        total += product(batch, network.d_hidden, 4 * network.d_hidden, dtype)
    return total


def training(network: Network, batch: int, dtype: str) -> dict:
    n_vocab = 30
    world = World(Anything(n_vocab), LENGTH, network, 1, torch.device("cpu"), DTYPES[dtype])
    method = TeacherForcing(n_steps=100)
    state = method.init(world)
    tokens = torch.randint(4, n_vocab, (batch, LENGTH))
    tokens[:, -1] = 2
    sequences = Batch(tokens, torch.arange(batch), {})
    spent = seconds(lambda: method.step(state, sequences, torch.Generator()))
    limit = training_products(network, n_vocab, batch, DTYPES[dtype])
    return {"tokens_per_second": tokens.numel() / spent, "share_of_product_rate": limit / spent}


def free_running(network: Network, batch: int, n: int, dtype: str) -> dict:
    """After a little training on moses-mini, so that lengths are those of molecules."""
    corpus = open_corpus("moses-mini")
    encoded = encode_split(corpus, "train", Smiles())
    representation = fit(Smiles(), encoded)
    n_vocab = len(representation.vocab)
    world = World(Anything(n_vocab), 60, network, 1, torch.device("cpu"), compute_dtype("auto", torch.device("cpu")))
    method = TeacherForcing(n_steps=150, descent=Descent(lr=2e-3, schedule="cosine", n_warmup=30))
    state, batches = method.init(world), Batches(encoded, representation, 64)
    for step in range(150):
        method.step(state, batches.batch(step), torch.Generator())
    generator = method.generator(state).eval()
    assert isinstance(generator, Generator)
    generator.recurrent.compute_dtype = DTYPES[dtype]
    run = FreeRun(generator, world.constraint, 60, batch_size=batch)
    run(batch)
    began = time.perf_counter()
    rollout = run(n)
    spent = time.perf_counter() - began
    n_tokens = int((rollout.tokens != PAD).sum())
    limit = step_products(network, n_vocab, batch, DTYPES[dtype]) * n_tokens / batch
    began = time.perf_counter()
    theirs = charrnn_loop.sample(generator, batch)
    peer = sum(map(len, theirs)) / (time.perf_counter() - began)
    return {
        "useful_tokens_per_second": n_tokens / spent,
        "sequences_per_second": n / spent,
        "mean_length": n_tokens / n,
        "share_of_product_rate": limit / spent,
        "outside_over_inside": (spent - limit) / limit,
        "plain_loop_tokens_per_second": peer,
        "times_the_plain_loop": n_tokens / spent / peer,
    }


def main() -> None:
    for dtype in DTYPES:
        for batch in (64, 128, 512):
            figure = {"figure": f"training, 3 x LSTM 768, batch {batch}, {dtype}", **training(CHARRNN, batch, dtype)}
            print(json.dumps(figure), flush=True)
    for dtype in DTYPES:
        for name, network, batch, n in (("3 x LSTM 768", CHARRNN, 512, 4096), ("1 x LSTM 256", SMALL, 1024, 20480)):
            result = free_running(network, batch, n, dtype)
            print(json.dumps({"figure": f"free running, {name}, batch {batch}, {dtype}", **result}), flush=True)


if __name__ == "__main__":
    main()
