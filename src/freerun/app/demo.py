"""`freerun demo`: the main job from end to end on the embedded corpus, in a few minutes."""

import shlex
import shutil
from pathlib import Path

from freerun.app.screen import Screen
from freerun.app.tables import measures_table
from freerun.errors import UsageError

CONFIG = "demo"
N = 2_000
SHOWN = ("valid", "unique@1000", "FCD/Test", "SNN/Test", "Frag/Test", "Scaf/Test", "IntDiv", "Filters", "Novelty")
ABOUT = """freerun demo: what it does, about 4 minutes on two cores
  1. trains a recurrent generator on the 20,000 molecules of moses-mini   2.5 min
  2. lets it run free and measures {n:,} molecules that it writes             1 min
  3. draws a report: {report}
Ctrl-C stops, the same command goes on. Training is done once, `--fresh` does it again."""


def run_demo(out: Path, fresh: bool) -> None:
    """Trains (or goes on, or finds it done), evaluates, reports; the table goes to stdout."""
    with Screen() as screen:
        screen.say(ABOUT.format(n=N, report=out / "report.html"))
        if fresh and out.exists():
            _remove(out)
        run = _trained(out, screen)
        measures = _examined(run.folder, screen)
        page = run.report()
        screen.close()
    samples = run.sample(40, valid_only=True)
    shown = sorted({sample.string for sample in samples}, key=len)[:: max(1, len(samples) // 5)][:5]
    print(measures_table(measures, [name for name in SHOWN if name in measures["ours"]]))
    print("(against the 2,000 test molecules of moses-mini; the published row is against the 176,074 of MOSES)\n")
    print("five molecules it wrote:")
    for smiles in shown:
        print(f"  {smiles}")
    print(f"\nreport, open it in a browser: {page}")
    folder = shlex.quote(str(out))
    print("\ntry next:")
    print(f"  freerun sample {folder} -n 1000 --unique -o molecules.csv")
    print("  freerun train --corpus YOUR_FILE.smi")
    print("  freerun fetch moses && freerun train moses_lstm")


def _trained(out: Path, screen: Screen):
    from freerun import api

    if not (out / "run.json").exists():
        if out.exists() and any(out.iterdir()):
            _remove(out)
        return api.train(CONFIG, out=out, notify=screen.say, watch=screen.training)
    run = api.Run(out)
    if run.folder.read_facts()["status"] != "finished":
        run = api.resume(out, notify=screen.say, watch=screen.training)
    return run


def _examined(folder, screen: Screen):
    from freerun.evaluation import Examination

    return Examination(folder, N, notify=screen.say, progress=screen.work).run()


def _remove(out: Path) -> None:
    """Only what a run made: a folder of something else is not ours to delete."""
    if any(out.iterdir()) and not (out / "config.toml").exists() and not (out / "run.json").exists():
        raise UsageError(f"{out} is not empty and holds no run; choose another --out")
    shutil.rmtree(out)
