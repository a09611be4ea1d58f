"""BLEU and self-BLEU, n = 2 to 5, of 10,000 captions against 10,000: seconds, and equality with NLTK on 200 lines.

    python benchmarks/bleu.py

The peer is NLTK's own `sentence_bleu` over all references, timed on a few hypotheses and multiplied. The limit is
counting the n-grams of both files once. Writes one JSON line to stdout.
"""

import json
import os
import sys
import time
from collections import Counter

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from freerun.corpora.fetch import fetch
from freerun.metrics.text import ORDERS, bleu, self_bleu, words

TARGET_SECONDS = 60
N_TIMED = 3
N_CHECKED = 200


def main() -> None:
    captions, test = (path.read_text(encoding="utf-8").splitlines() for path in fetch(["coco"])["coco"])
    result: dict = {"lines": len(captions), "references": len(test), "load_before": os.getloadavg()[0]}
    started = time.perf_counter()
    result["measures"] = bleu(captions, test)
    result["bleu_seconds"] = round(time.perf_counter() - started, 2)
    started = time.perf_counter()
    result["measures"] |= self_bleu(captions)
    result["self_bleu_seconds"] = round(time.perf_counter() - started, 2)
    result["target_seconds"] = TARGET_SECONDS
    result["limit_seconds"] = round(counting(captions + test), 2)
    rows = [words(line) for line in test]
    started = time.perf_counter()
    for line in captions[:N_TIMED]:
        nltk_bleu(words(line), rows)
    result["nltk_seconds"] = round((time.perf_counter() - started) / N_TIMED * len(captions))
    result["largest_difference_from_nltk"] = difference(captions[:N_CHECKED], test[:N_CHECKED])
    for key in ("bleu_seconds", "self_bleu_seconds", "limit_seconds", "nltk_seconds", "largest_difference_from_nltk"):
        print(f"{key:30} {result[key]}", file=sys.stderr)
    print(json.dumps(result))


def counting(lines: list[str]) -> float:
    started = time.perf_counter()
    for row in map(words, lines):
        for order in range(1, max(ORDERS) + 1):
            Counter(zip(*(row[at:] for at in range(order)), strict=False))
    return time.perf_counter() - started


def nltk_bleu(hypothesis: list[str], references: list[list[str]]) -> list[float]:
    weights = [(1 / n,) * n for n in ORDERS]
    scores: list[float] = sentence_bleu(references, hypothesis, weights, SmoothingFunction().method1)  # type: ignore
    return scores


def difference(lines: list[str], references: list[str]) -> float:
    """Largest over n, both directions, of the means over the lines."""
    ours, theirs = [words(line) for line in lines], [words(line) for line in references]
    rows = [nltk_bleu(row, theirs) + nltk_bleu(row, ours[:at] + ours[at + 1 :]) for at, row in enumerate(ours)]
    expected = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    found = [*bleu(lines, references).values(), *self_bleu(lines).values()]
    return max(abs(one - other) for one, other in zip(expected, found, strict=True))


if __name__ == "__main__":
    main()
