"""Validity against diversity over the temperature: one language, five ways to write it.

    python -m benchmarks.tradeoff FOLDER [--minutes 5] [--corpus moses-mini] [--n 2000] [--form FORM]...

The same network is trained by teacher forcing for the same time on each form: characters, atoms, SELFIES, the rules of
a grammar of SMILES, and Kekule form, without and under the constraint that knows valences. The time is that of the
processor, so that other work on the machine favours none: a few steps are measured, and as many are taken as fit.
Finished runs in FOLDER are not trained again. Each is then sampled from temperature .5 to 1.5; every form's strings are
judged by RDKit. Writes FOLDER/tradeoff.svg and prints a table. With --form only those are trained: several processes
may share the work, the last call draws.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from freerun import api
from freerun.files import write_json
from freerun.report.folder import read_run
from freerun.report.tradeoff import tradeoff_svg
from freerun.tradeoff import tradeoff
from freerun.trained import Trained

FORMS = {
    "characters": ["representation.name=text"],
    "atoms": ["representation.name=smiles"],
    "SELFIES": ["representation.name=selfies"],
    "grammar rules": ["representation.name=grammar", "representation.grammar=smiles"],
    "Kekule unbound": ["representation.name=smiles", "representation.kekule=true", "constraint.name=none"],
    "Kekule": ["representation.name=smiles", "representation.kekule=true"],
}
NETWORK = ["model.d_embedding=64", "model.d_hidden=384", "method.batch_size=128"]
N_TIMED = (10, 60)  # steps after and before which the clock is read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--corpus", default="moses-mini")
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--form", action="append", choices=FORMS)
    asked = parser.parse_args()
    for form in asked.form or FORMS:
        measured(asked.folder / form.replace(" ", "_"), form, asked.corpus, asked.minutes, asked.n)
    folders = [asked.folder / form.replace(" ", "_") for form in FORMS]
    done = [folder for folder in folders if (folder / "tradeoff.json").exists()]
    (asked.folder / "tradeoff.svg").write_text(tradeoff_svg([read_run(folder) for folder in done]), encoding="utf-8")
    for folder in done:
        print(f"\n{folder.name}")
        for point in json.loads((folder / "tradeoff.json").read_text(encoding="utf-8")):
            print("  ".join(f"{name} {value:.4g}" for name, value in point.items()))


def measured(folder: Path, form: str, corpus: str, minutes: float, n: int) -> None:
    if not (folder / "model.safetensors").exists():
        settings = [*FORMS[form], *NETWORK, "run.n_validate=400"]
        n_steps = int(60 * minutes / seconds_a_step(settings, corpus))
        print(f"{form}: {n_steps:,} steps", flush=True)
        api.train("quickstart", corpus=corpus, overrides=[*settings, f"method.n_steps={n_steps}"], out=folder)
    if not (folder / "tradeoff.json").exists():
        points = tradeoff(Trained.load(api.Run(folder).folder), n=n, molecules=True)
        write_json(folder / "tradeoff.json", points)


def seconds_a_step(settings: list[str], corpus: str) -> float:
    """Of the processor, all threads together, without the first steps."""
    seen = []
    with tempfile.TemporaryDirectory() as folder:
        overrides = [*settings, f"method.n_steps={N_TIMED[1]}", "run.validate_every=1000"]
        api.train(
            "quickstart",
            corpus=corpus,
            overrides=overrides,
            out=Path(folder) / "run",
            watch=lambda progress: seen.append(time.process_time()),
        )
    return (seen[N_TIMED[1] - 2] - seen[N_TIMED[0]]) / (N_TIMED[1] - 2 - N_TIMED[0])


if __name__ == "__main__":
    main()
