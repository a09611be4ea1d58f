"""SeqGAN's synthetic benchmark: each method, its controls, several seeds; NLL_oracle against NLL_test.

    make oracle-table                        what is missing is run, then the table is written
    python -m benchmarks.tables.oracle ROW... --seeds 2     these rows alone

The result of each run is a JSON file under docs/results/oracle, written as the run ends: what is there is not run
again. Runs that begin with the weights of maximum likelihood take those of the same seed. The rules: the 10,000
training sequences alone; epoch and temperature chosen on the validation draw; NLL_test at the sampling temperature.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.tables.results import RESULTS, cell, circumstances, keep, kept, trained_in

from freerun.api import Run
from freerun.files import write_text
from freerun.metrics.frontier import Point, chosen, drawn, frontier, where
from freerun.run_folder import RunFolder
from freerun.trained import Trained

FOLDER = "oracle"
TABLE = RESULTS / "oracle.md"
COLD = (0.4, 0.45, 0.5, 0.6, 0.7)
N_COLD = 2_500  # samples and held-out sequences at each of these; at temperature 1 all 10,000
PUBLISHED_MLE = ("run.patience=0", "run.validate_every=1570")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        config: Name of a bundled configuration.
        overrides: `TABLE.KEY=VALUE`, as after `--set`.
        begins: The row whose weights it begins with.
        n_seeds: How many runs the table is of.
        last: The weights at the end of the training, not those of the best validation.
    """

    about: str
    config: str
    overrides: tuple[str, ...] = ()
    begins: str = ""
    n_seeds: int = 3
    last: bool = False


NO_CRITIC = ("method.n_mle=0", "method.baseline=none", "method.n_rollouts=0")
ROWS = {
    "mle": Row("maximum likelihood, best epoch", "oracle_mle", n_seeds=5),
    "mle_published": Row("the same, 120 epochs, the last one", "oracle_mle", PUBLISHED_MLE, n_seeds=5, last=True),
    "mle_free": Row("maximum likelihood, network free", "oracle_mle_free", n_seeds=5),
    "seqgan": Row("SeqGAN", "seqgan_oracle", ("method.n_mle=0",), "mle", 5),
    "seqgan_plain": Row(
        "SeqGAN without a baseline", "seqgan_oracle", ("method.n_mle=0", "method.baseline=none"), "mle"
    ),
    "constant": Row("control: constant reward", "seqgan_oracle", (*NO_CRITIC, "method.reward=constant"), "mle", 5),
    "random": Row("control: random reward", "seqgan_oracle", (*NO_CRITIC, "method.reward=random"), "mle", 5),
    "scheduled_sampling": Row("scheduled sampling", "scheduled_sampling_oracle"),
    "own_output": Row("control: on its own output", "scheduled_sampling_oracle", ("method.teacher.start=0.0",)),
    "professor_forcing": Row("professor forcing", "professor_forcing_oracle", ("method.n_mle=0",), "mle"),
    "maligan": Row("MaliGAN", "maligan_oracle", ("method.n_mle=0",), "mle"),
    "gumbel_gan": Row("Gumbel-softmax GAN, relativistic", "gumbel_gan_oracle", ("method.n_mle=0",), "mle"),
}


def trained(name: str, seed: int, work: Path) -> Run:
    """The run of a row; an interrupted one goes on."""
    row, out = ROWS[name], work / f"{name}-{seed}"
    init = trained(row.begins, seed, work).path if row.begins else None
    return trained_in(out, row.config, overrides=row.overrides, init=init, seed=seed)


def measured(name: str, seed: int, work: Path) -> dict:
    """Trains the run, sweeps its temperature, and keeps the result."""
    row, run = ROWS[name], trained(name, seed, work)
    model = Trained.load(RunFolder(run.path), last=row.last)
    points = swept(model, seed)
    command = f"freerun train {row.config} --seed {seed}" + "".join(f" --set {override}" for override in row.overrides)
    about = circumstances(run, command, f"{row.begins}-{seed}" if row.begins else "")
    return keep(FOLDER, name, seed, {"row": name, "seed": seed, **about, "points": points})


def swept(model: Trained, seed: int) -> list[Point]:
    """The frontier: few samples where the temperature is swept, as many as are published at temperature 1."""
    given = (model.generator, model.constraint, model.budget)
    valid, test = (drawn(split)[:N_COLD] for split in ("valid", "test"))
    cold = frontier(*given, temperatures=COLD, n=N_COLD, seed=seed, valid=valid, test=test)
    return cold + frontier(*given, temperatures=(1.0,), seed=seed)


def figures(points: Sequence[Point]) -> dict[str, float]:
    """What the table shows of one run."""
    plain = next(point for point in points if point["temperature"] == 1.0)
    best = chosen(points)
    return {
        "nll_oracle": plain["nll_oracle"],
        "nll_test": plain["nll_test"],
        "chosen_temperature": best["temperature"],
        "chosen_nll_oracle": best["nll_oracle"],
        "chosen_nll_test": best["nll_test"],
        "at_8": where(points, "nll_test", 8.0).get("nll_oracle", float("nan")),
        "at_9": where(points, "nll_test", 9.0).get("nll_oracle", float("nan")),
        "uniqueness": plain["uniqueness"],
    }


def table(rows: Sequence[str]) -> str:
    """Markdown: mean and standard deviation over the seeds that there are."""
    head = "| | seeds | NLL_oracle | NLL_test | best NLL_test | NLL_oracle there | at NLL_test 8 | at 9 | minutes |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for name in rows:
        results = [found for seed in range(ROWS[name].n_seeds) if (found := kept(FOLDER, name, seed))]
        if not results:
            continue
        values = [figures(result["points"]) for result in results]
        cells = [cell([value[key] for value in values]) for key in SHOWN]
        minutes = np.mean([result["seconds"] for result in results]) / 60
        lines.append(f"| {ROWS[name].about} | {len(results)} | {' | '.join(cells)} | {minutes:.1f} |")
    return "\n".join(lines) + "\n"


SHOWN = ("nll_oracle", "nll_test", "chosen_nll_test", "chosen_nll_oracle", "at_8", "at_9")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=0, help="at most so many of each row")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--work", type=Path, default=Path("runs/oracle-table"), help="where the runs are kept")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    options = parser.parse_args()
    for name in [] if options.only_table else options.rows:
        for seed in range(options.first, min(ROWS[name].n_seeds, options.seeds or 5)):
            if kept(FOLDER, name, seed) is None:
                print(f"{name}, seed {seed}", flush=True)
                print(figures(measured(name, seed, options.work)["points"]), flush=True)
    write_text(TABLE, table(list(ROWS)))
    print(table(list(ROWS)))


if __name__ == "__main__":
    main()
