"""A million samples into a file: does memory grow? And how long do `import freerun` and `freerun --help` take?

    python benchmarks/stream.py [--n 1000000]

A small character model of moses-mini is trained for a few seconds; then 20,000 and n samples are drawn by programs of
their own, whose peak resident memory is compared. One JSON line a figure.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from freerun import api

SETTINGS = ["representation.name=text", "method.n_steps=150", "method.batch_size=64", "model.d_hidden=128"]


def freerun(*arguments: str) -> tuple[float, float]:
    """Seconds, and peak resident MiB, of one command."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "freerun.app", *arguments], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"freerun {' '.join(arguments)} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=1_000_000)
    n = parser.parse_args().n
    with tempfile.TemporaryDirectory() as folder:
        run = str(api.train(overrides=SETTINGS, out=Path(folder) / "run").path)
        few = freerun("sample", run, "-n", "20000", "-o", f"{folder}/few.txt", "--batch", "1024")
        many = freerun("sample", run, "-n", str(n), "-o", f"{folder}/many.txt", "--batch", "1024")
        with open(f"{folder}/many.txt") as file:
            n_lines = sum(1 for _ in file)
        assert n_lines == n, n_lines
    figure = {"figure": f"{n:,} samples to a file", "seconds": round(many[0], 1), "mib": round(many[1])}
    print(json.dumps({**figure, "mib_of_20000_samples": round(few[1])}), flush=True)
    for name, script in (("import freerun", "import freerun"), ("freerun --help", None)):
        command = [sys.executable, "-c", script] if script else [sys.executable, "-m", "freerun.app", "--help"]
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - began)
        print(json.dumps({"figure": name, "seconds": round(min(times), 2)}), flush=True)


if __name__ == "__main__":
    main()
