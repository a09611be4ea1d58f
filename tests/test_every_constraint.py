"""Properties that hold for each constraint, run through the dict, against languages enumerated without it."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from freerun.chemistry import canonical
from freerun.constraints import CONSTRAINTS
from freerun.constraints.base import BOS, EOS, PAD, SPECIALS, UNK, AbstractConstraint
from freerun.models.generator import Generator
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob


@dataclasses.dataclass(frozen=True)
class World:
    """A constraint over a few words, and which strings of words its language holds, told independently.

    Args:
        settings: Of the constraint, beside its vocabulary.
        words: The vocabulary beyond the four special tokens.
        holds: Whether the language holds a string of these words.
        longest: Length up to which all strings of words are tried.
    """

    settings: dict[str, Any]
    words: tuple[str, ...]
    holds: Callable[[tuple[str, ...]], bool]
    longest: int = 8

    @functools.cached_property
    def language(self) -> frozenset[tuple[int, ...]]:
        """Ids with <eos> of every string of the language up to the length that is tried."""
        ids = {word: i for i, word in enumerate(self.words, len(SPECIALS))}
        tried = (words for n in range(self.longest + 1) for words in itertools.product(self.words, repeat=n))
        return frozenset((*(ids[word] for word in words), EOS) for words in tried if self.holds(words))

    @property
    def shortest(self) -> int:
        """The least budget."""
        return min(map(len, self.language))


def balanced(words: tuple[str, ...]) -> bool:
    half = len(words) // 2
    return half > 0 and words == ("a",) * half + ("b",) * half


def is_sum(words: tuple[str, ...]) -> bool:
    return len(words) % 2 == 1 and set(words[::2]) == {"x"} and set(words[1::2]) <= {"+"}


def derivation_of(rules: dict[str, tuple[str, str]]) -> Callable[[tuple[str, ...]], bool]:
    """Whether words, names of rules (left side, nonterminals of the right side), expand the start symbol S."""

    def holds(words: tuple[str, ...]) -> bool:
        due = "S"
        for word in words:
            left, right = rules[word]
            if not due or due[0] != left:
                return False
            due = right + due[1:]
        return not due

    return holds


def matches(pattern: str, separator: str = "") -> Callable[[tuple[str, ...]], bool]:
    return lambda words: re.fullmatch(pattern, separator.join(words)) is not None


RULES = {"S -> 'a' S 'b'": ("S", "S"), "S -> T T": ("S", "TT"), "T -> 'c'": ("T", ""), "T -> ε": ("T", "")}
GRAMMAR = "S -> 'a' S 'b' | T T\nT -> 'c' |"
WORLDS = {
    "anything": [World({}, ("x", "y", "z"), lambda words: True, 5)],
    "length": [  # its words may come in any order
        World({"shortest": 0, "longest": 3}, ("x", "y", "z"), lambda words: len(words) <= 3, 5),
        World({"shortest": 2, "longest": 2}, ("x", "y", "z"), lambda words: len(words) == 2, 5),
        World({"shortest": 1}, ("x", "y", "z"), lambda words: len(words) >= 1, 5),
    ],
    "automaton": [
        World({"pattern": "a(bc?)*|c+"}, ("a", "b", "c"), matches("a(bc?)*|c+")),
        World({"pattern": "(ab|aab)*c"}, ("a", "ab", "c"), matches("(ab|aab)*c")),
        World({"pattern": "a( b a)*", "separator": " "}, ("a", "b", "c"), matches("a( b a)*", " ")),
    ],
    "productions": [World({"grammar": GRAMMAR}, tuple(RULES), derivation_of(RULES))],
    "grammar": [
        World({"grammar": "S -> 'a' S 'b' | 'a' 'b'"}, ("a", "b"), balanced),
        World({"grammar": "S -> S S | 'a'"}, ("a", "b"), lambda words: 0 < len(words) == words.count("a")),
        World({"grammar": "S -> 'a' S 'a' | 'b' S 'b' | 'a' | 'b' |"}, ("a", "b"), lambda words: words == words[::-1]),
        World({"grammar": "E -> E '+' E | 'x'"}, ("x", "+"), is_sum),
        World({"grammar": "S -> A B 'c'\nA -> 'a' A |\nB -> 'b' |"}, ("a", "b", "c"), matches("a*b?c")),
        World({"grammar": "S -> T 'c' |\nT -> 'a' T 'b' |"}, ("ab", "a", "bc", "c"), matches("|(ab|aabb|aaabbb|)c"), 4),
    ],
    "kekule": [
        World({}, ("C", "N", "O", "=", "(", ")"), lambda words: canonical("".join(words)) is not None, 5),
        World({}, ("C", "O", "1", "2"), lambda words: canonical("".join(words)) is not None, 6),
    ],
}
CASES = [(name, world) for name, worlds in WORLDS.items() for world in worlds]


def test_every_constraint_has_a_world():
    assert set(WORLDS) == set(CONSTRAINTS)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]} {case[1].settings or case[1].words}")
def case(request) -> tuple[str, World]:
    return request.param


@pytest.fixture
def world(case) -> World:
    return case[1]


@pytest.fixture
def constraint(case) -> AbstractConstraint:
    """Built as a configuration does: with the vocabulary, or its size, where the constraint asks for it."""
    name, world = case
    kind: Any = CONSTRAINTS[name]
    told = {"vocab": (*SPECIALS, *world.words), "n_vocab": len(SPECIALS) + len(world.words)}
    fields = {field.name for field in dataclasses.fields(kind) if field.init}
    return kind(**{key: value for key, value in told.items() if key in fields}, **world.settings)


def generator(constraint: AbstractConstraint, bias: float = 0.0) -> Generator:
    torch.manual_seed(3)
    network = Generator(constraint.n_vocab, d_embedding=4, d_hidden=8).double().eval()
    with torch.no_grad():
        network.output.weight.mul_(8)
        network.output.bias[EOS] += bias
    return network


def walked(constraint: AbstractConstraint, budget: int) -> set[tuple[int, ...]]:
    """Every string that the masks allow: all prefixes of one length are advanced as one batch."""
    found: set[tuple[int, ...]] = set()
    prefixes: list[tuple[int, ...]] = [()]
    state: Any = constraint.start(1, budget)
    while prefixes:
        allowed = constraint.allowed(state)
        assert allowed.any(1).all(), "a dead end"
        rows, tokens = allowed.nonzero(as_tuple=True)
        longer = [(*prefixes[row], token) for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)]
        found |= {prefix for prefix in longer if prefix[-1] == EOS}
        assert not any(prefix[-1] in (PAD, BOS, UNK) for prefix in longer)
        state = constraint.advance(state[rows], tokens)
        goes_on = tokens != EOS
        assert (constraint.allowed(state)[~goes_on].nonzero()[:, 1] == PAD).all()
        state, prefixes = state[goes_on], [prefix for prefix in longer if prefix[-1] != EOS]
    return found


def padded(rows, width: int) -> torch.Tensor:
    return torch.tensor([[*row, *[PAD] * (width - len(row))] for row in rows])


def test_allowed_strings_are_those_of_the_language_at_every_budget(constraint, world):
    for budget in range(world.shortest, world.longest + 2):
        assert walked(constraint, budget) == {row for row in world.language if len(row) <= budget}


def test_probabilities_of_all_strings_sum_to_one(constraint, world):
    budget = world.shortest + 2
    rows = padded(walked(constraint, budget), budget)
    total = log_prob(generator(constraint), rows, constraint, budget=budget).sum(1).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-12)


def test_sampled_frequencies_are_the_probabilities(constraint, world):
    network, budget = generator(constraint), world.shortest + 2
    rows = padded(sorted(walked(constraint, budget)), budget)
    probabilities = log_prob(network, rows, constraint, budget=budget).sum(1).exp()
    n = 4000
    drawn = FreeRun(network, constraint, budget, seed=1, batch_size=700)(n).tokens
    drawn = torch.nn.functional.pad(drawn, (0, budget - drawn.shape[1]))
    counts = torch.tensor([(drawn == row).all(1).sum() for row in rows])
    assert int(counts.sum()) == n
    errors = (counts - n * probabilities) / (n * probabilities * (1 - probabilities)).sqrt().clamp(min=1)
    assert errors.abs().max() < 4.5


@pytest.mark.parametrize("bias", [-30.0, 0.0, 30.0])
def test_adversarial_weights_write_the_language_inside_the_budget(constraint, world, bias):
    network = generator(constraint, bias)
    for budget in (*range(world.shortest, world.shortest + 6), 25):
        tokens = FreeRun(network, constraint, budget, batch_size=16)(40).tokens
        assert tokens.shape[1] <= budget
        for row in tokens.tolist():
            written = row[: row.index(EOS)]
            assert row[row.index(EOS) + 1 :] == [PAD] * (len(row) - len(written) - 1)
            assert world.holds(tuple(world.words[token - len(SPECIALS)] for token in written))


def test_states_are_forked_by_rows_and_joined_in_place(constraint, world):
    first, budget = min(world.language, key=len), world.shortest + 3
    state = constraint.start(3, torch.tensor([budget - 1, budget, budget + 1]))
    state = constraint.advance(state, torch.full((3,), first[0]))
    forked = state[torch.tensor([2, 2, 1])]
    alone = constraint.advance(constraint.start(1, budget + 1), torch.tensor([first[0]]))
    assert torch.equal(constraint.allowed(forked)[:1], constraint.allowed(alone))
    fresh = constraint.start(1, budget + 1)
    forked.put(torch.tensor([1]), fresh)
    expected = torch.cat([constraint.allowed(part) for part in (alone, fresh, state[1:2])])
    assert torch.equal(constraint.allowed(forked), expected)


def test_replay_gives_the_masks_of_the_walk(constraint, world):
    budget = world.longest + 1
    rows = sorted(world.language, key=lambda row: (len(row), row))[:: max(1, len(world.language) // 20)]
    tokens = padded(rows, budget)
    masks = constraint.replay(tokens, budget)
    assert masks.gather(2, tokens[..., None]).all()
    assert (masks.nonzero()[:, 2] != UNK).all()
    for row, mask in zip(tokens, masks, strict=True):
        state = constraint.start(1, budget)
        for token, allowed in zip(row, mask, strict=True):
            assert torch.equal(constraint.allowed(state)[0], allowed)
            state = constraint.advance(state, token[None])


def test_a_forbidden_token_scores_minus_infinity_and_never_nan(constraint, world):
    budget, n = world.longest + 1, constraint.n_vocab
    first = min(world.language, key=len)[0]
    dead = torch.tensor([[BOS, n - 1, EOS, PAD], [first, PAD, EOS, PAD], [PAD, PAD, PAD, PAD], [UNK, EOS, PAD, PAD]])
    scores = log_prob(generator(constraint), dead, constraint, budget=budget)
    assert (scores.sum(1) == -torch.inf).all()
    assert not scores.isnan().any()


def test_a_reason_is_given_for_what_is_forbidden_and_for_nothing_else(constraint, world):
    for row in sorted(world.language)[:5]:
        state = constraint.start(1, world.longest + 1)
        for token in row:
            allowed = constraint.allowed(state)[0].tolist()
            for other, fine in enumerate(allowed):
                assert bool(constraint.reason(state, other)) != fine
            state = constraint.advance(state, torch.tensor([token]))


def test_a_budget_below_the_shortest_string_is_refused(constraint, world):
    with pytest.raises(ValueError, match="below the shortest string"):
        constraint.start(2, world.shortest - 1)
