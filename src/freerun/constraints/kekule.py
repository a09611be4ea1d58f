"""SMILES in Kekule form that RDKit reads and sanitises, whatever the weights: `Kekule`."""

import dataclasses

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freerun.constraints.base import AbstractConstraint, budgets
from freerun.constraints.kekule_masks import masks
from freerun.constraints.kekule_reason import objection
from freerun.constraints.kekule_state import KekuleState, empty, moved
from freerun.constraints.kekule_tables import tables_of
from freerun.constraints.kekule_tokens import tokens_of_kekule


@dataclasses.dataclass(frozen=True)
class Kekule(AbstractConstraint[KekuleState]):
    """Molecules of one part without aromatic symbols, token by token.

    Args:
        vocab: The tokens, those of the representation `smiles` with `kekule = true`, the special ones first.

    Raises:
        ValueError: If no token is an atom.
    """

    vocab: tuple[str, ...]

    def __post_init__(self):
        tokens_of_kekule(self.vocab)

    @property
    def n_vocab(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return len(self.vocab)

    @property
    def code_version(self) -> str:
        """RDKit is asked for valences: another version of it may give other masks."""
        from rdkit import rdBase

        return f"2, rdkit {rdBase.rdkitVersion}"

    @property
    def refused_tokens(self) -> tuple[str, ...]:
        """The tokens that this form cannot say: aromatic symbols, `.`, bonds but `- = # / \\`, atoms RDKit refuses."""
        return tokens_of_kekule(self.vocab).refused

    def start(self, n: int, budget: int | Int[Tensor, " batch"], device: torch.device | str = "cpu") -> KekuleState:
        left = budgets(budget, n, 2, device)
        tables = tables_of(self.vocab, left.device)
        state = empty(n, left, tables.n_labels, self.n_vocab)
        return dataclasses.replace(state, allowed=masks(state, tables))

    def allowed(self, state: KekuleState) -> Bool[Tensor, "batch vocab"]:
        return state.allowed

    def advance(self, state: KekuleState, tokens: Int[Tensor, " batch"]) -> KekuleState:
        tables = tables_of(self.vocab, tokens.device)
        state = moved(state, tokens, tables)
        return dataclasses.replace(state, allowed=masks(state, tables))

    def _objection(self, state: KekuleState, token: int) -> str:
        tokens, tables = tokens_of_kekule(self.vocab), tables_of(self.vocab, state.left.device)
        return objection(state, token, self.vocab, tokens, tables)
