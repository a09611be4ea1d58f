"""A whole optimisation with a trained run: a start, searches of several seeds, and what they found."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freerun.errors import UsageError
from freerun.files import sha256
from freerun.objectives.objective import Objective
from freerun.objectives.terms import Term, find_terms, of_one_string
from freerun.paying import reader
from freerun.run_folder import RunFolder
from freerun.search.best_of_n import first_distinct, uniform_strings
from freerun.search.history import Asked, History, Log
from freerun.search.latent_bo import AbstractProtocol, Space, search
from freerun.search.plan import Outcome, Plan, ranking
from freerun.search.spaces import Notify, Work, prior_strings, space_of, start_of, told
from freerun.trained import Trained
from freerun.tuning import tuned


def optimize(
    folder: RunFolder,
    plan: Plan,
    *,
    device: str = "auto",
    notify: Notify = lambda _: None,
    work: Work = lambda *_: None,
) -> Outcome:
    """Runs the plan in `RUN/optimize/`; what was asked there before is not asked again, and a killed search goes on.

    Raises:
        UsageError: If a score is not known, or the run has no latent codes, or too few strings to start from.
    """
    terms = of_one_string(find_terms(plan.scores))
    trained = Trained.load(folder, device=device)
    place = folder.path / "optimize" / _name(terms)
    place.mkdir(parents=True, exist_ok=True)
    with RunFolder(place).locked(), Objective(terms, place / "scores.csv", reader(trained.representation)) as objective:
        start, seeds = None, range(plan.seed, plan.seed + plan.n_seeds)
        if plan.by == "latent":
            space = space_of(trained, plan.max_length)
            start = start_of(trained, space, plan, objective, notify, work)
            searches = [_latent(trained, space, start, plan, seed, objective, place, work) for seed in seeds]
        else:
            searches = [_drawn(trained, plan, seed, objective, work) for seed in seeds]
        for seed, asked in zip(seeds, searches, strict=True):
            if len(asked) < plan.budget:
                notify(
                    f"seed {seed}: {len(asked):,} queries instead of {plan.budget:,}: no more new strings were found"
                )
        return Outcome(
            terms=terms,
            start=start,
            searches=tuple(searches),
            best=ranking(searches, seeds, objective),
            n_paid=objective.n_paid,
            failures=dict(objective.failures),
            examples=objective.examples,
            folder=place,
        )


def _latent(
    trained: Trained,
    space: Space,
    start: Asked,
    plan: Plan,
    seed: int,
    objective: Objective,
    place: Path,
    work: Work,
) -> Asked:
    protocol = protocol_of(plan.protocol, trained, plan.max_length)
    if plan.protocol == "neighbours" and space.neighbours is None:
        raise UsageError("--protocol neighbours needs a run on the representation grammar; leave it out")
    settings = {
        "seed": seed,
        "protocol": repr(protocol),
        "max_length": plan.max_length,
        "weights": sha256(trained.folder.best),
        "start": _hash(start.strings),
    }
    log = Log(place / f"{plan.protocol}-{seed}-{_hash(settings)}.jsonl", settings)

    def watch(history: History) -> None:
        best = told(objective, history.queried.strings, history.queried.totals) if history.n_queries else "nothing new"
        work(f"seed {seed}, {best}; queries", history.n_queries, plan.budget)

    return search(space, objective, start, protocol, plan.budget, seed=seed, log=log, watch=watch).queried


def protocol_of(name: str, trained: Trained, max_length: int = 0) -> AbstractProtocol:
    """Imported here, because BoTorch takes seconds and is an extra."""
    from freerun.search.published import Published
    from freerun.search.retraining import Retraining
    from freerun.search.trust_region import TrustRegion

    protocols: dict[str, AbstractProtocol] = {
        "trust-region": TrustRegion(),
        "neighbours": TrustRegion(n_neighbours=500),
        "retraining": Retraining(lambda *taught: space_of(tuned(trained, *taught), max_length)),
        "published": Published(),
    }
    return protocols[name]


def _drawn(trained: Trained, plan: Plan, seed: int, objective: Objective, work: Work) -> Asked:
    rows = prior_strings(trained, seed, plan.max_length) if plan.by == "best-of-n" else None
    budget = plan.max_length + 1 if plan.max_length else trained.budget
    drawn = rows or uniform_strings(trained.constraint, trained.representation, budget, seed)
    strings = first_distinct(drawn, plan.budget, objective.key)
    parts = [np.zeros(0)]
    for first in range(0, len(strings), 100):
        parts.append(objective(strings[first : first + 100]))
        work(f"seed {seed}, queries", min(first + 100, len(strings)), plan.budget)
    return Asked(tuple(strings), np.zeros((len(strings), 0)), np.concatenate(parts))


def _name(terms: Sequence[Term]) -> str:
    """A folder's name: readable, and different for different objectives."""
    specs = [f"{term.spec}:{term.weight:g}" for term in terms]
    readable = re.sub(r"[^A-Za-z0-9_+-]+", "_", "+".join(term.spec for term in terms))[:40]
    return f"{readable}-{_hash(specs)}"


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]
