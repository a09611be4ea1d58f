"""`python -m benchmarks [NAME...]`: run the scripts of this folder, each in a process of its own.

A benchmark is a script that prints its figures, each beside the machine's own limit from the same run.
"""

import datetime
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def main(names: list[str]) -> int:
    scripts = {path.stem: path for path in sorted(HERE.glob("*.py")) if not path.stem.startswith("_")}
    if unknown := [name for name in names if name not in scripts]:
        print(f"no benchmark called {', '.join(unknown)}; there are {', '.join(scripts)}", file=sys.stderr)
        return 2
    packages = ", ".join(f"{name} {version(name)}" for name in ("freerun", "torch", "rdkit", "numpy"))
    print(f"{datetime.date.today()}  {cpu()}, {os.cpu_count()} cores")
    print(f"Python {platform.python_version()}, {packages}")
    failed = []
    for name in names or scripts:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        if subprocess.run([sys.executable, str(scripts[name])], check=False).returncode:
            failed.append(name)
        print(f"== {name}: {time.perf_counter() - started:.0f} s", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
