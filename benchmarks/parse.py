"""Parsing ZINC250k with the grammar of the published Grammar VAE: molecules a second, beside NLTK's chart parser.

    python -m benchmarks.parse [--max-lines N] [--threads N] [--nltk N]

One call of the kernel over all strings in one thread, and over a share of them in each of several (it lets go of the
interpreter); then string by string, as encoding a corpus does. Beside them stands the machine's own limit from the
same run, turning the strings into classes of characters and doing nothing with these, and what the published program
used: NLTK's chart parser, on a few molecules, split into the literals of the grammar. `times_nltk` compares the time of
one core of each. On a machine with other work to do the molecules a second are too few; those a core's second are then
nearer to what an idle one does.
"""

import argparse
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import nltk

from freerun.corpora.corpus import open_corpus
from freerun.grammars.earley import Parser
from freerun.grammars.grammar import Grammar
from freerun.grammars.reading import grammar_of, load
from freerun.representations.grammar import GrammarRules

GRAMMAR = "smiles76"
TARGET = 10_000  # molecules a second on two cores
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="zinc250k")
    parser.add_argument("--max-lines", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--nltk", type=int, default=20, metavar="N", help="molecules for NLTK's parser")
    asked = parser.parse_args()
    strings = (text for _, text in open_corpus(asked.corpus).strings("train"))
    texts = list(itertools.islice(strings, asked.max_lines))
    print(json.dumps(measured(texts, asked.threads, texts[: asked.nltk]), indent=1))


def measured(texts: list[str], n_threads: int, few: Sequence[str]) -> dict[str, Any]:
    grammar = grammar_of(load(GRAMMAR))
    ours, rules = Parser(grammar), GrammarRules(GRAMMAR)
    shares = [texts[i::n_threads] for i in range(n_threads)]
    found = ours.parse_many(texts)
    with ThreadPoolExecutor(n_threads) as pool:
        rates = {
            "limit": rate(lambda: ours.compiled.classes("\0".join(texts)), texts),
            "one_thread": rate(lambda: ours.parse_many(texts), texts),
            f"{n_threads}_threads": rate(lambda: list(pool.map(ours.parse_many, shares)), texts),
            "one_by_one": rate(lambda: [rules.tokenize(text) for text in texts], texts),
            "nltk": rate(by_nltk(grammar, few), few, repeats=1),
        }
    return {
        "grammar": GRAMMAR,
        "rules": len(grammar.rules),
        "molecules": len(texts),
        "characters_a_molecule": round(sum(map(len, texts)) / len(texts), 1),
        "rules_a_molecule": round(len(found.rules) / len(texts), 1),
        "n_refused": int((found.failures >= 0).sum()),
        "n_ambiguous": int(found.ambiguous.sum()),
        "molecules_a": rates,
        "times_nltk": round(rates["one_thread"]["core_second"] / rates["nltk"]["core_second"]),
        "target_met": rates[f"{n_threads}_threads"]["second"] >= TARGET,
        "load": os.getloadavg()[0],
        "cores": len(os.sched_getaffinity(0)),
    }


def rate(work: Callable[[], object], texts: Sequence[str], repeats: int = REPEATS) -> dict[str, int]:
    """Strings a second and a second of one core, of the fastest of a few runs."""
    seconds, busy = [], []
    for _ in range(repeats):
        started, cpu = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - started)
        busy.append(time.process_time() - cpu)
    return {"second": round(len(texts) / min(seconds)), "core_second": round(len(texts) / min(busy))}


def by_nltk(grammar: Grammar, texts: Sequence[str]) -> Callable[[], object]:
    """The first derivation of each; the grammar is read beforehand."""
    names = [nltk.Nonterminal(name) for name in grammar.nonterminals]
    productions = [
        nltk.Production(names[rule.left], [names[s] if isinstance(s, int) else s for s in rule.right])
        for rule in grammar.rules
    ]
    parser = nltk.ChartParser(nltk.CFG(names[0], productions))
    literals = {s for rule in grammar.rules for s in rule.right if isinstance(s, str)}
    token = re.compile("|".join(map(re.escape, sorted(literals, key=len, reverse=True))))
    return lambda: [next(parser.parse(token.findall(text))) for text in texts]


if __name__ == "__main__":
    main()
