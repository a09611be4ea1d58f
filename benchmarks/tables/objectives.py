"""Molecules of ZINC250k that are better at an objective: ORGAN, its limits, and other learners with as many calls.

    python -m benchmarks.tables.objectives                           what is missing is run, then the table is written
    python -m benchmarks.tables.objectives ROW... --objective qed    these rows alone

Every run begins with the weights of `zinc_lstm` (`--prior RUN`, trained where there is none) and ends when so many
distinct strings were paid for. The result of each is a JSON file under docs/results/NAME (`--results NAME`), written as
the run ends: what is there is not run again. Each training of the prior has a folder of its own.

Of 2,000 samples: valid ones; of these the mean of the score, the share of different ones and MOSES's internal
diversity. The way is from the mean of the prior's valid samples to the best hundredth of the corpus.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.tables.results import RESULTS, cell, circumstances, keep, kept, trained_in

from freerun.api import Run
from freerun.corpora.corpus import open_corpus
from freerun.files import sha256, write_text
from freerun.metrics.molecules import Molecules
from freerun.metrics.moses import internal_diversity
from freerun.metrics.parallel import molecules
from freerun.report.calls import Calls, read_calls
from freerun.report.variety import diversity, scaffolds
from freerun.scores.parallel import values_of

PRIOR = "prior"
N_SAMPLES, SAMPLE_SEED = 2_000, 1
N_OF_CORPUS = 10_000  # molecules of the corpus whose best hundredth is the end of the way
N_TIMES, N_BEST, N_RECENT = 10, 100, 2_000  # along the calls: how often, the best, and the mean of the last ones
# Of each score the property that is measured, and the sign that makes more better.
OBJECTIVES = {"qed": ("QED", 1), "sa": ("SA", -1)}


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        config: Name of a bundled configuration.
        overrides: Its settings, as after `--set`.
        beside: Scores that are paid beside the one that is measured.
    """

    about: str
    config: str = "organ_qed"
    overrides: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    n_seeds: int = 1


DIVERSE = ("diversity:0.3",)
ALONE = ("method.kl=0.0", "method.adversarial=1.0", "method.n_steps=50")
PUBLISHED = ("method.kl=0.0", "method.n_prefixes=0", "method.n_rollouts=16", "method.batch_size=16")
ROWS = {
    "organ": Row("ORGAN, beta .012", n_seeds=3),
    "organ_15": Row("beta .015", overrides=("method.kl=0.015",), n_seeds=3),
    "organ_20": Row("beta .02", overrides=("method.kl=0.02",)),
    "organ_60": Row("beta .06", overrides=("method.kl=0.06",)),
    "organ_80": Row("beta .08", overrides=("method.kl=0.08",), n_seeds=3),
    "organ_diverse": Row("beta .03, diversity paid beside it", overrides=("method.kl=0.03",), beside=DIVERSE),
    "organ_paper": Row("beta 0: held to nothing", overrides=("method.kl=0.0",)),
    "organ_0": Row("lambda 0: no critic, beta .015 alone", overrides=("method.adversarial=0.0", "method.kl=0.015")),
    "organ_1": Row("lambda 1: the critic alone", overrides=ALONE),
    "organ_published": Row("beta 0, all prefixes, 16 rollouts", overrides=PUBLISHED),
    "reinvent": Row("REINVENT's loss", "reinvent_qed"),
    "hill_climb": Row("hill climb", "hill_climb_qed"),
}


def measured(molecules: Molecules, score: str) -> dict[str, float]:
    """What the table shows of samples."""
    of_valid = molecules.of_valid()
    return {
        "valid": len(of_valid) / len(molecules),
        "mean": float(of_valid.properties[OBJECTIVES[score][0]].mean()),
        "different": len(set(of_valid.canonical)) / len(of_valid),
        "diversity": internal_diversity(of_valid)[0],
    }


def sampled(run: Run) -> Molecules:
    return molecules([sample.string for sample in run.sample(N_SAMPLES, seed=SAMPLE_SEED)])


def best_hundredth(score: str) -> float:
    """The value that one molecule in a hundred of the corpus is better than."""
    lines = [text for _, text in open_corpus("zinc250k").strings("train")]
    rows = np.random.default_rng(0).choice(len(lines), N_OF_CORPUS, replace=False)
    sign = OBJECTIVES[score][1]
    values = sign * values_of(score, [lines[row] for row in rows])
    return float(sign * np.nanquantile(values, 0.99))


def along(calls: Calls) -> list[dict[str, float]]:
    """What had been found after so many calls."""
    points = []
    for n in np.linspace(0, len(calls), N_TIMES + 1).astype(int)[1:].tolist():
        recent = slice(max(0, n - N_RECENT), n)
        best = [calls.canonical[row] for row in calls.best(n, N_BEST)]
        points.append(
            {
                "calls": n,
                "mean": float(calls.total[recent][calls.valid[recent]].mean()),
                "best": float(calls.total[calls.best(n, N_BEST)].mean()),
                "best_scaffolds": len(set(scaffolds(best)) - {""}),
                "best_diversity": diversity(best),
            }
        )
    return points


def work_of(folder: str) -> Path:
    """Where the runs are kept whose results stand in a folder."""
    return Path("runs") / f"{folder}-table"


def trained(name: str, score: str, seed: int, prior: Run, folder: str) -> Run:
    """The run of a row; an interrupted one goes on."""
    row = ROWS[name]
    return trained_in(
        work_of(folder) / f"{score}-{name}-{seed}",
        row.config,
        overrides=row.overrides,
        objectives=(score, *row.beside),
        init=prior.path,
        seed=seed,
    )


def result(name: str, score: str, seed: int, prior: Run, folder: str) -> dict:
    """Trains the run, measures its samples and its calls, and keeps that."""
    run = trained(name, score, seed, prior, folder)
    command = f"freerun train {ROWS[name].config} --init ZINC_LSTM --seed {seed}"
    command += "".join(f" --objective {spec}" for spec in (score, *ROWS[name].beside))
    command += "".join(f" --set {override}" for override in ROWS[name].overrides)
    calls = read_calls(run.path / "scores.csv")
    about = circumstances(run, command, PRIOR)
    found = {"samples": measured(sampled(run), score), "along": along(calls) if calls else []}
    return keep(folder, f"{score}-{name}", seed, {"row": name, "score": score, "seed": seed, **about, **found})


def begun(prior: Run, score: str, folder: str) -> dict:
    """Where all runs begin, and where the way ends.

    Raises:
        SystemExit: If the runs that are there began with other weights.
    """
    if (found := kept(folder, f"{score}-{PRIOR}", 0)) is None:
        about = {**circumstances(prior, "freerun train zinc_lstm", ""), "weights": weights_of(prior)}
        samples = measured(sampled(prior), score)
        found = {"row": PRIOR, "score": score, **about, "samples": samples, "end": best_hundredth(score)}
        keep(folder, f"{score}-{PRIOR}", 0, found)
    if found.get("weights") != weights_of(prior):
        raise SystemExit(f"the results in {folder} are of another prior than {prior.path}: name a --results of its own")
    return found


def weights_of(prior: Run) -> str:
    return sha256(prior.folder.best)


def table(score: str, folder: str) -> str:
    """Markdown: mean and standard deviation over the seeds that there are."""
    lines = [
        f"| {score} | seeds | valid | mean | different | diversity | share of the way | calls, at most | minutes |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    start = kept(folder, f"{score}-{PRIOR}", 0)
    if start is None:
        return ""
    way = start["end"] - start["samples"]["mean"]
    for name, about in (
        (PRIOR, "maximum likelihood (`zinc_lstm`)"),
        *((name, row.about) for name, row in ROWS.items()),
    ):
        runs = [found for seed in range(5) if (found := kept(folder, f"{score}-{name}", seed))]
        if not runs:
            continue
        cells = [cell([run["samples"][key] for run in runs], 3) for key in ("valid", "mean", "different", "diversity")]
        share = cell([(run["samples"]["mean"] - start["samples"]["mean"]) / way for run in runs])
        calls = max((run["along"][-1]["calls"] for run in runs if run.get("along")), default=0)
        minutes = np.mean([run["seconds"] for run in runs]) / 60
        lines.append(f"| {about} | {len(runs)} | {' | '.join(cells)} | {share} | {calls:,} | {minutes:.1f} |")
    return "\n".join(lines) + f"\n\nThe way ends at {start['end']:.3f}.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--objective", nargs="*", default=list(OBJECTIVES), help=f"of {', '.join(OBJECTIVES)}")
    parser.add_argument("--seeds", type=int, default=0, help="at most so many of each row")
    parser.add_argument("--prior", type=Path, help="a run of zinc_lstm; else one in runs/RESULTS-table")
    parser.add_argument("--results", default="mine", help="a folder of docs/results, one for each prior")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    options = parser.parse_args()
    if not options.only_table:
        prior = trained_in(options.prior or work_of(options.results) / PRIOR, "zinc_lstm")
        run_missing(options.rows, options.objective, options.seeds, prior, options.results)
    text = "\n".join(filter(None, (table(score, options.results) for score in OBJECTIVES)))
    write_text(RESULTS / f"{options.results}.md", text)
    print(text)


def run_missing(rows: Sequence[str], scores: Sequence[str], n_seeds: int, prior: Run, folder: str) -> None:
    for score in scores:
        begun(prior, score, folder)
        for name in rows:
            for seed in range(min(ROWS[name].n_seeds, n_seeds or 5)):
                if kept(folder, f"{score}-{name}", seed) is None:
                    print(f"{score}, {name}, seed {seed}", flush=True)
                    print(result(name, score, seed, prior, folder)["samples"], flush=True)


if __name__ == "__main__":
    main()
