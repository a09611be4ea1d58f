"""The MOSES measures of 10,000 molecules: seconds by part and memory, beside the machine's own limit.

    python benchmarks/metrics.py [--n 10000]

The molecules are every 158th of the MOSES training set; the statistics of both test sets are cached before the clock
starts. The limit of the ChemNet part is its multiplications at the rate of the same matrix product in this process;
that of the molecule part is RDKit's work shared out evenly. `cpu_seconds` counts all processes: with other work on
the machine, they over the number of cores are nearer to what an idle one needs. Writes one JSON line to stdout.
"""

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise

import torch

from freerun.corpora.corpus import open_corpus
from freerun.corpora.workers import n_cpus
from freerun.metrics.molecules import describe
from freerun.metrics.moses import moses_measures
from freerun.metrics.moses_reference import moses_reference
from freerun.metrics.parallel import MAX_WORKERS

TARGET_SECONDS, TARGET_MIB, ORIGINAL_SECONDS = 65, 2048, 321
TRAIN = "train+valid"  # the published training set

# Multiply-adds of ChemNet for one string of 350 symbols: two convolutions to 175 and 88 steps, then two LSTMs.
CHEMNET_FLOP = 2 * (175 * 35 * 4 * 32 + 88 * 32 * 4 * 32 + 88 * (32 + 128) * 512 + 88 * (128 + 512) * 2048)


class Clock:
    """Seconds by part: the time between the last news of one part and the last news of the next."""

    def __init__(self) -> None:
        self.ends: dict[str, float] = {}
        self.started = time.perf_counter()

    def __call__(self, part: str, done: int, total: int) -> None:
        self.ends[part] = time.perf_counter()

    def parts(self) -> dict[str, float]:
        times = [self.started, *self.ends.values(), time.perf_counter()]
        spans = [after - before for before, after in pairwise(times)]
        return dict(zip([*self.ends, "Novelty and the rest"], spans, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    n = parser.parse_args().n
    corpus = open_corpus("moses")
    samples = [text for _, text in islice(corpus.strings(TRAIN), 0, n * 158, 158)]
    references = moses_reference("test"), moses_reference("test_scaffolds")
    load, before, clock = os.getloadavg()[0], cpu_seconds(), Clock()
    train = (text for _, text in corpus.strings(TRAIN))
    measures = moses_measures(samples, *references, train, ks=(1_000, n), progress=clock)
    seconds, used = time.perf_counter() - clock.started, cpu_seconds() - before
    peak = peak_mib()
    result = {
        "n": len(samples),
        "seconds": round(seconds, 1),
        "target_seconds": TARGET_SECONDS,
        "original_seconds": ORIGINAL_SECONDS,
        "cpu_seconds": round(used, 1),
        "cores": n_cpus(),
        "load_before": round(load, 2),
        "peak_mib": round(peak),
        "target_mib": TARGET_MIB,
        "parts": {part: round(span, 2) for part, span in clock.parts().items()},
        "limits": {part: round(span, 2) for part, span in limits(samples).items()},
        "measures": measures,
    }
    for key in ("parts", "limits"):
        for part, span in result[key].items():
            print(f"{key[:-1]:6} {part:22} {span:7.2f} s", file=sys.stderr)
    print(f"all {seconds:.1f} s (target {TARGET_SECONDS} s), {peak:.0f} MiB (target {TARGET_MIB})", file=sys.stderr)
    print(json.dumps(result))


def limits(samples: list[str]) -> dict[str, float]:
    """Seconds that the two large parts need at least on this machine."""
    rate = sum(ThreadPoolExecutor(n_cpus()).map(lambda _: gemm_rate(), range(n_cpus())))
    describe(samples[:10])
    started = time.process_time()
    describe(samples[:500])
    alone = (time.process_time() - started) * len(samples) / 500
    return {"molecules": alone / min(n_cpus(), MAX_WORKERS), "ChemNet": CHEMNET_FLOP * len(samples) / rate}


def gemm_rate(rounds: int = 8, times: int = 25) -> float:
    """Floating-point operations a second of the LSTM's product on one core, all cores at work: the best round."""
    torch.set_num_threads(1)
    rows, weights, out = torch.randn(1024, 512), torch.randn(512, 2048), torch.empty(1024, 2048)
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(times):
            torch.mm(rows, weights, out=out)
        best = min(best, time.perf_counter() - started)
    return times * 2 * len(rows) * 512 * 2048 / best


def cpu_seconds() -> float:
    """Of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_mib() -> float:
    """Largest resident set of this process plus, for every worker, that of the largest: a bound from above."""
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own + child * min(n_cpus(), MAX_WORKERS)


if __name__ == "__main__":
    main()
