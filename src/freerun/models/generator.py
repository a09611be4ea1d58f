"""Generators: p(y_t | y_1 .. y_{t-1}) of every token, by one network that runs free or under a teacher.

`AbstractGenerator` is what sampling and methods ask for; `Generator` is the recurrent one.
"""

import abc
import copy
import dataclasses
from typing import Any, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.constraints.base import BOS
from freerun.models.recurrent import Recurrent
from freerun.rows import Rows


@dataclasses.dataclass(frozen=True)
class GeneratorState(Rows):
    """What a generator remembers of each row: hidden values, LSTM cells, and the context it was given."""

    h: Float[Tensor, "batch layers hidden"]
    c: Float[Tensor, "batch layers hidden"] | None = None
    context: Float[Tensor, "batch context"] | None = None


class AbstractGenerator(nn.Module, abc.ABC):
    """A network that gives logits of the next token, step by step or of a whole given sequence.

    Args:
        n_vocab: Size of the vocabulary.
        d_hidden: Width of the hidden state that `hidden` and `forward` tell.
        d_context: Width of the context that `start` takes; 0: none.
    """

    n_vocab: int
    d_hidden: int
    d_context: int

    @abc.abstractmethod
    def start(self, n: int, context: Float[Tensor, "batch context"] | None = None) -> Any:
        """The state, a `Rows`, before the first token.

        Raises:
            ValueError: If a context is missing, unexpected, or of the wrong width.
        """

    @abc.abstractmethod
    def step(
        self, x: Int[Tensor, " batch"] | Float[Tensor, "batch vocab"], state: Any
    ) -> tuple[Float[Tensor, "batch vocab"], Any]:
        """Logits of the next token after `x`: ids, or distributions over ids; and the state after it."""

    @abc.abstractmethod
    def forward(
        self, tokens: Int[Tensor, "batch time"], context: Float[Tensor, "batch context"] | None = None
    ) -> tuple[Float[Tensor, "batch time vocab"], Float[Tensor, "batch time hidden"]]:
        """Teacher forcing: logits of every token given the true ones before it, and the hidden states behind them."""

    @abc.abstractmethod
    def hidden(self, state: Any) -> Float[Tensor, "batch hidden"]:
        """The hidden state from which the last logits were computed."""

    @abc.abstractmethod
    def frozen(self) -> Self:
        """The network as it is now, for many steps without a gradient."""

    def refuse_context(self, context: Float[Tensor, "batch context"] | None) -> None:
        """Raises ValueError unless the context is of the width that this generator takes."""
        width = 0 if context is None else context.shape[-1]
        if width != self.d_context:
            raise ValueError(f"this generator takes a context of width {self.d_context}, not {width}")


class Generator(AbstractGenerator):
    """Embedding, recurrent layers, linear output.

    Args:
        n_vocab: Size of the vocabulary.
        cell: `lstm` or `gru`.
        d_embedding: Width of the embedding; 0: as wide as the vocabulary.
        d_hidden: Width of each recurrent layer.
        n_layers: Depth.
        dropout: On the outputs of each recurrent layer but the last, in training.
        dropout_output: On the outputs of the last layer, in training.
        tied: The output layer uses the embedding's weights (through a projection where the widths differ).
        d_context: Width of the context that leads the generator; 0: none.
        context_at: The context is joined to the input of each of the `steps`; or the first hidden state of each layer
            is a linear map of it (`start`); or `both`.
        init_std: All weights and biases begin as draws from N(0, init_std^2); 0: as PyTorch begins them.
        compute_dtype: Of the matrix products of the recurrent layers. Logits are always float32.
    """

    def __init__(
        self,
        n_vocab: int,
        *,
        cell: str = "lstm",
        d_embedding: int = 64,
        d_hidden: int = 512,
        n_layers: int = 1,
        dropout: float = 0.0,
        dropout_output: float = 0.0,
        tied: bool = False,
        d_context: int = 0,
        context_at: str = "steps",
        init_std: float = 0.0,
        compute_dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        d_embedding = d_embedding or n_vocab
        self.n_vocab, self.d_hidden, self.d_context = n_vocab, d_hidden, d_context
        self.dropout_output = dropout_output
        self.embedding = nn.Embedding(n_vocab, d_embedding)
        self.is_joined = d_context > 0 and context_at != "start"
        self.first = nn.Linear(d_context, n_layers * d_hidden) if d_context and context_at != "steps" else None
        d_in = d_embedding + (d_context if self.is_joined else 0)
        self.recurrent = Recurrent(cell, d_in, d_hidden, n_layers, dropout, compute_dtype)
        project = tied and d_hidden != d_embedding
        self.projection = nn.Linear(d_hidden, d_embedding) if project else nn.Identity()
        self.output = nn.Linear(d_embedding if project else d_hidden, n_vocab)
        if tied:
            nn.init.normal_(self.embedding.weight, std=d_embedding**-0.5)
            self.output.weight = self.embedding.weight
        if init_std:
            for weight in self.parameters():
                nn.init.normal_(weight, std=init_std)

    def frozen(self) -> "Generator":
        """The network as it is now, for many steps without a gradient: its weights are cast once, not each step."""
        if self.recurrent.compute_dtype == torch.float32 or self.embedding.weight.device.type != "cpu":
            return self
        network = copy.deepcopy(self)
        network.recurrent.layers.to(self.recurrent.compute_dtype)
        return network.eval()

    def start(self, n: int, context: Float[Tensor, "batch context"] | None = None) -> GeneratorState:
        self.refuse_context(context)
        h, c = self.recurrent.start(n)
        if self.first is not None and context is not None:
            h = self.first(context).unflatten(1, h.shape[1:]).to(h.dtype)  # (batch, layers, hidden)
        return GeneratorState(h, c, context)

    def step(
        self, x: Int[Tensor, " batch"] | Float[Tensor, "batch vocab"], state: GeneratorState
    ) -> tuple[Float[Tensor, "batch vocab"], GeneratorState]:
        embedded = x @ self.embedding.weight if x.is_floating_point() else self.embedding(x)
        out, h, c = self.recurrent(self._joined(embedded[:, None], state.context), state.h, state.c)
        return self.logits(out[:, 0]), GeneratorState(h, c, state.context)

    def forward(
        self, tokens: Int[Tensor, "batch time"], context: Float[Tensor, "batch context"] | None = None
    ) -> tuple[Float[Tensor, "batch time vocab"], Float[Tensor, "batch time hidden"]]:
        state = self.start(len(tokens), context)
        inputs = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], 1)
        hidden, _, _ = self.recurrent(self._joined(self.embedding(inputs), context), state.h, state.c)
        return self.logits(hidden), hidden.to(self.output.weight.dtype)

    def hidden(self, state: GeneratorState) -> Float[Tensor, "batch hidden"]:
        """The last layer's."""
        return state.h[:, -1]

    def logits(self, hidden: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch vocab"]:
        hidden = F.dropout(hidden.to(self.output.weight.dtype), self.dropout_output, self.training)
        return self.output(self.projection(hidden))

    def _joined(self, embedded: Tensor, context: Tensor | None) -> Tensor:
        if context is None or not self.is_joined:
            return embedded
        return torch.cat([embedded, context[:, None].expand(-1, embedded.shape[1], -1)], -1)
