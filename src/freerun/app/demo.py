"""`freerun demo`: the main job from end to end on the embedded corpus, in a few minutes."""

import csv
import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freerun.errors import UsageError

if TYPE_CHECKING:
    from freerun.api import Run
    from freerun.app.screen import Screen

CONFIG = "demo"
N = 2_000
N_MOLECULES = 5
SHOWN = ("valid", "unique@1000", "FCD/Test", "SNN/Test", "Frag/Test", "Scaf/Test", "IntDiv", "Filters", "Novelty")
EXAMINED = ("measures.json", "exposure.json", "temperatures.json", "samples.csv")
ABOUT = """\
freerun demo: about 4 minutes on two fast cores, some 15 on old ones
  1. trains a recurrent generator on the 20,000 molecules of moses-mini      about 3 minutes
  2. lets it run free, bound to the rules of chemistry and, beside it,
     without them; measures {n:,} molecules of each                          about 1 minute
  3. draws a report: {report}
Ctrl-C stops, the same command goes on. What is done is not done again, but with --fresh."""


def run_demo(out: Path, fresh: bool) -> None:
    """Trains (or goes on, or finds it done), evaluates, reports; the table goes to stdout."""
    print(ABOUT.format(n=N, report=out / "report.html"), file=sys.stderr, flush=True)
    if fresh and out.exists():
        _remove(out)
    from freerun.app.screen import Screen

    with Screen() as screen:
        run = _trained(out, screen)
        measures = _examined(run, screen)
        page = run.report()
    _tell(run, measures, page)


def _trained(out: Path, screen: "Screen") -> "Run":
    from freerun import api

    if not (out / "run.json").exists():
        if out.exists() and any(out.iterdir()):
            _remove(out)
        return api.train(CONFIG, out=out, notify=screen.say, watch=screen.training, work=screen.work)
    run = api.Run(out)
    if run.folder.read_facts()["status"] == "finished":
        screen.say(f"{out} is trained already")
        return run
    return api.resume(out, notify=screen.say, watch=screen.training, work=screen.work)


def _examined(run: "Run", screen: "Screen") -> dict[str, Any]:
    """The measures of the run, from its folder if it was examined before."""
    if all((run.path / name).exists() for name in EXAMINED):
        return json.loads((run.path / "measures.json").read_text(encoding="utf-8"))
    run.evaluate(N, notify=screen.say, progress=screen.work)
    return json.loads((run.path / "measures.json").read_text(encoding="utf-8"))


def _tell(run: "Run", measures: dict[str, Any], page: Path) -> None:
    from freerun.app.tables import measures_table

    names = [name for name in SHOWN if name in measures["ours"]]
    print(measures_table(measures, names))
    print("(unconstrained: the same weights, which never had to learn what the constraint forbids;")
    print(" ours and the training set against the 2,000 test molecules of moses-mini, the published row against MOSES)")
    print(f"\n{N_MOLECULES} molecules that it wrote:")
    with open(run.path / "samples.csv", encoding="utf-8", newline="") as file:
        valid = [row["string"] for row in csv.DictReader(file) if row["valid"] == "true"]
    for smiles in dict.fromkeys(valid[: 2 * N_MOLECULES : 2]):
        print(f"  {smiles}")
    print(f"\nthe report, for a browser: {page}\n\ntry next:")
    print(f"  freerun sample {shlex.quote(str(run.path))} -n 1000 --unique -o molecules.csv")
    print("  freerun train --corpus YOUR_FILE.smi")
    print("  freerun fetch moses && freerun train moses_lstm")


def _remove(out: Path) -> None:
    """Only what a run made: a folder of something else is not ours to delete."""
    names = {path.name for path in out.iterdir()}
    if names - {".lock"} and not names & {"config.toml", "run.json"}:
        raise UsageError(f"{out} is not empty and holds no run; choose another --out")
    shutil.rmtree(out)
