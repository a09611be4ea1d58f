"""Every language here is enumerated twice: by walking the masks, and by brute force over all short strings."""

import functools
import itertools
from typing import Any

import lark
import numpy as np
import pytest
import torch

from freerun.constraints.base import BOS, EOS, PAD, SPECIALS, UNK
from freerun.constraints.language import Language
from freerun.constraints.many_stacks import ManyStacks
from freerun.constraints.one_stack import OneStack
from freerun.grammars.grammar import Grammar, Rule
from freerun.grammars.over_tokens import TokenDfa, over_tokens
from freerun.grammars.pushdown import pushdown
from freerun.grammars.reading import grammar_of, load
from freerun.models.generator import Generator
from freerun.sampling.free_run import FreeRun

FORMULAS = """
S -> S '+' T | S '*' T | S '/' T | T
T -> '(' S ')' | 'sin(' S ')' | 'exp(' S ')' | 'x' | '1' | '2' | '3'
"""

# name: grammar, tokens, separator, whether one stack is enough, longest string that is enumerated
WORLDS = {
    "a^n b^n": ("S -> 'a' S 'b' | 'ab'", "a b", "", True, 8),
    "a^n b^n or a^n c^n": ("S -> A | B\nA -> 'a' A 'b' | 'ab'\nB -> 'a' B 'c' | 'ac'", "a b c", "", False, 8),
    "a row of a": ("S -> S S | 'a'", "a", "", True, 8),
    "palindromes": ("S -> 'a' S 'a' | 'b' S 'b' | 'a' | 'b' | ", "a b", "", False, 8),
    "ambiguous sums": ("E -> E '+' E | E '*' E | '(' E ')' | 'x'", "+ * ( ) x", "", True, 6),
    "empty rules": ("S -> A B A 'c' A\nA -> 'a' | \nB -> 'b' B | ", "a b c", "", True, 6),
    "hidden left recursion": ("S -> A S 'b' | 'c'\nA -> 'a' | ", "a b c", "", False, 7),
    "indirect left recursion": ("S -> A 'a' | 'b'\nA -> S 'c' | 'd' A | 'e'", "a b c d e", "", True, 5),
    "right recursion": ("S -> 'a' S | 'a' 'b' S | 'c'", "a b c", "", True, 7),
    "n a, at most n b": ("S -> 'a' S B | 'c'\nB -> 'b' | ", "a b c", "", False, 7),
    "nested pairs": ("S -> 'a' S 'b' | 'c' S 'b' | S S | 'd'", "a b c d", "", True, 6),
    "one of two tails": ("S -> 'a' S 'b' | 'a' P 'c' | 'd'\nP -> 'a' P 'b' | 'a' S 'c' | 'd'", "a b c d", "", True, 7),
    "one string": ("S -> 'abc'", "a b c", "", True, 5),
    "a token is a prefix of another": ("S -> A S | A\nA -> 'C' | 'Cl' | 'l'", "C Cl l", "", True, 5),
    "tokens over several symbols": ("S -> 'a' S 'b' | 'ab'", "a aa ab bb abb b", "", False, 6),
    "tokens over brackets": ("S -> '(' S ')' S | ", "( () )( )) )", "", False, 5),
    "parts no token can write": ("S -> 'a' S | 'x' S | 'a' | 'y'", "a yy", "", True, 7),
    "words": (
        "S -> N ' sees ' N | N ' and ' S\nN -> 'the ' A 'cat' | 'Ann'\nA -> 'old ' A | ",
        "Ann sees the old cat and",
        " ",
        True,
        7,
    ),
    "words or nothing": ("S -> W | \nW -> 'a' | 'a ' W", "a b", " ", True, 5),
    "a word over several symbols": (
        "S -> A B | A B ' ' S\nA -> 'new '\nB -> 'york' | 'jersey'",
        "new york jersey",
        " ",
        True,
        7,
    ),
    "a separator of two characters": ("S -> 'a' | 'a, ' S", "a a,a", ", ", True, 5),
}


@pytest.fixture(params=WORLDS.values(), ids=list(WORLDS))
def world(request):
    return request.param


def language(world) -> Language:
    grammar, tokens, separator, *_ = world
    return Language((*SPECIALS, *tokens.split()), grammar, separator)


def strings_of(grammar: Grammar, longest: int) -> set[str]:
    """Every string of at most `longest` characters: sets of strings, grown by the rules until nothing is new."""
    known: list[set[str]] = [set() for _ in grammar.nonterminals]
    changed = True
    while changed:
        changed = False
        for rule in grammar.rules:
            new = {""}
            for symbol in rule.right:
                parts = known[symbol] if isinstance(symbol, int) else {symbol}
                new = {a + b for a in new for b in parts if len(a) + len(b) <= longest}
            changed |= not new <= known[rule.left]
            known[rule.left] |= new
    return known[0]


@functools.cache
def sequences_of(world) -> frozenset[tuple[int, ...]]:
    """Every sequence of few tokens that spells a string of the language, by trying them all."""
    grammar, tokens, separator, _, longest = world
    vocab = [*SPECIALS, *tokens.split()]
    ids = range(UNK + 1, len(vocab))
    spelled = {
        sequence: separator.join(vocab[token] for token in sequence)
        for n in range(longest + 1)
        for sequence in itertools.product(ids, repeat=n)
    }
    strings = strings_of(grammar_of(grammar), max(map(len, spelled.values())))
    return frozenset(sequence for sequence, string in spelled.items() if string in strings)


def walked(reader: Language | OneStack | ManyStacks, state: Any) -> set[tuple[int, ...]]:
    """Every string that the masks allow, all prefixes of a length at once."""
    found: set[tuple[int, ...]] = set()
    prefixes: list[tuple[int, ...]] = [()]
    while prefixes:
        allowed = reader.allowed(state)
        assert allowed.any(1).all()
        rows, tokens = allowed.nonzero(as_tuple=True)
        found |= {prefixes[row] for row, token in zip(rows.tolist(), tokens.tolist(), strict=True) if token == EOS}
        goes_on = tokens != EOS
        rows, tokens = rows[goes_on], tokens[goes_on]
        assert (tokens > UNK).all()
        prefixes = [(*prefixes[row], token) for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)]
        state = reader.advance(state[rows], tokens)
    return found


def of_budget(constraint: Language, budget: int) -> set[tuple[int, ...]]:
    return walked(constraint, constraint.start(1, budget))


def test_the_masks_allow_the_strings_of_the_language_that_fit_and_no_others(world):
    constraint, longest = language(world), world[-1]
    everything = sequences_of(world)
    shortest = min(map(len, everything))
    for budget in range(shortest + 1, longest + 2):
        assert of_budget(constraint, budget) == {sequence for sequence in everything if len(sequence) < budget}


def test_grammars_that_need_one_stack_have_one(world):
    assert language(world).machine.is_deterministic == world[3]
    assert isinstance(language(world)._reader, OneStack if world[3] else ManyStacks)


def test_sets_of_stacks_read_the_same_language(world):
    grammar, tokens, separator, _, longest = world
    words = [None] * len(SPECIALS) + tokens.split()
    narrow = pushdown(over_tokens(grammar_of(grammar), words, separator), wide=False)
    reader = ManyStacks(narrow, len(words))
    assert walked(reader, reader.start(torch.tensor([longest + 1]), longest + 1)) == sequences_of(world)


@pytest.mark.parametrize("name", ["formulas", "smiles76", "smiles", "json"])
def test_shipped_grammars_need_one_stack(name):
    grammar = grammar_of(load(name))
    characters = sorted({c for rule in grammar.rules for s in rule.right if isinstance(s, str) for c in s})
    assert Language((*SPECIALS, *characters), load(name)).machine.is_deterministic


def padded(rows, width: int) -> torch.Tensor:
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])


def test_replay_says_which_sequences_are_in_the_language(world):
    tokens = world[1]
    n = 5 if len(tokens.split()) < 4 else 4
    ids = range(UNK + 1, UNK + 1 + len(tokens.split()))
    rows = [(*word, EOS) for k in range(n + 1) for word in itertools.product(ids, repeat=k)]
    budget = max(n + 1, min(map(len, sequences_of(world))) + 1)
    tokens = padded(rows, n + 2)
    masks = language(world).replay(tokens, budget)
    assert masks.any(2).all()
    accepted = masks.gather(2, tokens[..., None]).all(1)[:, 0].tolist()
    assert accepted == [row[:-1] in sequences_of(world) and len(row) <= budget for row in rows]


def random_walks(constraint: Language, n: int, budget: int, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Masks and tokens of rows that choose uniformly among what is allowed."""
    rng = torch.Generator().manual_seed(seed)
    state, steps = constraint.start(n, budget), []
    for _ in range(budget + 1):
        allowed = constraint.allowed(state)
        tokens = torch.multinomial(allowed.double(), 1, generator=rng)[:, 0]
        steps.append((allowed, tokens))
        state = constraint.advance(state, tokens)
    return steps


def test_rows_do_not_know_their_neighbours(world):
    """A batch of different budgets, forked and put together again, allows in each row what the row alone allows."""
    constraint, budget = language(world), world[-1] + 4
    steps = random_walks(constraint, 20, budget)
    budgets = torch.full((20,), budget)
    budgets[::2] = budget - 1
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    desk = constraint.start(20, budgets)
    for _, tokens in steps:
        desk = constraint.advance(desk[order.argsort()], tokens)[order]
        desk = desk[order.argsort()][order]
    for row in (0, 1, 7):
        alone = constraint.start(1, torch.tensor([int(budgets[row])]))
        for _, tokens in steps:
            alone = constraint.advance(alone, tokens[row : row + 1])
        assert torch.equal(constraint.allowed(alone)[0], constraint.allowed(desk[order.argsort()])[row])


def test_advancing_leaves_the_old_state_as_it_was(world):
    constraint = language(world)
    state = constraint.start(3, world[-1] + 3)
    for _, tokens in random_walks(constraint, 3, world[-1] + 3):
        before = constraint.allowed(state)
        after = constraint.advance(state, tokens)
        assert torch.equal(constraint.allowed(state), before)
        state = after


@pytest.mark.parametrize("name", ["a^n b^n", "palindromes"])
def test_fresh_rows_are_put_into_a_running_batch(name):
    constraint = language(WORLDS[name])
    steps = random_walks(constraint, 6, 12)
    state: Any = constraint.start(6, 12)
    for _, tokens in steps[:4]:
        state = constraint.advance(state, tokens)
    untouched = constraint.allowed(state)
    rows = torch.tensor([1, 4])
    state.put(rows, constraint.start(2, 12))
    expected = untouched.clone()
    expected[rows] = constraint.allowed(constraint.start(2, 12))
    assert torch.equal(constraint.allowed(state), expected)
    fresh: Any = constraint.start(6, 12)
    fresh.put(rows, constraint.advance(constraint.advance(fresh, steps[0][1]), steps[1][1])[rows])
    assert torch.equal(constraint.allowed(fresh)[rows], steps[2][0][rows])


@pytest.mark.parametrize("name", ["a^n b^n", "palindromes"])
def test_a_forbidden_token_closes_its_row_for_good(name):
    constraint = language(WORLDS[name])
    only_pad = torch.zeros(constraint.n_vocab, dtype=torch.bool)
    only_pad[PAD] = True
    a, b = UNK + 1, UNK + 2
    for forbidden in ([PAD], [BOS], [UNK], [EOS, a], [a, b, b, EOS] if name == "a^n b^n" else [a, b, a, EOS, a, EOS]):
        state = constraint.start(1, 9)
        for token in forbidden:
            state = constraint.advance(state, torch.tensor([token]))
        for token in (a, b, EOS, PAD):
            assert torch.equal(constraint.allowed(state)[0], only_pad)
            state = constraint.advance(state, torch.tensor([token]))


def random_grammar(rng: np.random.Generator) -> Grammar:
    """Left recursion, empty rules, ambiguity, circles, rules without end: whatever comes."""
    parts = ["a", "b", "ab", 0, 1, 2]
    rules = [
        Rule(left, tuple(parts[i] for i in rng.integers(6, size=rng.integers(4)))) for left in (0, 0, 0, 1, 1, 2, 2)
    ]
    return Grammar(("S", "A", "B"), tuple(rules))


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 200))])
def test_random_grammars_are_read_exactly(seed):
    rng = np.random.default_rng(seed)
    grammar = random_grammar(rng)
    words = [None] * len(SPECIALS) + [["a", "b"], ["a", "ab", "b"]][int(rng.integers(2))]
    ids = range(UNK + 1, len(words))
    strings = strings_of(grammar, 8)
    rows = [row for n in range(5) for row in itertools.product(ids, repeat=n)]
    expected = {row for row in rows if "".join(str(words[token]) for token in row) in strings}
    if not expected:
        return
    for wide in (True, False):
        machine = pushdown(over_tokens(grammar, words), wide=wide)
        for kind in (ManyStacks, OneStack) if machine.is_deterministic else (ManyStacks,):
            reader = kind(machine, len(words))
            assert walked(reader, reader.start(torch.tensor([5]), 5)) == expected


def random_dfa(n_vocab: int, seed: int) -> TokenDfa:
    rng = np.random.default_rng(seed)
    moves = np.where(rng.random((3, n_vocab)) < 0.15, -1, rng.integers(0, 3, (3, n_vocab)))
    return TokenDfa(moves, np.array([False, True, False]))


def accepts(automaton: TokenDfa, sequence: tuple[int, ...]) -> bool:
    state = 0
    for token in sequence:
        state = int(automaton.moves[state, token])
        if state < 0:
            return False
    return bool(automaton.accepting[state])


def test_the_intersection_with_an_automaton_allows_what_both_accept(world):
    constraint, longest = language(world), world[-1]
    automata = (random_dfa(constraint.n_vocab, seed) for seed in itertools.count())
    automaton = next(one for one in automata if any(accepts(one, sequence) for sequence in sequences_of(world)))
    expected = {sequence for sequence in sequences_of(world) if accepts(automaton, sequence)}
    assert of_budget(constraint.intersected(automaton), longest + 1) == expected


def test_an_empty_intersection_is_refused():
    odd = TokenDfa(np.array([[1] * 6, [0] * 6]), np.array([False, True]))
    with pytest.raises(ValueError, match="no string satisfies both"):
        language(WORLDS["a^n b^n"]).intersected(odd)


def test_automata_are_told_apart_by_their_content():
    one, other = random_dfa(6, 0), random_dfa(6, 1)
    assert repr(one) == repr(random_dfa(6, 0)) != repr(other)
    assert one == random_dfa(6, 0) != other


def test_a_vocabulary_that_can_write_no_string_is_refused():
    with pytest.raises(ValueError, match="no string of this grammar can be written with the 2 tokens"):
        Language((*SPECIALS, "a", "c"), "S -> 'a' S 'b' | 'ab'")


def test_a_budget_below_the_shortest_string_is_refused():
    with pytest.raises(ValueError, match="below the shortest string"):
        language(WORLDS["one string"]).start(2, 3)


def test_reasons_name_what_can_stand_there_or_what_no_longer_fits():
    constraint = language(WORLDS["a^n b^n"])
    state = constraint.start(1, 5)
    a, b = UNK + 1, UNK + 2
    assert constraint.reason(state, a) == ""
    assert constraint.reason(state, b) == "'b' cannot stand here; 'a' can"
    state = constraint.advance(constraint.advance(state, torch.tensor([a])), torch.tensor([a]))
    assert constraint.reason(state, a) == "after 'a' at least 3 more tokens and <eos> are due; 2 fit"
    assert constraint.reason(state, EOS) == "<eos> cannot stand here; 'a', 'b' can"
    many = language(WORLDS["palindromes"])
    state = many.advance(many.start(1, 3), torch.tensor([a]))
    assert many.reason(state, b) == "after 'b' at least 1 more tokens and <eos> are due; 1 fit"
    assert (
        Language((*SPECIALS, "a", "b", "z"), "S -> 'a' S 'b' | 'ab'").reason(constraint.start(1, 5), UNK + 3)
        == "no string of the language can be written with 'z'"
    )


def generator(n_vocab: int, seed: int) -> Generator:
    torch.manual_seed(seed)
    network = Generator(n_vocab, d_embedding=4, d_hidden=16).double().eval()
    with torch.no_grad():
        network.output.weight.mul_(8)
        network.output.bias[EOS] -= 20
    return network


def test_random_weights_write_formulas_that_a_parser_accepts_under_any_budget():
    parser = lark.Lark(
        """start: t | start "+" t | start "*" t | start "/" t
        t: "(" start ")" | "sin(" start ")" | "exp(" start ")" | "x" | "1" | "2" | "3" """,
        parser="lalr",
    )
    vocab = (*SPECIALS, *"()*+/123einpsx")
    constraint, network = Language(vocab, FORMULAS), generator(len(vocab), 0)
    for budget in (2, 3, 4, 7, 12, 40):
        for row in FreeRun(network, constraint, budget, batch_size=16)(24).tokens.tolist():
            assert row.count(EOS) == 1
            parser.parse("".join(vocab[token] for token in row if token > UNK))


def test_free_running_refills_rows_that_hold_sets_of_stacks():
    constraint = language(WORLDS["palindromes"])
    network = generator(constraint.n_vocab, 1)
    with torch.no_grad():
        network.output.bias[EOS] += 20
    together = FreeRun(network, constraint, 12, batch_size=64)(64).tokens
    refilled = FreeRun(network, constraint, 12, batch_size=5)(64).tokens
    assert torch.equal(together, refilled)
    words = [[token for token in row if token > UNK] for row in together.tolist()]
    assert all(word == word[::-1] for word in words)
    assert len({len(word) for word in words}) > 4
