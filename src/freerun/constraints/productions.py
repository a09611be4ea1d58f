"""Derivations of a context-free grammar: each token is a production rule, and a stack says which nonterminal is due.

Source: Kusner, Paige and Hernandez-Lobato 2017, arXiv:1703.01925, section 3.2. Theirs let derivations run out of steps
with nonterminals left over. Here the fewest productions that finish the stack are kept as a running sum, and a rule
is allowed only if what is then owed fits into the budget:

    1 + need(stack) - need(A) + sum_i need(B_i) + 1 <= left        for A -> .. B_1 .. B_k .., <eos> the last 1
"""

import dataclasses
import functools

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import EOS, PAD, SPECIALS, UNK, AbstractConstraint, budgets
from freerun.grammars.grammar import Grammar
from freerun.grammars.reading import grammar_of
from freerun.rows import Rows

FIRST = len(SPECIALS)  # the id of rule 0


@dataclasses.dataclass(frozen=True)
class DerivationState(Rows):
    """The nonterminals that are still due, the next one on top.

    Args:
        stack: Bottom first; what stands from `height` on means nothing.
        need: Fewest productions that finish all of the stack.
        left: Tokens that may still be written.
        closed: The row has ended, or broken the rule.
    """

    stack: Int[Tensor, "batch depth"]
    height: Int[Tensor, " batch"]
    need: Int[Tensor, " batch"]
    left: Int[Tensor, " batch"]
    closed: Bool[Tensor, " batch"]


@dataclasses.dataclass(frozen=True)
class Productions(AbstractConstraint[DerivationState]):
    """Leftmost derivations, in pre-order, then `<eos>`. Token 4 + r is rule r of the grammar.

    Args:
        grammar: The text of the grammar.

    Raises:
        GrammarError: If the text is no grammar.
    """

    grammar: str
    n_vocab: int = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "n_vocab", FIRST + len(self.compiled.rules))

    @property
    def compiled(self) -> Grammar:
        return _compiled(self.grammar)

    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> DerivationState:
        need = self.compiled.n_needed[0]
        left = budgets(budget, n, need + 1, device)
        # Each nonterminal on the stack needs at least one production: never more of them than tokens left.
        width = (int(left.max()) if n else 0) + _tables(self.grammar, torch.device("cpu")).push.shape[1] + 1
        return DerivationState(
            stack=torch.zeros(n, width, dtype=torch.int32, device=device),
            height=torch.ones_like(left),
            need=torch.full_like(left, need),
            left=left,
            closed=torch.zeros_like(left, dtype=torch.bool),
        )

    def allowed(self, state: DerivationState) -> Bool[Tensor, "batch vocab"]:
        tables = _tables(self.grammar, state.stack.device)
        due = self._due(state)
        spare = state.left - state.need - 1  # productions beyond the cheapest way to the end
        return tables.rules_of[due] & (tables.extra <= spare[:, None])

    def advance(self, state: DerivationState, tokens: Int[Tensor, " batch"]) -> DerivationState:
        tables = _tables(self.grammar, state.stack.device)
        due = self._due(state)
        extra = tables.extra[tokens]
        goes_on = tables.rules_of[due, tokens] & (extra <= state.left - state.need - 1) & (tokens > UNK)
        tokens = torch.where(goes_on, tokens, PAD)
        # The due nonterminal gives place to those of its rule, the last of them deepest.
        top = (state.height - 1).clamp(min=0)
        places = top[:, None] + torch.arange(tables.push.shape[1], device=tokens.device)
        return DerivationState(
            stack=state.stack.scatter(1, places, tables.push[tokens]),
            height=torch.where(goes_on, top + tables.n_push[tokens], state.height),
            need=state.need + torch.where(goes_on, extra, 0) - goes_on.long(),
            left=state.left - 1,
            closed=~goes_on,
        )

    def _due(self, state: DerivationState) -> Int[Tensor, " batch"]:
        """The nonterminal on top; then two rows of the tables for what is due without one: `<eos>`, `<pad>`."""
        n = len(self.compiled.nonterminals)
        top = state.stack.gather(1, (state.height - 1).clamp(min=0)[:, None])[:, 0].long()
        return torch.where(state.closed, n + 1, torch.where(state.height > 0, top, n))

    def _objection(self, state: DerivationState, token: int) -> str:
        grammar = self.compiled
        due = int(self._due(state)[0])
        name = grammar.nonterminals[due] if due < len(grammar.nonterminals) else "<eos>"
        if token == EOS:
            return f"{name} is still due"
        rule = grammar.rules[token - FIRST]
        if rule.left != due:
            return f"{name} is due, this is a rule of another nonterminal"
        owed = int(_tables(self.grammar, torch.device("cpu")).extra[token] + state.need[0])
        return f"{owed} more productions would be owed, {int(state.left[0]) - 1} fit"


@functools.cache
def _compiled(text: str) -> Grammar:
    return grammar_of(text)


@dataclasses.dataclass(frozen=True)
class _Tables:
    """Args:
    rules_of: Which tokens may come where a nonterminal is due; then where only `<eos>`, only `<pad>` may.
    extra: Productions that a rule asks for beyond the cheapest one of its left side.
    push: Nonterminals of its right side, the last first.
    n_push: How many.
    """

    rules_of: Bool[Tensor, "due vocab"]
    extra: Int[Tensor, " vocab"]
    push: Int[Tensor, "vocab most"]
    n_push: Int[Tensor, " vocab"]


@functools.cache
def _tables(text: str, device: torch.device) -> _Tables:
    grammar = _compiled(text)
    n, n_vocab = len(grammar.nonterminals), FIRST + len(grammar.rules)
    needs = grammar.n_needed
    rights = [[s for s in rule.right if isinstance(s, int)] for rule in grammar.rules]
    rules_of = np.zeros((n + 2, n_vocab), bool)
    rules_of[n, EOS] = rules_of[n + 1, PAD] = True
    extra, n_push = np.zeros(n_vocab, np.int64), np.zeros(n_vocab, np.int64)
    extra[:FIRST] = np.iinfo(np.int32).min  # specials: whether they may come does not hang on the budget
    push = np.zeros((n_vocab, max(1, max(map(len, rights)))), np.int32)
    for number, (rule, right) in enumerate(zip(grammar.rules, rights, strict=True), FIRST):
        rules_of[rule.left, number] = True
        extra[number] = 1 + sum(needs[s] for s in right) - needs[rule.left]
        push[number, : len(right)] = right[::-1]
        n_push[number] = len(right)
    return _Tables(*(torch.from_numpy(table).to(device) for table in (rules_of, extra, push, n_push)))
