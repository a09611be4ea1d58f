"""Whole corpora through the constraints, token by token: is any string refused? And what do the stored masks take?

    python -m benchmarks.completeness [--corpus NAME]...

zinc250k and the published training set of moses in Kekule form; the 100,000 formulas as rules and as characters. Every
string has exactly the tokens of the longest as its budget. What is refused is printed with its reason.
"""

import argparse
import time
from collections.abc import Callable

from freerun.constraints.base import AbstractConstraint
from freerun.constraints.language import Language
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.corpora.masks import Split, refusals, stored
from freerun.grammars.reading import load
from freerun.representations.base import AbstractRepresentation
from freerun.representations.grammar import GrammarRules
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

Build = Callable[[AbstractRepresentation], AbstractConstraint]
CASES: dict[str, list[tuple[str, AbstractRepresentation, Build]]] = {
    "expressions": [
        ("formulas as rules", GrammarRules(), lambda fitted: fitted.constraint()),
        ("as characters", Text(blanks=False), lambda fitted: Language(fitted.vocab, load("formulas"))),
    ],
    "zinc250k": [
        ("Kekule", Smiles(kekule=True), lambda fitted: fitted.constraint()),
        ("SMILES as rules", GrammarRules(grammar="smiles"), lambda fitted: fitted.constraint()),
    ],
    "moses": [("Kekule", Smiles(kekule=True), lambda fitted: fitted.constraint())],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", action="append", choices=CASES)
    for name in parser.parse_args().corpus or CASES:
        for form, representation, build in CASES[name]:
            report(name, form, representation, build)


def report(name: str, form: str, representation: AbstractRepresentation, build: Build) -> None:
    corpus = open_corpus(name)
    split = "train+valid" if name == "moses" else "+".join(corpus.splits)
    began = time.perf_counter()
    encoded = encode_split(corpus, split, representation)
    read = time.perf_counter()
    fitted = fit(representation, encoded)
    part = Split(name, encoded, fitted)
    budget = int(encoded.lengths.max()) + 1
    (masks,) = stored(build(fitted), budget, [part])
    ended = time.perf_counter()
    print(
        f"{name}, {form}: {len(encoded) + encoded.refusals.count:,} strings; {encoded.refusals.count:,} cannot be "
        f"written so, {int((masks.refused >= 0).sum()):,} of the rest are refused; {len(fitted.vocab)} tokens, at most "
        f"{budget - 1} a string; masks: {len(masks.index):,} steps of {masks.index.itemsize} bytes, "
        f"{len(masks.table):,} distinct, {masks.table.nbytes:,} bytes; {read - began:.0f} s to encode, "
        f"{ended - read:.0f} s to replay",
        flush=True,
    )
    for refusal in [*encoded.refusals.examples, *refusals(part, masks, 10)]:
        print(f"  {refusal}", flush=True)


if __name__ == "__main__":
    main()
