"""The recurrent encoder: q(z | y) = N(mean, exp(log_var)), read off the state at each sequence's own end."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.constraints.base import PAD
from freerun.models.recurrent import Recurrent


class RecurrentEncoder(nn.Module):
    """Embedding, recurrent layers, two linear maps of the last layer's final state.

    Args:
        n_vocab: Size of the vocabulary.
        d_latent: Width of the code.
        cell: `lstm` or `gru`.
        d_embedding: Width of the embedding; 0: as wide as the vocabulary.
        d_hidden: Width of each recurrent layer, in each direction.
        n_layers: Depth, in each direction.
        dropout: On the outputs of each recurrent layer but the last, in training.
        bidirectional: A second stack reads each sequence from its end; the two final states are joined. (The stacks
            meet only there; the layers of `nn.LSTM(bidirectional=True)` read both directions of the layer below.)
        compute_dtype: Of the matrix products of the recurrent layers. Mean and log-variance are always float32.
    """

    def __init__(
        self,
        n_vocab: int,
        d_latent: int,
        *,
        cell: str = "lstm",
        d_embedding: int = 64,
        d_hidden: int = 512,
        n_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = False,
        compute_dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        d_embedding = d_embedding or n_vocab
        self.embedding = nn.Embedding(n_vocab, d_embedding)
        self.forwards = Recurrent(cell, d_embedding, d_hidden, n_layers, dropout, compute_dtype)
        self.backwards = (
            Recurrent(cell, d_embedding, d_hidden, n_layers, dropout, compute_dtype) if bidirectional else None
        )
        width = d_hidden * (2 if bidirectional else 1)
        self.mean, self.log_var = nn.Linear(width, d_latent), nn.Linear(width, d_latent)

    def forward(
        self, tokens: Int[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log-variance of each code; padding is read after the state is taken, and changes nothing.

        Args:
            tokens: Ids, `<eos>`, then `<pad>`: one token each at least.
        """
        embedded = self.embedding(tokens)
        last = (tokens != PAD).sum(1) - 1
        ends = [_end(self.forwards, embedded, last)]
        if self.backwards is not None:
            ends.append(_end(self.backwards, _reversed(embedded, last), last))
        hidden = torch.cat(ends, 1).to(self.mean.weight.dtype)
        return self.mean(hidden), self.log_var(hidden)


def _end(
    recurrent: Recurrent, x: Float[Tensor, "batch time inputs"], last: Int[Tensor, " batch"]
) -> Float[Tensor, "batch hidden"]:
    out, _, _ = recurrent(x, *recurrent.start(len(x)))
    return out[torch.arange(len(x), device=x.device), last]


def _reversed(x: Float[Tensor, "batch time inputs"], last: Int[Tensor, " batch"]) -> Float[Tensor, "batch time inputs"]:
    """Each row from its own last token to its first; what follows is its padding as it stands."""
    time = torch.arange(x.shape[1], device=x.device)
    places = torch.where(time <= last[:, None], last[:, None] - time, time)  # (batch, time)
    return x.gather(1, places[..., None].expand_as(x))
