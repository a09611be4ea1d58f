"""Latent runs on the same held-out strings: how probable these are, what their codes know, how many come back.

    python -m benchmarks.posterior RUN [RUN ...] [--tf RUN] [-n 1000] [--samples 500] [--greedy 2000] [--beams 300]
        [--precision float32]

NLL: the importance-weighted bound of the first -n strings of the test split (of the validation split, where there is no
test split) that every run can read, by --samples codes each; with --tf RUN, a run of teacher forcing, the difference of
each string's NLL to its exact one there, with the standard error over the strings. KL, mutual information (at most
ln 10,000 = 9.21 nats) and active axes are those of the first 10,000 strings; reconstruction is from the mean code,
greedily and by a beam of 5, and for molecules counts the same molecule. Prints a Markdown table.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from freerun.corpora.corpus import Corpus
from freerun.corpora.encode import encode_split
from freerun.corpora.store import EncodedSplit
from freerun.errors import UsageError
from freerun.held_out import HeldOut, read_held_out, readable, tokens_of
from freerun.metrics.posterior import importance_weighted_nll, neg_elbo
from freerun.posterior import BEAM, N_CODES, information, is_drawn, reconstruction, weighted
from freerun.prepare import reopen
from freerun.run_folder import RunFolder
from freerun.sampling.likelihood import log_prob, n_tokens
from freerun.trained import Trained

HEADS = (
    "run",
    "NLL a token",
    "to teacher forcing, nats a string",
    "-ELBO a token",
    "KL",
    "I(x; z)",
    "active axes",
    "back, greedy",
    f"back, beam {BEAM}",
    "seconds",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--tf")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--greedy", type=int, default=2000)
    parser.add_argument("--beams", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="float32", choices=("run", "float32", "bfloat16"))
    asked = parser.parse_args()
    paths = [*asked.runs, *([asked.tf] if asked.tf else [])]
    runs = [Trained.load(RunFolder.found(path), device="auto", precision=asked.precision) for path in paths]
    corpus, split = held_out_split(runs)
    splits = [encode_split(corpus, split, run.representation) for run in runs]
    rows = common_rows(runs, splits)
    print(f"{corpus.name}, {split}: {min(asked.n, len(rows))} strings, {len(rows)} codes, {asked.samples} samples\n")
    exact, cells = None, []
    if asked.tf:
        exact, count = exact_nll(runs[-1], splits[-1], rows[: asked.n])
        cells = [asked.tf, f"{float(exact.sum()) / count:.4f}", "0", *["" for _ in HEADS[3:]]]
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}", flush=True)
    if cells:
        print(f"| {' | '.join(cells)} |", flush=True)
    for path, run, encoded in zip(asked.runs, runs, splits, strict=False):
        began = time.perf_counter()
        cells = measured(run, read_held_out(run, corpus, split, encoded, rows), exact, asked)
        print(f"| {' | '.join([path, *cells, f'{time.perf_counter() - began:.0f}'])} |", flush=True)


def held_out_split(runs: Sequence[Trained]) -> tuple[Corpus, str]:
    """The corpus that all the runs were trained on, and its split."""
    corpora = [reopen(run.folder, lambda _: None).corpus for run in runs]
    split = next((name for name in ("test", "valid") if name in corpora[0].splits), "train")
    if len({corpus.content_key(split) for corpus in corpora}) > 1:
        raise UsageError("the runs were trained on different corpora: they are not compared on the same strings")
    return corpora[0], split


def common_rows(runs: Sequence[Trained], splits: Sequence[EncodedSplit]) -> list[int]:
    """The first strings that each run can read. The runs may spell them differently, but refuse none of them."""
    if len({tuple(split.records[:N_CODES].tolist()) for split in splits}) > 1:
        raise UsageError("the runs' representations refuse different lines of the split: give runs of one kind")
    found = [set(readable(run, split, 2 * N_CODES)) for run, split in zip(runs, splits, strict=True)]
    return sorted(set.intersection(*found))[:N_CODES]


@torch.no_grad()
def exact_nll(run: Trained, encoded: EncodedSplit, rows: Sequence[int]) -> tuple[Float64[Tensor, " strings"], int]:
    """-log p of each string, and how many tokens they have."""
    tokens = tokens_of(run, encoded, rows)
    parts = [
        log_prob(run.generator, piece, run.constraint, budget=run.budget).double().sum(1) for piece in tokens.split(256)
    ]
    return -torch.cat(parts).cpu(), int(n_tokens(tokens).sum())


def measured(
    run: Trained, held: HeldOut, exact: Float64[Tensor, " strings"] | None, asked: argparse.Namespace
) -> list[str]:
    """The cells of one run."""
    difference, nll, elbo = "", "", ""
    some = held.first(asked.n)
    if is_drawn(some):
        log_w, count = weighted(run, some, asked.samples, asked.seed), int(n_tokens(some.tokens).sum())
        bound = importance_weighted_nll(log_w).cpu()
        nll, elbo = f"{float(bound.sum()) / count:.4f}", f"{float(neg_elbo(log_w).sum()) / count:.4f}"
        if exact is not None:
            more = bound - exact
            difference = f"{float(more.mean()):+.3f} ± {float(more.std()) / len(more) ** 0.5:.3f}"
    known = information(held, asked.seed)
    kl, shared = (f"{known[name]:.2f}" if known[name] is not None else "" for name in ("kl", "mutual_information"))
    back = [reconstruction(run, held.first(asked.greedy)), reconstruction(run, held.first(asked.beams), BEAM)]
    shares = [f"{entry['share'] if entry['same_molecule'] is None else entry['same_molecule']:.3f}" for entry in back]
    return [nll, difference, elbo, kl, shared, f"{known['active_units']} of {held.latent.mean.shape[1]}", *shares]


if __name__ == "__main__":
    main()
