"""What a constraint costs while sampling: microseconds a sequence and step, and the memory of a corpus's masks.

    python -m benchmarks masks

Each constraint walks 1,024 sequences at once, an allowed token drawn at random for each, <eos> seldom; timed are
`allowed` and `advance` alone. Beside it stands the machine's own limit from the same run: reading a mask, of one byte a
token, once and writing it once. Then the masks of moses-mini are stored.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator

import torch

from freerun.constraints.base import EOS, AbstractConstraint
from freerun.constraints.kekule import Kekule
from freerun.constraints.language import Language
from freerun.constraints.productions import Productions
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.corpora.masks import Split, stored
from freerun.grammars.reading import load
from freerun.representations.smiles import Smiles
from freerun.representations.text import Text

BATCH, BUDGET, REPEATS = 1024, 80, 5
RARE_END = 0.02  # weight of <eos>: else most rows would end after a few steps
MOLECULES = "moses-mini"


def main() -> None:
    torch.manual_seed(0)
    print(f"{torch.get_num_threads()} threads, batch {BATCH}, budget {BUDGET}; microseconds a sequence and step\n")
    print(f"{'constraint':44s} {'tokens':>6s} {'allowed':>8s} {'advance':>8s} {'sum':>7s} {'limit':>7s}")
    for name, build in worlds().items():
        constraint = build()
        allowed, advance = min((walked(constraint) for _ in range(REPEATS)), key=sum)
        limit = copied(constraint.n_vocab)
        print(
            f"{name:44s} {constraint.n_vocab:6d} {allowed:8.2f} {advance:8.2f} {allowed + advance:7.2f} {limit:7.3f}",
            flush=True,
        )
    memory()


def worlds() -> dict[str, Callable[[], AbstractConstraint]]:
    atoms = _vocab(Smiles(), "train")
    kekule = _vocab(Smiles(kekule=True), "train")
    characters = Text().with_vocab("BCNOPSFIHlbrcnops()[]=#/\\@+-123456789").vocab
    formulas = Text().with_vocab("+*/()sinexp123").vocab
    json = Text().with_vocab('{}[],:"truefalsn0123456789-.E+abcdghijkmopqvwxyz _').vocab
    return {
        "formulas, rules": lambda: Productions(load("formulas")),
        "SMILES of 76 rules, rules": lambda: Productions(load("smiles76")),
        "SMILES, rules": lambda: Productions(load("smiles")),
        "formulas, characters": lambda: Language(formulas, load("formulas")),
        "SMILES of 76 rules, characters": lambda: Language(characters, load("smiles76")),
        "SMILES, characters": lambda: Language(characters, load("smiles")),
        "SMILES, atoms": lambda: Language(atoms, load("smiles")),
        "JSON, characters": lambda: Language(json, load("json")),
        "S -> S S | a (ambiguous)": lambda: Language((*characters[:4], "a"), "S -> S S | 'a'"),
        "Kekule, atoms of moses-mini": lambda: Kekule(kekule),
    }


def _vocab(representation: Smiles, split: str) -> tuple[str, ...]:
    return fit(representation, encode_split(open_corpus(MOLECULES), split, representation)).vocab


def walked(constraint: AbstractConstraint) -> tuple[float, float]:
    """Mean microseconds of `allowed` and `advance`, over the steps in which most rows are still at work."""
    state = constraint.start(BATCH, BUDGET)
    seconds, n_steps = [0.0, 0.0], 0
    for _ in range(BUDGET):
        began = time.perf_counter()
        masks = constraint.allowed(state)
        middle = time.perf_counter()
        weights = masks.float()
        weights[:, EOS] *= RARE_END
        tokens = torch.multinomial(weights, 1)[:, 0]
        chosen = time.perf_counter()
        state = constraint.advance(state, tokens)
        ended = time.perf_counter()
        seconds[0] += middle - began
        seconds[1] += ended - chosen
        n_steps += 1
    return seconds[0] / n_steps / BATCH * 1e6, seconds[1] / n_steps / BATCH * 1e6


def copied(n_vocab: int) -> float:
    mask = torch.ones(BATCH, n_vocab, dtype=torch.bool)
    return min(_seconds(lambda: ~mask) for _ in range(20)) / BATCH * 1e6


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def memory() -> None:
    print(f"\nmasks of {MOLECULES}, stored")
    for name, representation, build in forms():
        encoded = encode_split(open_corpus(MOLECULES), "train", representation)
        fitted = fit(representation, encoded)
        constraint = build(fitted.vocab)
        with tempfile.TemporaryDirectory() as folder:
            kept, os.environ["FREERUN_CACHE"] = os.environ.get("FREERUN_CACHE"), folder
            began = time.perf_counter()
            (masks,) = stored(constraint, int(encoded.lengths.max()) + 1, [Split(MOLECULES, encoded, fitted)])
            took = time.perf_counter() - began
            if kept is None:
                del os.environ["FREERUN_CACHE"]
            else:
                os.environ["FREERUN_CACHE"] = kept
        print(
            f"{name:20s} {len(masks.index):,} steps, {masks.index.nbytes / len(masks.index):.0f} bytes each; "
            f"{len(masks.table):,} distinct masks of {masks.table.shape[1]} tokens, {masks.table.nbytes:,} bytes; "
            f"{took:.1f} s; {int((masks.refused >= 0).sum())} lines refused"
        )


def forms() -> Iterator[tuple[str, Smiles, Callable[[tuple[str, ...]], AbstractConstraint]]]:
    yield "Kekule", Smiles(kekule=True), Kekule
    yield "SMILES, atoms", Smiles(), lambda vocab: Language(vocab, load("smiles"))


if __name__ == "__main__":
    main()
