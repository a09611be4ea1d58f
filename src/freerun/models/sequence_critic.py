"""Critics of whole sequences: how much a sequence looks like one of the corpus.

The convolutional one is that of Yu et al. 2017, arXiv:1609.05473, appendix B, and of its code,
github.com/LantaoYu/SeqGAN (discriminator.py): an embedding, convolutions of many widths, for each filter the maximum
over time, a highway layer, dropout, a linear layer. Its initial weights are that code's. The recurrent one is a
bidirectional GRU, averaged over the sequence's own steps.

Where they differ from that code:

- One logit instead of two: what a softmax over two depends on is their difference.
- Sequences differ in length. A window lies inside its sequence; a sequence shorter than a filter is filled up with
  zeros to one window. So a sequence as long as the widest filter is read as there, and padding is never read.
- `l2` is times the squared norm. That code halves the norm and shares it between two logits: its 0.2 is 0.05 here.
"""

import dataclasses
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from freerun.constraints.base import PAD


@dataclasses.dataclass(frozen=True)
class CriticShape:
    """What the critic is made of: the table `[method.critic]`. The defaults are the published widths.

    Args:
        kind: `convolutional` or `recurrent`.
        d_embedding: Width of the embedding.
        widths: Tokens that each bank of filters sees (convolutional).
        filters: Filters of each bank (convolutional).
        d_hidden: Width of the GRU in each direction (recurrent).
        dropout: Before the last layer, in training.
        l2: Weight of the penalty: the squared norm of the last layer's weights and bias.
        spectral: The weights of the embedding, of each linear layer and convolution are divided by their largest
            singular value (Miyato et al. 2018, arXiv:1802.05957), as critics of the Wasserstein distance ask for.

    Raises:
        ValueError: If widths and filters differ in number, or one of them is below 1, or `spectral` is asked of a
            recurrent critic, whose states it would not bound.
    """

    kind: Literal["convolutional", "recurrent"] = "convolutional"
    d_embedding: int = 64
    widths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20)
    filters: tuple[int, ...] = (100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160)
    d_hidden: int = 128
    dropout: float = 0.25
    l2: float = 0.05
    spectral: bool = False

    def __post_init__(self):
        if len(self.widths) != len(self.filters) or not self.widths:
            raise ValueError(
                f"{len(self.widths)} widths and {len(self.filters)} filters; give one number of filters a width"
            )
        if min(*self.widths, *self.filters) < 1:
            raise ValueError(f"widths {self.widths} and filters {self.filters} must be at least 1")
        if self.spectral and self.kind == "recurrent":
            raise ValueError("spectral normalisation bounds a convolutional critic; set critic.kind = 'convolutional'")

    def build(self, n_vocab: int) -> "SequenceCritic":
        if self.kind == "recurrent":
            reader = MeanOfStates(self.d_embedding, self.d_hidden)
        else:
            reader = MaxOverTime(self.d_embedding, self.widths, self.filters)
        critic = SequenceCritic(n_vocab, self.d_embedding, reader, self.dropout, self.l2)
        if self.spectral:
            bounded = (nn.Embedding, nn.Linear, nn.Conv2d)
            for layer in [layer for layer in critic.modules() if isinstance(layer, bounded)]:
                spectral_norm(layer)
        return critic


class MaxOverTime(nn.Module):
    """Convolutions, the maximum of each filter over its windows, and a highway layer.

    h = max over time of relu(W * x + b);   t = s(W_t h + b_t);   out = t relu(W_h h + b_h) + (1 - t) h
    """

    def __init__(self, d_embedding: int, widths: tuple[int, ...], filters: tuple[int, ...]):
        super().__init__()
        self.widest, self.width = max(widths), sum(filters)
        # Two-dimensional of height 1: PyTorch then reads (batch, time, embedding) as it lies, half as fast again.
        banks = [nn.Conv2d(d_embedding, n, (1, width)) for width, n in zip(widths, filters, strict=True)]
        self.banks, self.widths = nn.ModuleList(banks), widths
        self.gate, self.transform = nn.Linear(self.width, self.width), nn.Linear(self.width, self.width)
        for bank in banks:
            _published_(bank)
        for layer in (self.gate, self.transform):
            nn.init.xavier_uniform_(layer.weight)

    def forward(
        self, x: Float[Tensor, "batch time embedding"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch width"]:
        x = F.pad(x, (0, 0, 0, max(0, self.widest - x.shape[1])))
        image = x.transpose(1, 2)[:, :, None]  # (batch, embedding, 1, time)
        starts = torch.arange(x.shape[1], device=x.device)
        peaks = []
        for bank, width in zip(self.banks, self.widths, strict=True):
            beyond = starts[: len(starts) - width + 1] > (lengths - width).clamp(min=0)[:, None]  # (batch, windows)
            barred = torch.zeros_like(beyond, dtype=x.dtype).masked_fill(beyond, -torch.inf)
            peaks.append(bank(image).add_(barred[:, None, None]).amax((2, 3)))
        h = torch.cat(peaks, 1).relu()
        return torch.lerp(h, self.transform(h).relu(), self.gate(h).sigmoid())


class MeanOfStates(nn.Module):
    """A bidirectional GRU; the mean of its states over the sequence's own steps."""

    def __init__(self, d_embedding: int, d_hidden: int):
        super().__init__()
        self.width = 2 * d_hidden
        self.layers = nn.GRU(d_embedding, d_hidden, batch_first=True, bidirectional=True)

    def forward(
        self, x: Float[Tensor, "batch time embedding"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch width"]:
        steps = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.layers(steps)[0], batch_first=True)  # zero beyond each one's end
        return states.sum(1) / lengths[:, None]


class SequenceCritic(nn.Module):
    """Embedding, a reader of the whole sequence, dropout, and one number.

    Args:
        reader: Embedded sequences and their lengths -> features, `width` of them.
        dropout: On the features, in training.
        l2: Weight of the penalty.
    """

    def __init__(self, n_vocab: int, d_embedding: int, reader: MaxOverTime | MeanOfStates, dropout: float, l2: float):
        super().__init__()
        self.l2 = l2
        self.embedding = nn.Embedding(n_vocab, d_embedding)
        nn.init.uniform_(self.embedding.weight, -1.0, 1.0)
        self.reader, self.dropout = reader, nn.Dropout(dropout)
        self.last = nn.Linear(reader.width, 1)
        _published_(self.last)

    def forward(self, x: Int[Tensor, "batch time"] | Float[Tensor, "batch time vocab"]) -> Float[Tensor, " batch"]:
        """The logit of "real".

        Args:
            x: Ids, `<eos>`, then `<pad>`: one token each at least; or distributions over ids, where a row that is
                one-hot at `<pad>` is padding. One-hot rows give what ids give.
        """
        relaxed = x.is_floating_point()
        written = x[..., PAD] != 1 if relaxed else x != PAD  # (batch, time)
        lengths = written.sum(1).clamp(min=1)
        longest = int(lengths.max())
        x, written = x[:, :longest], written[:, :longest]
        embedded = x @ self.embedding.weight if relaxed else self.embedding(x)
        features = self.reader(_only(embedded, written), lengths)
        return self.last(self.dropout(features))[:, 0]

    def penalty(self) -> Float[Tensor, ""]:
        """What is added to the critic's loss: l2 (|w|^2 + b^2) of the last layer."""
        return self.l2 * (self.last.weight.square().sum() + self.last.bias.square().sum())


def _only(x: Float[Tensor, "batch time embedding"], written: Bool[Tensor, "batch time"]) -> Tensor:
    """Zeros where nothing is written, so that padding has neither a value nor a gradient."""
    return x.masked_fill(~written[..., None], 0.0)


def _published_(layer: nn.Linear | nn.Conv2d) -> None:
    assert layer.bias is not None
    nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
    nn.init.constant_(layer.bias, 0.1)
