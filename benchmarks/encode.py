"""Encoding MOSES train: seconds and memory for SMILES as written, in Kekule form, as SELFIES, and from the cache.

    python -m benchmarks.encode [--corpus NAME] [--split SPLIT] [--max-lines N] [FORM ...]

FORM is as_written, kekule, selfies or cached; left out, all of them. Each is encoded into an empty folder by a process
of its own (cached: opened again from where as_written left it). Beside each stands the machine's own limit from the
same run: reading the same strings and doing nothing with them. Memory is that of the process and all its children,
sampled twice a second: resident sets added up (pages that they share counted several times), and proportional sets
(each page counted once).
On a machine with other work to do the seconds are too many; `cpu_seconds` over the number of cores is then nearer to
what an idle one needs.
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TARGETS = {"as_written": 60, "kekule": 300, "selfies": 480, "cached": 2}
TARGET_MIB = 1536


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forms", nargs="*", default=list(TARGETS), metavar="FORM")
    parser.add_argument("--corpus", default="moses")
    parser.add_argument("--split", default="train+valid", help="train+valid is the published train set of moses")
    parser.add_argument("--max-lines", type=int)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(asked.one, asked.corpus, asked.split, asked.max_lines)))
        return
    if unknown := set(asked.forms) - set(TARGETS):
        parser.error(f"there is no form {unknown.pop()!r}; there are {', '.join(TARGETS)}")
    results: dict = {"load_before": os.getloadavg()[0], "cores": len(os.sched_getaffinity(0)), "forms": {}}
    with tempfile.TemporaryDirectory() as folder:
        for form in ["reading", *asked.forms]:
            command = [sys.executable, "-m", "benchmarks.encode", "--one", form, "--corpus", asked.corpus]
            command += ["--split", asked.split]
            command += ["--max-lines", str(asked.max_lines)] if asked.max_lines else []
            kept = Path(folder) / ("as_written" if form == "cached" else form)
            result = watched(command, kept)
            result["target_seconds"], result["target_mib"] = TARGETS.get(form), TARGET_MIB
            results["forms"][form] = result
            print(f"{form}: {result}", file=sys.stderr)
    results["load_after"] = os.getloadavg()[0]
    print(json.dumps(results, indent=1))


def measured(form: str, corpus_name: str, split: str, max_lines: int | None) -> dict:
    """One form in this process; $FREERUN_BENCH_CACHE is the folder of the entries."""
    started = time.perf_counter()
    from freerun.corpora.corpus import open_corpus

    corpus = open_corpus(corpus_name, max_lines=max_lines)
    if form == "reading":
        n = sum(1 for _ in corpus.strings(split))
        return {"n_lines": n, "seconds": round(time.perf_counter() - started, 2)}
    from freerun.corpora.encode import encode_split
    from freerun.representations import REPRESENTATIONS

    representation = REPRESENTATIONS["selfies" if form == "selfies" else "smiles"]()
    if form == "kekule":
        representation = dataclasses.replace(representation, kekule=True)
    imported = time.perf_counter()
    encoded = encode_split(corpus, split, representation, cache=Path(os.environ["FREERUN_BENCH_CACHE"]))
    ended = time.perf_counter()
    return {
        "n_lines": len(encoded) + encoded.refusals.count,
        "n_refused": encoded.refusals.count,
        "n_tokens": encoded.n_tokens,
        "alphabet": len(encoded.alphabet),
        "megabytes": round(encoded.path.stat().st_size / 1e6, 1),
        "seconds": round(ended - imported, 2),
        "seconds_with_imports": round(ended - started, 2),
        "cpu_seconds": round(cpu_seconds(), 1),
    }


def cpu_seconds() -> float:
    """What this process and its ended children have used of all cores, imports included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def watched(command: list[str], folder: Path) -> dict:
    """What the command prints, and the most memory that it and its children held at one time."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "FREERUN_BENCH_CACHE": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    peak = {"rss": 0.0, "pss": 0.0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for name, now in memory(process.pid).items():
                peak[name] = max(peak[name], now)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate()[0]
    over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return {
        **json.loads(output),
        "peak_mib": round(peak["rss"]),
        "peak_proportional_mib": round(peak["pss"]),
    }


def memory(root: int) -> dict[str, float]:
    """Resident and proportional set of a process and its descendants, MiB (Linux)."""
    total = {"rss": 0.0, "pss": 0.0}
    for pid in descendants(root):
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, size, _ = line.split()
                if name.rstrip(":").lower() in total:
                    total[name.rstrip(":").lower()] += int(size) / 1024
        except (OSError, ValueError):
            continue  # it has just ended
    return total


def descendants(root: int) -> list[int]:
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:
                continue
    return found


if __name__ == "__main__":
    main()
