"""Adversarial weights against every constraint: is each sample in the language, and inside the budget?

    python -m benchmarks.adversaries [--n 1000] [--last 100] [--only NAME]

At every budget from the shortest string to --last, four adversaries write --n samples each: `uniform` over the allowed
tokens; `normal`, logits drawn from N(0, 3) at each step; `greatest need`, always an allowed token after which the most
tokens are owed; `never ends`, <eos>, `)` and whatever closes a ring or a rule at -20. Molecules are judged by RDKit,
other strings by the parser of their grammar, and every twentieth JSON text by lark. Printed are the shares that are
valid, that end at the last token of the budget, that reach depth 5 of brackets, and that hold 5 rings open at once.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable

import lark
import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.chemistry import canonical
from freerun.constraints.base import EOS, PAD, SPECIALS, AbstractConstraint
from freerun.constraints.kekule import Kekule
from freerun.constraints.kekule_masks import masks
from freerun.constraints.kekule_tables import tables_of
from freerun.constraints.language import Language
from freerun.constraints.productions import Productions
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.grammars.derivation import Speller
from freerun.grammars.earley import Parser
from freerun.grammars.reading import grammar_of, load
from freerun.representations.smiles import Smiles

ADVERSARIES = ("uniform", "normal", "greatest need", "never ends")
DEEP, MANY_RINGS = 5, 5
SHY = -20.0
FORMULAS, JSON = "x123+*/()sinexp", '{}[],:"truefalsn0123456789-.E+abcdghijkmopqvwxyz _'
Judge = Callable[[list[str]], Bool[np.ndarray, " strings"]]


@dataclasses.dataclass(frozen=True)
class World:
    """A constraint, how its rows are spelled, who judges them, and which tokens end something."""

    constraint: AbstractConstraint
    spell: Callable[[list[int]], str]
    judge: Judge
    ending: Bool[Tensor, " vocab"]
    rings: Bool[Tensor, " vocab"]  # ring numbers: they end something where their ring is open

    @property
    def shortest(self) -> int:
        for budget in range(1, 1000):
            try:
                self.constraint.start(1, budget)
            except ValueError:
                continue
            return budget
        raise AssertionError("no string at all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--last", type=int, default=100)
    parser.add_argument("--only")
    asked = parser.parse_args()
    heads = ("budgets", "samples", "valid", "at budget", "depth 5", "5 rings", "seconds")
    print(f"{'constraint':28s} {'adversary':14s} " + " ".join(f"{head:>10s}" for head in heads))
    for name, build in worlds().items():
        if asked.only in (None, name):
            world = build()
            for adversary in ADVERSARIES:
                report(name, world, adversary, asked.n, asked.last)


def report(name: str, world: World, adversary: str, n: int, last: int) -> None:
    began = time.perf_counter()
    sums, total = np.zeros(4), 0
    for budget in range(world.shortest, last + 1):
        rows = written(world, adversary, n, budget, torch.Generator().manual_seed(budget))
        strings = [world.spell(row) for row in rows]
        assert all(len(row) < budget for row in rows)
        sums += [
            world.judge(strings).sum(),
            sum(len(row) == budget - 1 for row in rows),
            sum(depth(string) >= DEEP for string in strings),
            sum(open_rings(world, row) >= MANY_RINGS for row in rows),
        ]
        total += n
    shares = " ".join(f"{100 * value / total:9.3f}%" for value in sums)
    took = time.perf_counter() - began
    print(f"{name:28s} {adversary:14s} {world.shortest:>6d}-{last:<3d} {total:10,d} {shares} {took:10.0f}", flush=True)


def written(world: World, adversary: str, n: int, budget: int, rng: torch.Generator) -> list[list[int]]:
    """Ids of n samples, without <eos>; fails at a dead end."""
    constraint = world.constraint
    state, columns = constraint.start(n, budget), []
    is_open = torch.zeros(n, constraint.n_vocab, dtype=torch.bool)
    for _ in range(budget):
        allowed = constraint.allowed(state)
        assert allowed.any(1).all(), "a dead end"
        logits = torch.zeros(n, constraint.n_vocab)
        if adversary == "normal":
            logits = 3 * torch.randn(n, constraint.n_vocab, generator=rng)
        elif adversary == "greatest need":
            logits.masked_fill_(~neediest(constraint, state, allowed, budget), -1e9)
        elif adversary == "never ends":
            logits[world.ending.expand(n, -1) | (world.rings & is_open)] = SHY
        noise = -torch.log(-torch.log(torch.rand(logits.shape, generator=rng).clamp(1e-9, 1 - 1e-7)))
        tokens = (logits + noise).masked_fill(~allowed, -torch.inf).argmax(1)
        ring = world.rings[tokens]
        is_open[ring, tokens[ring]] ^= True
        columns.append(tokens)
        state = constraint.advance(state, tokens)
        if (tokens == PAD).all():
            break
    rows = torch.stack(columns, 1).tolist()
    return [list(row[: row.index(EOS)]) for row in rows]


def neediest(
    constraint: AbstractConstraint, state, allowed: Bool[Tensor, "batch vocab"], budget: int
) -> Bool[Tensor, "batch vocab"]:
    """The allowed tokens after which the most is owed: those that are lost first if fewer tokens are left.

    Found by bisection over the tokens left, for masks only grow with them.
    """
    low, high = torch.zeros_like(state.left), state.left.clone()  # all of `allowed` is there at `high`, not at `low`
    for _ in range(budget.bit_length()):
        middle = (low + high) // 2
        same = (at_left(constraint, state, middle) == allowed).all(1)
        high = torch.where(same & (middle > low), middle, high)
        low = torch.where(~same & (middle > low), middle, low)
    lost = allowed & ~at_left(constraint, state, high - 1)
    return torch.where(lost.any(1, keepdim=True), lost, allowed)


def at_left(constraint: AbstractConstraint, state, left: Int[Tensor, " batch"]) -> Bool[Tensor, "batch vocab"]:
    """The masks if so many tokens were left."""
    changed = dataclasses.replace(state, left=left.to(state.left.dtype))
    if isinstance(constraint, Kekule):
        return masks(changed, tables_of(constraint.vocab, changed.left.device))
    return constraint.allowed(changed)


def depth(string: str) -> int:
    """Deepest nesting of brackets; brackets of atoms do not nest."""
    steps = [{"(": 1, "{": 1, ")": -1, "}": -1}.get(letter, 0) for letter in string]
    return max(np.cumsum(steps, dtype=int).tolist(), default=0)


def open_rings(world: World, row: list[int]) -> int:
    now, most = set[int](), 0
    for token in row:
        if world.rings[token]:
            now ^= {token}
            most = max(most, len(now))
    return most


def worlds() -> dict[str, Callable[[], World]]:
    return {
        "kekule, atoms of zinc250k": molecules,
        "formulas, rules": lambda: of_rules("formulas"),
        "smiles, rules": lambda: of_rules("smiles"),
        "json, rules": lambda: of_rules("json"),
        "formulas, characters": lambda: of_tokens("formulas", FORMULAS),
        "json, characters": lambda: of_tokens("json", JSON),
    }


def molecules() -> World:
    form = Smiles(kekule=True)
    vocab = fit(form, encode_split(open_corpus("zinc250k"), "train", form)).vocab
    return World(
        Kekule(vocab),
        lambda row: "".join(vocab[token] for token in row),
        lambda strings: np.array([canonical(string) is not None for string in strings]),
        torch.tensor([token in ("<eos>", ")") for token in vocab]),
        torch.tensor([token.strip("%").isdigit() for token in vocab]),
    )


def of_rules(name: str) -> World:
    grammar = grammar_of(load(name))
    speller = Speller(grammar)
    closes = [not any(isinstance(symbol, int) for symbol in rule.right) for rule in grammar.rules]
    return World(
        Productions(load(name)),
        lambda row: speller.text_of([token - len(SPECIALS) for token in row]),
        judge_of(name),
        torch.tensor([False, False, True, False, *closes]),
        torch.zeros(len(SPECIALS) + len(closes), dtype=torch.bool),
    )


def of_tokens(name: str, characters: str) -> World:
    vocab = (*SPECIALS, *dict.fromkeys(characters))
    return World(
        Language(vocab, load(name)),
        lambda row: "".join(vocab[token] for token in row),
        judge_of(name),
        torch.tensor([token in ("<eos>", ")", "}", "]") for token in vocab]),
        torch.zeros(len(vocab), dtype=torch.bool),
    )


def judge_of(name: str) -> Judge:
    parser = Parser(grammar_of(load(name)))
    other = lark.Lark(load(name), parser="earley") if name == "json" else None

    def judge(strings: list[str]) -> Bool[np.ndarray, " strings"]:
        for string in strings[::20] if other is not None else []:
            assert other is not None
            other.parse(string)  # raises where it is none
        return parser.parse_many(strings).failures < 0

    return judge


if __name__ == "__main__":
    main()
