"""Latent runs by the published protocols: reconstruction of held-out strings, validity of the prior.

    python -m benchmarks.latent RUN... [--n 500] [--encodings 10] [--decodings 100] [--points 1000] [--grammar formulas]

Each of --n strings of the test split is encoded --encodings times (z drawn from q) and each z decoded --decodings
times; each of --points draws from the prior is decoded --decodings times (Kusner et al. 2017). Beside it the share of
strings that come back from the mean code decoded greedily. --grammar judges the validity of strings of characters.
"""

import argparse
import json
import time

from freerun.chemistry import canonical
from freerun.codes import decode, encode
from freerun.corpora.encode import encode_split
from freerun.metrics.reconstruction import prior_validity, reconstruction
from freerun.prepare import reopen
from freerun.representations.grammar import GrammarRules
from freerun.run_folder import RunFolder
from freerun.trained import Trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--encodings", type=int, default=10)
    parser.add_argument("--decodings", type=int, default=100)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--grammar")
    asked = parser.parse_args()
    for path in asked.runs:
        began = time.perf_counter()
        measured = measure(Trained.load(RunFolder.found(path), device="auto"), asked)
        print(json.dumps({"run": path, **measured, "seconds": round(time.perf_counter() - began)}), flush=True)


def measure(trained: Trained, asked: argparse.Namespace) -> dict[str, object]:
    representation = trained.representation
    judge = GrammarRules(grammar=asked.grammar).is_valid if asked.grammar else representation.is_valid
    corpus = reopen(trained.folder, lambda _: None).corpus
    held_out = encode_split(corpus, "test" if "test" in corpus.splits else "valid", representation)
    strings = [text for text in held_out.strings() if len(representation.tokenize(text)) < trained.budget][: asked.n]
    means, log_vars = encode(trained, strings)

    def drawn(z, n_each: int, seed: int) -> list[list[str]]:
        return decode(trained, z, greedy=False, n_each=n_each, seed=seed)

    form = canonical if representation.is_chemical else str
    again = [found[0] for found in decode(trained, means)]
    share = reconstruction(
        strings, means, log_vars, drawn, n_encodings=asked.encodings, n_decodings=asked.decodings, form=form
    )
    prior = prior_validity(means.shape[1], drawn, judge, n_points=asked.points, n_decodings=asked.decodings)
    return {
        "n": len(strings),
        "from_mean_greedily": sum(form(a) == form(b) for a, b in zip(again, strings, strict=True)) / len(strings),
        "reconstruction": [share.value, share.standard_error],
        "prior_validity": [prior.value, prior.standard_error],
    }


if __name__ == "__main__":
    main()
