"""Captions of COCO: BLEU against self-BLEU over temperatures, maximum likelihood beside what a critic makes of it.

    python -m benchmarks.tables.coco                        what is missing is run, then the table is written
    python -m benchmarks.tables.coco ROW... --seeds 1       these rows alone

Of each run 5,000 captions at every temperature: BLEU against the 10,000 of the test set, self-BLEU among themselves.
Self-BLEU grows with the number of captions, so beside it stand 5,000 captions of the corpus itself. Runs that begin
with the weights of maximum likelihood take those of the same seed. The result of each is a JSON file under
docs/results/coco, written as the run ends.
"""

import argparse
import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.tables.results import RESULTS, cell, circumstances, keep, kept, trained_in

from freerun.api import Run
from freerun.corpora.corpus import open_corpus
from freerun.files import write_text
from freerun.metrics.text import ORDERS, bleu, distinct, self_bleu
from freerun.metrics.validity import ratio, uniqueness

FOLDER = "coco"
TABLE = RESULTS / "coco.md"
TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1)
N = 5_000
ALIKE = 0.6  # the self-BLEU-4 at which rows are compared


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table; `begins`: the row whose weights it begins with."""

    about: str
    config: str
    overrides: tuple[str, ...] = ()
    begins: str = ""


CORPUS = "corpus"
NO_CRITIC = ("method.n_mle=0", "method.baseline=none", "method.n_rollouts=0", "method.reward=random")
ROWS = {
    "mle": Row("maximum likelihood", "teacher_forcing_coco"),
    "gumbel_gan": Row("Gumbel-softmax GAN, straight-through", "gumbel_gan_coco", ("method.n_mle=0",), "mle"),
    "seqgan": Row("SeqGAN", "seqgan_coco", ("method.n_mle=0",), "mle"),
    "random": Row("control: random reward", "seqgan_coco", NO_CRITIC, "mle"),
}


@functools.cache
def captions(split: str) -> list[str]:
    return [text for _, text in open_corpus("coco").strings(split)]


def measured(lines: Sequence[str]) -> dict[str, float]:
    return {
        **bleu(lines, captions("test")),
        **self_bleu(lines),
        **distinct(lines, orders=(2,)),
        "unique": uniqueness(list(lines)),
        "in_corpus": ratio(len(set(lines) & set(captions("train"))), len(set(lines))),
    }


def trained(name: str, seed: int, work: Path) -> Run:
    """The run of a row; an interrupted one goes on."""
    row, out = ROWS[name], work / f"{name}-{seed}"
    init = trained(row.begins, seed, work).path if row.begins else None
    return trained_in(out, row.config, overrides=row.overrides, init=init, seed=seed)


def result(name: str, seed: int, work: Path) -> dict:
    """Trains the run, sweeps its temperature, and keeps the result."""
    row, run = ROWS[name], trained(name, seed, work)
    points = []
    for temperature in TEMPERATURES:
        lines = [sample.string for sample in run.sample(N, temperature=temperature, seed=seed)]
        points.append({"temperature": temperature, **measured(lines)})
    command = f"freerun train {row.config} --seed {seed}" + "".join(f" --set {override}" for override in row.overrides)
    about = circumstances(run, command, f"{row.begins}-{seed}" if row.begins else "")
    return keep(FOLDER, name, seed, {"row": name, "seed": seed, **about, "points": points})


def of_corpus() -> dict:
    """What the first captions of the training set themselves would get."""
    if (found := kept(FOLDER, CORPUS, 0)) is None:
        found = keep(FOLDER, CORPUS, 0, {"row": CORPUS, "points": [measured(captions("train")[:N])]})
    return found


def between(points: Sequence[dict[str, float]], key: str, at: str, value: float) -> float:
    """`key` where `at` has that value, on straight lines between the temperatures; NaN outside."""
    x, y = zip(*sorted((point[at], point[key]) for point in points), strict=True)
    return float(np.interp(value, x, y, left=np.nan, right=np.nan))


def table(n_seeds: int = 5) -> str:
    """Markdown: at temperature 1, and BLEU-4 at one self-BLEU-4."""
    names = [f"BLEU-{order}" for order in ORDERS] + [f"self-BLEU-{order}" for order in ORDERS]
    head = ["", "seeds", *names, "unique", f"BLEU-4 where self-BLEU-4 is {ALIKE}"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rows = {CORPUS: f"the corpus: {N:,} captions", **{name: row.about for name, row in ROWS.items()}}
    for name, about in rows.items():
        results = [found for seed in range(n_seeds) if (found := kept(FOLDER, name, seed))]
        if results:
            plain = [next(p for p in found["points"] if p.get("temperature", 1.0) == 1.0) for found in results]
            cells = [cell([point[key] for point in plain], 3) for key in (*names, "unique")]
            alike = cell([between(found["points"], "BLEU-4", "self-BLEU-4", ALIKE) for found in results], 3)
            lines.append(f"| {' | '.join([about, str(len(results)), *cells, alike])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=1, help="how many of each row")
    parser.add_argument("--work", type=Path, default=Path("runs/coco-table"), help="where the runs are kept")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    options = parser.parse_args()
    of_corpus()
    for name in [] if options.only_table else options.rows:
        for seed in range(options.seeds):
            if kept(FOLDER, name, seed) is None:
                print(f"{name}, seed {seed}", flush=True)
                result(name, seed, options.work)
    write_text(TABLE, table())
    print(table())


if __name__ == "__main__":
    main()
