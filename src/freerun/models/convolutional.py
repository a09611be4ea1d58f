"""The networks of the published Grammar VAE: a convolutional encoder, and a decoder that never sees what it wrote.

Kusner, Paige & Hernandez-Lobato 2017, arXiv:1703.01925, and its code, github.com/mkusner/grammarVAE (model_zinc.py,
model_eq.py): one-hot sequences of fixed length; three convolutions and a dense layer; z through a dense layer, the
same input at every step of three GRUs, whose outputs are the logits of all positions at once.

Where these differ from that code: PyTorch's GRU (logistic gates, reset after the product) and initial weights in place
of Keras 1's (hard sigmoid, reset before; Glorot and orthogonal).
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.constraints.base import PAD
from freerun.models.generator import AbstractGenerator
from freerun.models.recurrent import Recurrent
from freerun.rows import Rows

MOMENTUM, EPSILON = 0.01, 1e-3  # Keras's 0.99 and 1e-3


class ConvolutionalEncoder(nn.Module):
    """Convolutions over the one-hot sequence, a dense layer, and two linear maps: mean and log-variance of the code.

    Args:
        n_positions: Length to which sequences are padded; `<pad>` is a class like any other.
        filters: Channels of each convolution.
        widths: Positions that each convolution sees; nothing is added at the borders.
        d_dense: Width of the dense layer.
        batch_norm: After each convolution (formulas have it, molecules do not).

    Raises:
        ValueError: If filters and widths differ in number, or the convolutions are wider than the sequence.
    """

    def __init__(
        self,
        n_vocab: int,
        n_positions: int,
        d_latent: int,
        *,
        filters: tuple[int, ...],
        widths: tuple[int, ...],
        d_dense: int,
        batch_norm: bool = False,
    ):
        super().__init__()
        if len(filters) != len(widths) or not filters:
            raise ValueError(f"{len(filters)} filters and {len(widths)} widths; give one width for each convolution")
        n_left = n_positions - sum(width - 1 for width in widths)
        if n_left < 1:
            raise ValueError(
                f"convolutions of widths {widths} need sequences of {n_positions - n_left + 1} tokens at least, and "
                f"the longest have {n_positions} with <eos>; choose smaller widths"
            )
        self.n_vocab, self.n_positions = n_vocab, n_positions
        layers, channels = [], n_vocab
        for n_filters, width in zip(filters, widths, strict=True):
            layers += [nn.Conv1d(channels, n_filters, width), nn.ReLU()]
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_filters, EPSILON, MOMENTUM))
            channels = n_filters
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Linear(channels * n_left, d_dense)
        self.mean, self.log_var = nn.Linear(d_dense, d_latent), nn.Linear(d_dense, d_latent)

    def forward(
        self, tokens: Int[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log-variance of each code. Columns beyond `n_positions`, where only padding may be, are not read."""
        padded = F.pad(tokens, (0, self.n_positions - tokens.shape[1]), value=PAD)
        x = F.one_hot(padded, self.n_vocab).to(self.dense.weight.dtype).transpose(1, 2)  # (batch, vocab, positions)
        hidden = F.relu(self.dense(self.convolutions(x).flatten(1)))
        return self.mean(hidden), self.log_var(hidden)


@dataclasses.dataclass(frozen=True)
class SheetState(Rows):
    """All that a row may ever be asked for, and how much of it has been read."""

    logits: Float[Tensor, "batch positions vocab"]
    position: Int[Tensor, " batch"]


class SheetDecoder(AbstractGenerator):
    """Logits of all positions from the code alone: p(y | z) = prod_t p(y_t | z), but for the masks of the constraint.

    Its hidden states are the logits themselves: it has no memory of what was written. Positions beyond `n_positions`
    repeat the last one.

    Args:
        n_positions: Most tokens of a sequence, `<eos>` included.
        d_context: Width of the code z.
        cell: `gru` as published, or `lstm`.
        d_hidden: Width of each recurrent layer.
        n_layers: Depth.
        batch_norm: On the code (formulas have it, molecules do not).
        compute_dtype: Of the matrix products of the recurrent layers. Logits are always float32.
    """

    def __init__(
        self,
        n_vocab: int,
        n_positions: int,
        d_context: int,
        *,
        cell: str = "gru",
        d_hidden: int = 501,
        n_layers: int = 3,
        dropout: float = 0.0,
        batch_norm: bool = False,
        compute_dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.n_vocab, self.d_hidden, self.d_context = n_vocab, n_vocab, d_context
        self.n_positions = n_positions
        self.norm = nn.BatchNorm1d(d_context, EPSILON, MOMENTUM) if batch_norm else None
        self.dense = nn.Linear(d_context, d_context)
        self.recurrent = Recurrent(cell, d_context, d_hidden, n_layers, dropout, compute_dtype)
        self.output = nn.Linear(d_hidden, n_vocab)

    def frozen(self) -> "SheetDecoder":
        return self

    def start(self, n: int, context: Float[Tensor, "batch context"] | None = None) -> SheetState:
        """Rows with the same code share the work: a code decoded a hundred times passes through the network once."""
        self.refuse_context(context)
        assert context is not None
        distinct, row = torch.unique(context, dim=0, return_inverse=True)
        return SheetState(self._sheet(distinct)[row], torch.zeros(n, dtype=torch.long, device=context.device))

    def step(
        self, x: Int[Tensor, " batch"] | Float[Tensor, "batch vocab"], state: SheetState
    ) -> tuple[Float[Tensor, "batch vocab"], SheetState]:
        """Logits of the next position, whatever `x` is."""
        read = SheetState(state.logits, state.position + 1)
        return self.hidden(read), read

    def forward(
        self, tokens: Int[Tensor, "batch time"], context: Float[Tensor, "batch context"] | None = None
    ) -> tuple[Float[Tensor, "batch time vocab"], Float[Tensor, "batch time vocab"]]:
        """Logits of as many positions as `tokens` has, twice: they are the hidden states too."""
        self.refuse_context(context)
        assert context is not None
        positions = torch.arange(tokens.shape[1], device=tokens.device).clamp(max=self.n_positions - 1)
        logits = self._sheet(context)[:, positions]
        return logits, logits

    def hidden(self, state: SheetState) -> Float[Tensor, "batch vocab"]:
        rows = torch.arange(len(state.position), device=state.position.device)
        return state.logits[rows, (state.position - 1).clamp(0, self.n_positions - 1)]

    def _sheet(self, z: Float[Tensor, "batch context"]) -> Float[Tensor, "batch positions vocab"]:
        x = F.relu(self.dense(self._normalised(z)))
        steps = x[:, None].expand(-1, self.n_positions, -1)
        hidden, _, _ = self.recurrent(steps, *self.recurrent.start(len(z)))
        return self.output(hidden.to(self.output.weight.dtype))

    def _normalised(self, z: Float[Tensor, "batch context"]) -> Float[Tensor, "batch context"]:
        if self.norm is None:
            return z
        if self.training and len(z) == 1:  # one row has no variance: the last batch of an epoch may be one
            norm = self.norm
            return F.batch_norm(z, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        return self.norm(z)
