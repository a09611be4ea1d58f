"""Asked for and obtained: a conditional run's errors, validity, uniqueness and novelty, as tables in Markdown.

    python -m benchmarks.conditional RUN... [-n 1000] [--seed 0] [--temperature 1] [--device auto]

Each number is asked for at 5, 50 and 95 percent of the training strings, the other conditions free, n samples each;
then all numbers jointly, each sample at the values of another held-out string. Beside them the error of samples that
were asked for nothing, and of looking up the nearest training strings, none of which is novel. Errors are in units of
the standard deviation of the training strings. The last lines count what keeps to the targets: errors below 0.3 sd,
validity at most 2 points below that of samples asked for nothing, 95 percent of the valid ones different.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from freerun.obedience import obedience
from freerun.run_folder import RunFolder
from freerun.trained import Trained

HEADS = (
    "asked for",
    "error",
    "error, sd",
    "bias, sd",
    "nothing asked, sd",
    "looked up, sd",
    "valid",
    "unique",
    "novel",
)
MOST_SD, MOST_INVALID, LEAST_UNIQUE = 0.3, 0.02, 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    for path in asked.runs:
        began = time.perf_counter()
        folder = RunFolder.found(path)
        trained = Trained.load(folder, device=asked.device)
        measured = obedience(trained, asked.n, asked.seed, temperature=asked.temperature)
        heading = f"{folder.path}, {asked.n:,} samples each, temperature {asked.temperature:g}, seed {asked.seed}"
        print(f"\n{heading}, {time.perf_counter() - began:.0f} s\n")
        print("\n".join([*table(measured), "", *targets(measured)]), flush=True)


def table(measured: dict[str, Any]) -> Iterator[str]:
    yield f"| {' | '.join(HEADS)} |"
    yield f"| --- |{' ---: |' * (len(HEADS) - 1)}"
    yield f"| nothing |{' |' * 5} {quality(measured['free'])} |"
    for number in measured["numbers"]:
        for asked in number["asked"]:
            what = f"{number['name']} = {asked['value']:.3g} ({asked['quantile']:.0%})"
            yield f"| {what} | {errors(asked, number['deviation'])} | {quality(asked)} |"
    joint = measured["joint"]
    for number in joint["numbers"] if joint else []:
        what = f"{number['name']}, jointly (correlation {number['correlation']:.2f})"
        yield f"| {what} | {errors(number, number['deviation'])} | {quality(joint)} |"
    for label in measured["labels"]:
        for asked in label["asked"]:
            what = f"{label['name']} = {asked['value']}, accuracy {asked['accuracy']:.3f}"
            yield f"| {what} |{' |' * 5} {quality(asked)} |"


def errors(record: dict[str, Any], deviation: float) -> str:
    in_sd = [record[key] / deviation for key in ("mae", "bias", "free_mae", "lookup_mae")]
    return " | ".join([f"{record['mae']:.3g}", *(f"{value:.3f}" for value in in_sd)])


def quality(record: dict[str, Any]) -> str:
    return " | ".join(f"{record[key]:.3f}" for key in ("valid", "unique", "novelty"))


def targets(measured: dict[str, Any]) -> Iterator[str]:
    joint = [measured["joint"]] if measured["joint"] else []
    single = [(number, asked) for number in measured["numbers"] for asked in number["asked"]]
    together = [(number, number) for record in joint for number in record["numbers"]]
    for name, pairs in (("one at a time", single), ("jointly", together)):
        near = sum(record["mae"] / number["deviation"] < MOST_SD for number, record in pairs)
        yield f"- errors below {MOST_SD} sd, {name}: {near} of {len(pairs)}"
    kinds = [record for _, record in single] + joint
    valid = sum(record["valid"] >= measured["free"]["valid"] - MOST_INVALID for record in kinds)
    unique = sum(record["unique"] >= LEAST_UNIQUE for record in kinds)
    points = f"{100 * MOST_INVALID:.0f} points"
    yield f"- validity at most {points} below that of samples asked for nothing: {valid} of {len(kinds)}"
    yield f"- at least {LEAST_UNIQUE:.0%} of the valid ones different: {unique} of {len(kinds)}"


if __name__ == "__main__":
    main()
