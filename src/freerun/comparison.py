"""Which configuration is better, and how sure is that? One run of each for every seed, all with the same means.

The runs of one seed share the strings that are held out, the random numbers from which the weights are drawn, and the
seed of the samples that are measured; so they are compared in pairs. The folder of a comparison holds each run in a
folder of its own, `LABEL-seedK`, and `comparison.json`; what is finished and measured there is not done again.
"""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freerun.contenders import LIMITS, Contender, looked_at
from freerun.corpora.own_files import keep_standard_input
from freerun.corpora.sources import SOURCES
from freerun.errors import FreerunError, Interrupted, UsageError
from freerun.evaluation import Progress as Work
from freerun.evaluation import fitting_suite, suite_named
from freerun.files import write_json
from freerun.measuring import MEAN, Measuring, paid_scores
from freerun.methods.base import unrolled
from freerun.objectives.permission import refuse_code
from freerun.prepare import prepare, reopen
from freerun.run import Training, Watch
from freerun.run_folder import RunFolder
from freerun.standings import FAILED, UNITS, Comparison, Ran, costs_of, likelihoods, missed, remarks_on, standings
from freerun.trained import read_config

VERSION = 1
KEPT_CORPUS = "corpus"  # stem of the copy of standard input
Notify = Callable[[str], None]
Show = Callable[[Comparison], object]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is compared, and with which means.

    Args:
        equal: What every run may use as much of as any other: a key of `contenders.LIMITS`.
        budget: How much that is; of time, in minutes; 0: as many steps, or tokens, as the first contender plans.
        n_seeds: Runs of each contender; their seeds count up from that of the first contender.
        n: Samples of each run that are measured.
        suite: Of measures; empty: what fits the strings.

    Raises:
        UsageError: If a number, the means or the suite cannot be.
    """

    contenders: tuple[Contender, ...]
    equal: str = "steps"
    budget: float = 0.0
    n_seeds: int = 5
    n: int = 2000
    suite: str = ""

    def __post_init__(self):
        if self.equal not in LIMITS:
            raise UsageError(f"--equal {self.equal!r} is not known; there are {', '.join(LIMITS)}")
        if self.budget < 0 or not math.isfinite(self.budget):
            raise UsageError(f"--budget {self.budget:g} must be positive")
        if not self.budget and self.equal in ("calls", "time"):
            raise UsageError(f"--equal {self.equal} needs --budget N, in {UNITS[self.equal]}")
        if self.n_seeds < 1:
            raise UsageError(f"--seeds {self.n_seeds} must be at least 1; an interval needs 2, and says little below 5")
        if self.n < 1:
            raise UsageError(f"-n {self.n} must be at least 1")
        if self.suite:
            suite_named(self.suite)


def compare(
    plan: Plan,
    out: Path,
    *,
    device: str = "auto",
    notify: Notify = lambda _: None,
    watch: Watch = lambda _: None,
    work: Work | None = None,
    show: Show = lambda _: None,
) -> Comparison:
    """Trains and measures what is not there yet, and writes `comparison.json` after each run.

    Args:
        out: A new folder, or that of the same comparison, which goes on; seeds may have been added.
        device: On which samples are drawn.
        notify: Told what a person should know, a line each.
        watch: Told of every step.
        work: Told how far the reading and the measuring is.
        show: Given what is known after each run.

    Raises:
        UsageError: If a contender cannot be trained on these strings, or `out` holds something else.
        Interrupted: By the user; everything is saved.
    """
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with RunFolder(out).locked():
        return _Comparing(plan, out, device, notify, watch, work).go(show)


def kept_corpus(out: Path, column: str | None) -> str:
    """Standard input as a file in the folder of the comparison; one that goes on has it already."""
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    kept = sorted(out.resolve().glob(f"{KEPT_CORPUS}.*"))
    return str(kept[0] if kept else keep_standard_input(out.resolve(), column))


class _Comparing:
    """A comparison at work."""

    def __init__(self, plan: Plan, out: Path, device: str, notify: Notify, watch: Watch, work: Work | None):
        self.plan, self.out, self.device = plan, out, device
        self.notify, self.watch, self.work = notify, watch, work
        self.looks = {each.label: looked_at(each, out, notify, work) for each in plan.contenders}
        self._check_alike()
        self.budget = plan.budget or self.looks[plan.contenders[0].label].planned(plan.equal)
        self.contenders = [
            each.limited(plan.equal, self.budget, self.looks[each.label].n_steps_of(plan.equal, self.budget))
            for each in plan.contenders
        ]
        first = plan.contenders[0]
        self.corpus, self.seed = first.resolved().corpus.name, first.resolved().run.seed
        self.suite = plan.suite or ("moses" if self.looks[first.label].is_chemical else fitting_suite(self.corpus))
        self.paid, self.code = paid_scores(each.resolved().objective for each in self.contenders)
        self.measured = Measuring(plan.n, self.suite, self.corpus, tuple(self.paid), device, work)
        self.identity = {
            "equal": plan.equal,
            "budget": self.budget,
            "contenders": {contender.label: contender.tables for contender in self.contenders},
        }
        self._check_same()

    def go(self, show: Show) -> Comparison:
        runs: dict[str, list[Ran]] = {contender.label: [] for contender in self.contenders}
        compared = self._compared(runs)
        self._write(compared)
        seeds = range(self.seed, self.seed + self.plan.n_seeds)
        jobs = [(seed, contender) for seed in seeds for contender in self.contenders]
        for number, (seed, contender) in enumerate(jobs, 1):
            self.notify(f"run {number} of {len(jobs)}: {contender.label}, seed {seed}")
            runs[contender.label].append(self._ran(contender, seed))
            compared = self._compared(runs)
            self._write(compared)
            show(compared)
        return compared

    def _check_alike(self) -> None:
        """
        Raises:
            UsageError: If one reads the strings as molecules and another does not: no suite measures both.
        """
        (first, theirs), *others = self.looks.items()
        for label, look in others:
            if look.is_chemical != theirs.is_chemical:
                kinds = ("molecules", "text") if look.is_chemical else ("text", "molecules")
                raise UsageError(
                    f"{label} reads the strings as {kinds[0]} and {first} as {kinds[1]}: they cannot be measured "
                    "alike; set representation.name in one of them"
                )

    def _check_same(self) -> None:
        """
        Raises:
            UsageError: If another comparison was begun in this folder.
        """
        path = self.out / "comparison.json"
        if not path.exists():
            return
        try:
            theirs = _flat(json.loads(path.read_text(encoding="utf-8"))["plan"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FreerunError(f"{path} cannot be read ({error}); delete it, the runs beside it are kept") from error
        ours = _flat(json.loads(json.dumps(self.identity)))
        odd = [key for key in theirs | ours if ours.get(key) != theirs.get(key)]
        if odd:
            there, here = (flat.get(odd[0], "not set") for flat in (theirs, ours))
            raise UsageError(
                f"{self.out} holds another comparison: {odd[0]} is {there} there and {here} here; choose another --out"
            )

    def _ran(self, contender: Contender, seed: int) -> Ran:
        """A run at its end: trained and measured now as far as it was not before."""
        folder = RunFolder(self.out / f"{contender.label}-seed{seed}")
        try:
            self._train(contender.with_settings("run", {"seed": seed}), folder)
        except FloatingPointError as error:
            self.notify(f"{folder.path.name} failed: {error}; the others go on")
            return Ran(folder.path.name, seed, {}, costs_of(folder), f"{FAILED}: {error}")
        values = likelihoods(folder) | self.measured(folder, seed)
        facts = folder.read_facts()
        phases = [phase.name for phase in unrolled(read_config(folder).method.phases(facts["n_batches"]))]
        return Ran(folder.path.name, seed, values, costs_of(folder), facts["ended"], missed(folder, phases))

    def _train(self, contender: Contender, folder: RunFolder) -> None:
        """To the end, from wherever it stands."""
        begun = folder.facts.exists()
        if begun and folder.read_facts()["status"] == "finished":
            return
        if begun:
            ours, theirs = contender.resolved().objective, read_config(folder).objective
            refuse_code(theirs, theirs.scores == ours.scores, folder.read_facts().get("code", {}))
        else:
            RunFolder.created(folder.path)
        with folder.locked():
            opened = (
                reopen(folder, _silent, self.work, is_paid=True)
                if begun
                else prepare(contender.resolved(), folder, _silent, self.work)
            )
            try:
                with opened as prepared:
                    Training(folder, prepared).go(self.watch, self.notify)
            except Interrupted as error:
                where = str(error).partition(";")[0]
                raise Interrupted(
                    f"{folder.path.name} {where}; go on with the same command and --out {self.out}"
                ) from error

    def _compared(self, runs: dict[str, list[Ran]]) -> Comparison:
        plan, vocabs = self.plan, {label: look.vocab for label, look in self.looks.items()}
        remarks = [*remarks_on(plan.equal, self.budget, plan.n_seeds, runs)]
        (first, tokens), *others = vocabs.items()
        for label in (label for label, vocab in others if vocab != tokens):
            remarks.append(f"{label} writes in other tokens than {first}: their likelihoods a token do not compare.")
        if self.corpus not in SOURCES:
            remarks.append("Which strings of the file are held out follows the seed, for all contenders alike.")
        if self.code:
            remarks.append(f"{', '.join(self.code)}: code, asked in training alone and not about these samples.")
        return Comparison(
            path=self.out,
            equal=plan.equal,
            budget=self.budget,
            n_seeds=plan.n_seeds,
            n=plan.n,
            suite=self.suite,
            against=self.corpus,
            standings=standings(runs, vocabs),
            paid={MEAN + name: meaning for name, meaning in self.paid.items()},
            remarks=tuple(remarks),
        )

    def _write(self, compared: Comparison) -> None:
        told = {key: value for key, value in dataclasses.asdict(compared).items() if key != "path"}
        write_json(self.out / "comparison.json", {"version": VERSION, "plan": self.identity, **told})


def _check_folder(out: Path) -> None:
    """
    Raises:
        UsageError: If something else stands there.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out needs a folder")
    if not out.exists() or (out / "comparison.json").exists():
        return
    if any(path.name[0] != "." and path.stem != KEPT_CORPUS for path in out.iterdir()):
        raise UsageError(f"{out} is not empty and holds no comparison; choose another --out")


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables under dotted keys."""
    if not isinstance(value, dict):
        return {prefix: value}
    parts = [_flat(part, f"{prefix}.{name}" if prefix else name) for name, part in value.items()]
    return {key: item for part in parts for key, item in part.items()}


def _silent(_: object) -> None:
    return None
