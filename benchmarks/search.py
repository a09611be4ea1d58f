"""Latent Bayesian optimisation beside its controls, on a run that is there already.

    python benchmarks/search.py formulas RUN [--seeds 5] [--budget 500] [--protocol trust-region]
    python benchmarks/search.py molecules RUN [--seeds 5] [--budget 500] [--max-length 120] [--n-start 1000]
    python benchmarks/search.py honest FILE [--seed 0] [--n 5000]
    python benchmarks/search.py gp RUN --score NAME [--n 5000] [--seeds 3]

`honest` writes the start of the formula search: lines of the corpus `expressions` drawn from those that score 4.6465,
its median, or more; a run is to be trained on that file alone. `formulas` starts from all strings that the run was
trained on, `molecules` from a seeded draw of them. Both print the best of the *queried* strings only, for each seed and
in the mean: of the search, of as many distinct new strings that the run writes by itself, and of its language without
it. `gp` is the quality of a sparse Gaussian process on the run's codes. Each prints one JSON line to stdout.

Nothing is kept: the figures come from queries that are made here.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from freerun.corpora.corpus import open_corpus
from freerun.objectives.objective import Objective
from freerun.objectives.terms import find_terms
from freerun.paying import reader
from freerun.prepare import reopen
from freerun.run_folder import RunFolder
from freerun.search.best_of_n import first_distinct, uniform_strings
from freerun.search.history import Asked
from freerun.search.latent_bo import search
from freerun.search.optimization import protocol_of
from freerun.search.spaces import prior_strings, space_of
from freerun.search.surrogate import gp_quality
from freerun.trained import Trained

HONEST = 4.6465
AT = (50, 100, 250, 500)  # queries after which the best is told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["formulas", "molecules", "honest", "gp"], nargs="?")
    parser.add_argument("path", nargs="?", help="a run folder; of `honest`, the file to write")
    parser.add_argument("--score", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--protocol", default="trust-region")
    parser.add_argument("--max-length", type=int, default=0)
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--n-start", type=int, default=1000)
    options = parser.parse_args()
    if options.path is None:
        print("needs a trained run; python benchmarks/search.py --help", file=sys.stderr)
        return
    torch.set_num_threads(1)
    if options.what == "honest":
        print(json.dumps(honest(Path(options.path), options.n, options.seed)))
        return
    trained = Trained.load(RunFolder.found(options.path), device="cpu")
    if options.what == "gp":
        print(json.dumps(quality(trained, options.score, options.n, options.seeds)))
        return
    if options.what == "formulas":
        score, n_start = options.score or "expression", 0
    else:
        score, n_start = options.score or "plogp", options.n_start
    print(json.dumps(searches(trained, score, n_start, options)))


def honest(path: Path, n: int, seed: int) -> dict[str, object]:
    """Lines drawn from those of the corpus that are no better than its median."""
    lines = [
        text for split in open_corpus("expressions").splits for _, text in open_corpus("expressions").strings(split)
    ]
    values = find_terms(["expression"])[0].score(lines)
    worse = np.flatnonzero(values >= HONEST)
    chosen = np.random.default_rng(seed).choice(worse, n, replace=False)
    path.write_text("".join(lines[i] + "\n" for i in chosen), encoding="utf-8")
    return {"lines": len(lines), "at_least_the_median": len(worse), "written": n, "best": values[chosen].min()}


def strings_of(trained: Trained, n: int) -> list[str]:
    """Training strings: all, or n drawn with seed 0."""
    split = reopen(trained.folder, lambda _: None).train
    rows = np.random.default_rng(0).permutation(len(split))
    return list(dict.fromkeys(split.strings(rows[: n or None].tolist())))


def searches(trained: Trained, score: str, n_start: int, options: argparse.Namespace) -> dict[str, object]:
    space, protocol = space_of(trained, options.max_length), protocol_of(options.protocol, trained, options.max_length)
    with Objective(find_terms([score]), None, reader(trained.representation)) as objective:
        strings = strings_of(trained, n_start)
        places, z = space.readable(strings)
        strings = [strings[place] for place in places]
        start = Asked(tuple(strings), z, objective(strings))
        known = {objective.key(string) for string in strings}
        sign = objective.terms[0].sign
        print(f"start: {len(strings):,} strings, best {sign * start.totals.max():.4f}", file=sys.stderr)
        budget = options.max_length + 1 if options.max_length else trained.budget
        rows: dict[str, list[Asked]] = {"search": [], "prior": [], "random": []}
        seconds = []
        for seed in range(options.seed, options.seed + options.seeds):
            began = time.perf_counter()
            rows["search"].append(search(space, objective, start, protocol, options.budget, seed=seed).queried)
            seconds.append(time.perf_counter() - began)
            free = prior_strings(trained, seed, options.max_length)
            flat = uniform_strings(trained.constraint, trained.representation, budget, seed)
            for name, draw in (("prior", free), ("random", flat)):
                drawn = first_distinct(draw, options.budget, objective.key, known)
                rows[name].append(Asked(tuple(drawn), np.zeros((len(drawn), 0)), objective(drawn)))
            for name in rows:
                told(name, seed, rows[name][-1], sign)
    return {
        "score": score,
        "protocol": repr(protocol),
        "budget": options.budget,
        "max_length": options.max_length,
        "start": len(strings),
        "start_best": sign * float(start.totals.max()),
        "seconds_a_seed": round(float(np.mean(seconds)), 1),
        **{name: summary(asked, sign) for name, asked in rows.items()},
    }


def told(name: str, seed: int, asked: Asked, sign: float) -> None:
    best = int(asked.totals.argmax())
    print(f"seed {seed} {name:7} {sign * asked.totals[best]:9.4f}  {asked.strings[best]}", file=sys.stderr)


def summary(searches: list[Asked], sign: float) -> dict[str, object]:
    """Of the queried strings alone."""
    bests = [sign * float(asked.totals.max()) for asked in searches]
    return {
        "mean_best": float(np.mean(bests)),
        "best": sign * max(sign * best for best in bests),
        "bests": bests,
        "mean_best_after": {n: sign * float(np.mean([a.totals[:n].max() for a in searches])) for n in AT},
        "found_0": sum(abs(best) < 1e-12 for best in bests),
        "n_queries": [len(asked) for asked in searches],
        "mean": sign * float(np.mean(np.concatenate([asked.totals for asked in searches]))),
    }


def quality(trained: Trained, score: str, n: int, n_seeds: int) -> dict[str, object]:
    """As published, the target is not standardised; divided by `deviation`, it would be."""
    with Objective(find_terms([score]), None, reader(trained.representation)) as objective:
        strings = strings_of(trained, n)
        places, z = space_of(trained).readable(strings)
        totals = objective([strings[place] for place in places])
    measured = np.array([gp_quality(z, totals, seed) for seed in range(n_seeds)])
    return {
        "score": score,
        "n": len(totals),
        "deviation": float(totals.std()),
        "log_likelihood": measured[:, 0].mean(),
        "log_likelihood_standardised": measured[:, 0].mean() + float(np.log(totals.std())),
        "rmse": measured[:, 1].mean(),
        "rmse_standardised": measured[:, 1].mean() / float(totals.std()),
        "seeds": n_seeds,
    }


if __name__ == "__main__":
    main()
