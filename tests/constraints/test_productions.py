"""Derivations under the stack, against every derivation of tiny grammars written out by hand."""

import itertools
from typing import Any

import pytest
import torch

from freerun.constraints.base import EOS, PAD
from freerun.constraints.productions import FIRST, Productions
from freerun.grammars.grammar import Grammar
from freerun.models.generator import Generator
from freerun.rows import concat
from freerun.sampling.free_run import FreeRun

TINY = {
    "anbn": "S -> 'a' S 'b' | 'a' 'b'",
    "twice": "S -> S S | 'a'",
    "palindromes": "S -> 'a' S 'a' | 'b' S 'b' | 'a' | 'b' |",
    "sums": "E -> E '+' E | 'x'",
    "empty": "S -> A B 'c'\nA -> 'a' A |\nB -> 'b' |",
    "formulas": "S -> S '+' T | S '*' T | T\nT -> '(' S ')' | 'x' | '1'",
}


def derivations(grammar: Grammar, longest: int) -> set[tuple[int, ...]]:
    """Every complete leftmost derivation of at most `longest` rules, by expanding the leftmost nonterminal."""
    found: set[tuple[int, ...]] = set()
    fronts: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), (0,))]
    while fronts:
        rules, due = fronts.pop()
        if not due:
            found.add(rules)
        elif len(rules) + len(due) <= longest:
            for number in grammar.rules_of[due[0]]:
                right = tuple(s for s in grammar.rules[number].right if isinstance(s, int))
                fronts.append(((*rules, number), right + due[1:]))
    return {rules for rules in found if len(rules) <= longest}


def walked(constraint: Productions, budget: int) -> set[tuple[int, ...]]:
    found: set[tuple[int, ...]] = set()
    fronts: list[tuple[tuple[int, ...], Any]] = [((), constraint.start(1, budget))]
    while fronts:
        rules, state = fronts.pop()
        for token in constraint.allowed(state)[0].nonzero()[:, 0].tolist():
            after = constraint.advance(state, torch.tensor([token]))
            if token == EOS:
                assert constraint.allowed(after)[0].nonzero().tolist() == [[PAD]]
                found.add(rules)
            else:
                assert constraint.allowed(after).any(), "a dead end"
                fronts.append(((*rules, token - FIRST), after))
    return found


@pytest.mark.parametrize("text", TINY.values(), ids=TINY)
@pytest.mark.parametrize("budget", range(4, 9))
def test_what_may_be_written_is_every_derivation_that_fits(text, budget):
    constraint = Productions(text)
    assert walked(constraint, budget) == derivations(constraint.compiled, budget - 1)


@pytest.mark.parametrize("text", TINY.values(), ids=TINY)
def test_random_weights_end_inside_every_budget(text):
    constraint = Productions(text)
    torch.manual_seed(0)
    network = Generator(constraint.n_vocab, d_embedding=4, d_hidden=8)
    with torch.no_grad():
        network.output.weight.mul_(9)
    for budget in range(constraint.compiled.n_needed[0] + 1, 30):
        tokens = FreeRun(network, constraint, budget, seed=budget, batch_size=16)(40).tokens
        assert tokens.shape[1] <= budget
        for row in tokens.tolist():
            rules = [token - FIRST for token in row[: row.index(EOS)]]
            due = [0]
            for number in rules:
                rule = constraint.compiled.rules[number]
                assert rule.left == due.pop()
                due += [s for s in rule.right if isinstance(s, int)][::-1]
            assert not due


def test_rows_are_forked_put_and_joined():
    constraint = Productions(TINY["formulas"])
    state = constraint.start(3, torch.tensor([6, 7, 8]))
    state = constraint.advance(state, torch.tensor([FIRST, FIRST + 2, FIRST + 2]))
    forked = state[torch.tensor([0, 0, 2])]
    assert torch.equal(constraint.allowed(forked)[1], constraint.allowed(state)[0])
    fresh = constraint.start(1, 8)
    forked.put(torch.tensor([1]), fresh)
    assert torch.equal(constraint.allowed(forked)[1], constraint.allowed(fresh)[0])
    joined = concat([state, constraint.start(2, 8)])
    assert len(joined) == 5


def test_reasons_name_what_is_due():
    constraint = Productions(TINY["formulas"])
    state = constraint.start(1, 4)
    assert constraint.reason(state, FIRST + 2) == ""
    assert constraint.reason(state, FIRST + 4) == "S is due, this is a rule of another nonterminal"
    assert constraint.reason(state, EOS) == "S is still due"
    assert constraint.reason(state, FIRST) == "4 more productions would be owed, 3 fit"
    state = constraint.advance(state, torch.tensor([FIRST + 2]))
    assert constraint.reason(state, FIRST + 3) == "3 more productions would be owed, 2 fit"


def test_a_budget_below_the_shortest_derivation_is_refused():
    with pytest.raises(ValueError, match="below the shortest string"):
        Productions(TINY["formulas"]).start(1, 2)


def test_a_broken_row_is_dead_and_the_others_go_on():
    constraint = Productions(TINY["anbn"])
    rows = torch.tensor([[FIRST, FIRST + 1, EOS], [FIRST, EOS, PAD], [EOS, PAD, PAD]])
    masks = constraint.replay(rows, 5)
    own = masks.gather(2, rows[..., None])[..., 0]
    assert own.tolist() == [[True, True, True], [True, False, True], [False, True, True]]
    assert all(masks[row, step].any() for row, step in itertools.product(range(3), range(3)))
