"""A class that is latent: what it costs to sum over it or to draw it relaxed, and what few labels give.

    python -m benchmarks.semi_supervised [--classes 2 10 100 1000]
    python -m benchmarks.semi_supervised --accuracy [--seeds 0 1] [--labels 200] [--epochs 4] [--alpha 1]
                                          [--word-dropout 0.5]

The first prints, over the number K of classes, the processor time of a training step and the memory of the process at
its peak, one thread, each point in a process of its own: one relaxed class (`gumbel`), the sum over the classes as one
batch (`marginal`, in pieces of 1024 decodings) and, up to K = 100, one class after the other (`loop`, as in the
published code). 32 unlabelled sequences of 40 tokens; the class enters the generator's first state. It draws
docs/diagrams/semi_supervised.svg.

The second prints the share of the 2,000 test molecules of moses-mini whose class is told, from --labels labels among
its 20,000 training molecules: by the same classifier from the labels alone, and by M2 with the three ways of inference.
The class of a molecule is the first of CLASSES that it holds.
"""

import argparse
import collections
import dataclasses
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from rdkit import Chem

from freerun.conditions import Conditions, Label
from freerun.constraints.base import EOS, PAD, SPECIALS
from freerun.constraints.length import Anything
from freerun.corpora.batches import Batch, Batches
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.corpora.store import EncodedSplit
from freerun.methods.base import Network, State, World, descend
from freerun.methods.class_terms import terms
from freerun.methods.descent import Descent
from freerun.methods.semi_supervised import SemiSupervisedVAE
from freerun.noise import mix
from freerun.report.svg import LIGHT
from freerun.representations.smiles import Smiles

CPU = torch.device("cpu")
SHAPE = Network(cell="gru", d_embedding=32, d_hidden=128)
AT_START = dataclasses.replace(
    SHAPE, context_at="start"
)  # joined to each step, 1,000 classes would be most of the work
BATCH, TIME, VOCAB = 32, 40, 36
N_TIMED = {2: 12, 10: 12, 100: 4}  # steps, after one to warm up; else one, cold
LOOPED_UP_TO = 100
DRAWING = Path(__file__).parents[1] / "docs" / "diagrams" / "semi_supervised.svg"
CLASSES = (
    ("sulfonyl", "S(=O)(=O)"),
    ("nitrile", "C#N"),
    ("urea or carbamate", "[NX3]C(=O)[NX3,OX2]"),
    ("acid or ester", "C(=O)[OX2]"),
    ("aromatic sulfur", "[s]"),
    ("halogen", "[F,Cl,Br,I]"),
    ("amide", "[NX3]C(=O)[#6]"),
    ("none of them", "*"),
)
N_REHEARSED = 32  # labelled molecules a step, of M2 and of the control
SETTINGS = {
    "d_latent": 16,
    "d_encoder": 128,
    "bidirectional": True,
    "batch_size": 64,
    "rehearsed": N_REHEARSED,
    "descent": Descent(lr=2e-3, schedule="cosine", n_warmup=50),
}
N_CONTROL = 400  # steps of the control


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 10, 100, 1000])
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--epochs", type=float, default=4.0)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--word-dropout", type=float, default=0.5)
    parser.add_argument("--lines", type=int, default=0, help="training molecules; 0: all")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.point:
        print(json.dumps(point(asked.point[0], int(asked.point[1]))))
    elif asked.accuracy:
        print_accuracies(asked)
    else:
        print_times(asked.classes)


def print_times(classes: list[int]) -> None:
    found: dict[tuple[str, int], dict[str, float]] = {}
    print("| K | way | seconds a step | times `gumbel` | peak MiB above the start |\n| --- | --- | --- | --- | --- |")
    for k in classes:
        for way in ("gumbel", "marginal", "loop"):
            if way == "loop" and k > LOOPED_UP_TO:
                continue
            command = [sys.executable, "-m", "benchmarks.semi_supervised", "--point", way, str(k)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[way, k] = each = json.loads(told)
            ratio = each["seconds"] / found["gumbel", k]["seconds"]
            print(f"| {k:,} | `{way}` | {each['seconds']:.3g} | {ratio:.1f} | {each['mebibytes']:.0f} |", flush=True)
    draw(found)


def point(way: str, k: int) -> dict[str, float]:
    """The shortest processor time of a step, and the peak of the process above what it was before the first."""
    labels = Conditions((Label("class", tuple(f"c{i}" for i in range(k)), (1,) * k),))
    world = World(Anything(VOCAB), TIME, AT_START, 100, CPU, conditions=labels)
    inference = "gumbel" if way == "gumbel" else "marginal"
    method = SemiSupervisedVAE("class", n_steps=100, batch_size=BATCH, bidirectional=True, inference=inference)
    torch.manual_seed(0)
    state, tokens = method.init(world), torch.randint(len(SPECIALS), VOCAB, (BATCH, TIME))
    tokens[:, -1] = EOS
    batch, rng = Batch(tokens, torch.arange(BATCH), {}), torch.Generator().manual_seed(0)
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(1 + N_TIMED.get(k, 0)):
        began = time.process_time()
        if way == "loop":
            looped(method, state, batch, rng)
        else:
            method.step(state, batch, rng)
        times.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": min(times), "mebibytes": (peak - before) / 1024}


def looped(method: SemiSupervisedVAE, state: State, batch: Batch, rng: torch.Generator) -> None:
    """The same step of unlabelled sequences, with one decoding of the batch for each class, all of them kept."""
    state.networks.train()
    seen = method._read(state, batch, batch.tokens, rng)
    log_prior, rows = method._log_prior(state.world), torch.arange(len(batch.tokens))
    q, cost = seen.log_q.exp(), seen.class_cost(log_prior)
    for y in range(q.shape[1]):
        nll, kl = terms(state.networks, seen, rows, F.one_hot(torch.full_like(rows, y), q.shape[1]).float())
        cost = cost + q[:, y] * (nll + kl)
    descend(cost.mean(), state.optimisers["vae"])


def draw(found: dict[tuple[str, int], dict[str, float]]) -> None:
    figure = Figure(figsize=(5.6, 3.4), facecolor="white")
    axes = figure.add_axes((0.13, 0.16, 0.66, 0.78))
    names = {"gumbel": "one relaxed class", "marginal": "the sum, one batch", "loop": "the sum, one by one"}
    for (way, name), colour in zip(names.items(), ("s1", "s2", "s3"), strict=True):
        line = [(k, each["seconds"]) for (which, k), each in found.items() if which == way]
        if line:
            axes.loglog(*zip(*line, strict=True), color=LIGHT[colour], marker="o", markersize=4, linewidth=1.8)
            axes.annotate(name, line[-1], (7, -3), textcoords="offset points", color=LIGHT[colour], fontsize=9.5)
    axes.set_xlabel("classes K", color=LIGHT["quiet"])
    axes.set_ylabel("processor seconds a step", color=LIGHT["quiet"])
    axes.grid(color=LIGHT["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "freerun"}):
        figure.savefig(DRAWING, format="svg", metadata={"Date": None, "Creator": None, "Title": "semi supervised"})
    print(f"\n{DRAWING}")


def print_accuracies(asked: argparse.Namespace) -> None:
    representation = Smiles()
    splits = {
        name: encode_split(open_corpus("moses-mini", max_lines=asked.lines or None), name, representation)
        for name in ("train", "test")
    }
    representation = fit(representation, splits["train"], splits["test"])
    classes = {name: classes_of(split) for name, split in splits.items()}
    shares = np.bincount(classes["test"].astype(int), minlength=len(CLASSES)).tolist()
    print("Test molecules:", ", ".join(f"{name} {n}" for (name, _), n in zip(CLASSES, shares, strict=True)))
    budget = 1 + max(int(split.lengths.max()) for split in splits.values())
    test = Batches(splits["test"], representation, 500, columns={"class": classes["test"]}, max_tokens=budget)
    print("\n| seed | way | accuracy | neg. bound, nats a token | processor minutes |\n| --- | --- | --- | --- | --- |")
    for seed in asked.seeds:
        labels = hidden_but(classes["train"], asked.labels, seed)
        counts = np.bincount(labels[~np.isnan(labels)].astype(int), minlength=len(CLASSES))
        label = Label("class", tuple(name for name, _ in CLASSES), tuple(counts.tolist()))
        batches = Batches(splits["train"], representation, 64, seed, columns={"class": labels}, max_tokens=budget)
        constraint, conditions = Anything(len(representation.vocab)), Conditions((label,))
        world = World(constraint, budget, SHAPE, batches.n_batches, CPU, conditions=conditions)
        for way in ("labels alone", "marginal", "gumbel", "straight_through"):
            began = time.process_time()
            if way == "labels alone":
                last, best = control(world, batches, test, seed)
                shown = f"{last:.3f}, at best {best:.3f} | "
            else:
                method = SemiSupervisedVAE("class", n_epochs=asked.epochs, **SETTINGS)  # pyright: ignore[reportArgumentType]
                method = dataclasses.replace(method, inference=way, word_dropout=asked.word_dropout, alpha=asked.alpha)
                shown = "{:.3f} | {:.4f}".format(*m2(method, world, batches, test, seed))
            print(f"| {seed} | {way} | {shown} | {(time.process_time() - began) / 60:.1f} |", flush=True)


def m2(method: SemiSupervisedVAE, world: World, batches: Batches, test: Batches, seed: int) -> tuple[float, float]:
    """Accuracy and bound after the training."""
    torch.manual_seed(seed)
    state = method.init(world)
    for step in range(method.phases(batches.n_batches)[0].n_steps):
        torch.manual_seed(mix(seed, step))
        method.step(state, batches.batch(step), torch.Generator().manual_seed(mix(seed, step, 1)))
    sums = collections.defaultdict[str, float](float)
    for batch in test.all():
        for name, (total, count) in method.evaluate(state, batch, torch.Generator().manual_seed(seed)).items():
            sums[name] += float(total)
            sums[f"{name} of"] += float(count)
    return sums["accuracy"] / sums["accuracy of"], sums["neg_elbo_per_token"] / sums["neg_elbo_per_token of"]


def control(world: World, batches: Batches, test: Batches, seed: int) -> tuple[float, float]:
    """The same reader and classifier by cross-entropy on the labelled molecules, 32 a step: its accuracy at the end,
    and the best of those on the way, which knows the test molecules."""
    method = SemiSupervisedVAE("class", n_steps=N_CONTROL, **SETTINGS)  # pyright: ignore[reportArgumentType]
    torch.manual_seed(seed)
    state, found = method.init(world), []
    pieces = [(batch.tokens[i : i + 1], batch.columns["class"][i]) for batch in batches.all() for i in known(batch)]
    tokens = torch.cat([F.pad(row, (0, world.budget - row.shape[1])) for row, _ in pieces])
    labels = torch.stack([label for _, label in pieces]).long()
    for step in range(N_CONTROL):
        torch.manual_seed(mix(seed, step))
        rows = torch.randperm(len(tokens))[:N_REHEARSED]
        shown = tokens[rows][:, : int((tokens[rows] != PAD).sum(1).max())]
        logits = state.networks["classifier"](state.networks["reader"].train()(shown))
        descend(F.cross_entropy(logits, labels[rows]), state.optimisers["vae"])
        if step % 50 == 49:
            found.append(told(method, state, test))
    return found[-1], max(found)


def known(batch: Batch) -> list[int]:
    return (~batch.columns["class"].isnan()).nonzero()[:, 0].tolist()


def told(method: SemiSupervisedVAE, state: State, test: Batches) -> float:
    right = [(method.classify(state, batch).argmax(1) == batch.columns["class"]).float() for batch in test.all()]
    return float(torch.cat(right).mean())


def hidden_but(classes: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The classes of n random rows; the others are missing."""
    kept = np.random.default_rng(seed).choice(len(classes), n, replace=False)
    labels = np.full(len(classes), np.nan)
    labels[kept] = classes[kept]
    return labels


def classes_of(split: EncodedSplit) -> np.ndarray:
    patterns = [Chem.MolFromSmarts(smarts) for _, smarts in CLASSES]
    molecules = [Chem.MolFromSmiles(string) for string in split.strings()]
    return np.array(
        [next(i for i, each in enumerate(patterns) if mol.HasSubstructMatch(each)) for mol in molecules], float
    )


if __name__ == "__main__":
    main()
