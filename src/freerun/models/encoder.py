"""The recurrent encoder: q(z | y) = N(mean, exp(log_var)), read off the state at each sequence's own end."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.constraints.base import PAD
from freerun.models.recurrent import Recurrent

EPSILON = 1e-10  # of the norm: where it matters, the divergence pulls the means below it and the norm holds no more


class Reader(nn.Module):
    """Embedding and recurrent layers; what it makes of a sequence is the last layer's state at the sequence's own end.

    Args:
        n_vocab: Size of the vocabulary.
        cell: `lstm` or `gru`.
        d_embedding: Width of the embedding; 0: as wide as the vocabulary.
        d_hidden: Width of each recurrent layer, in each direction.
        n_layers: Depth, in each direction.
        dropout: On the outputs of each recurrent layer but the last, in training.
        bidirectional: A second stack reads each sequence from its end; the two final states are joined. (The stacks
            meet only there; the layers of `nn.LSTM(bidirectional=True)` read both directions of the layer below.)
        d_context: Width of a context that is joined to the input of each step; 0: none.
        compute_dtype: Of the matrix products of the recurrent layers. What is given back is float32.
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
        bidirectional: bool = False,
        d_context: int = 0,
        compute_dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        d_embedding = d_embedding or n_vocab
        self.d_context = d_context
        self.width = d_hidden * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(n_vocab, d_embedding)
        d_in = d_embedding + d_context
        self.forwards = Recurrent(cell, d_in, d_hidden, n_layers, dropout, compute_dtype)
        self.backwards = Recurrent(cell, d_in, d_hidden, n_layers, dropout, compute_dtype) if bidirectional else None

    def forward(
        self, tokens: Int[Tensor, "batch time"], context: Float[Tensor, "batch context"] | None = None
    ) -> Float[Tensor, "batch width"]:
        """The final states; padding is read after they are taken, and changes nothing.

        Args:
            tokens: Ids, `<eos>`, then `<pad>`: one token each at least.
        """
        inputs = self.embedding(tokens)
        if self.d_context:
            assert context is not None
            inputs = torch.cat([inputs, context[:, None].expand(-1, tokens.shape[1], -1)], -1)
        last = (tokens != PAD).sum(1) - 1
        ends = [_end(self.forwards, inputs, last)]
        if self.backwards is not None:
            ends.append(_end(self.backwards, _reversed(inputs, last), last))
        return torch.cat(ends, 1).to(self.embedding.weight.dtype)


class RecurrentEncoder(nn.Module):
    """A reader, and two linear maps of what it has read.

    Args:
        reader: Reads the sequences, and their conditions where it takes a context.
        d_latent: Width of the code.
        mean_scale: The means are batch-normalised to this standard deviation on each axis, so that no axis can fall
            silent (Zhu et al. 2020, arXiv:2004.12585, without their learned shift); 0: they are as they come.
    """

    def __init__(self, reader: Reader, d_latent: int, mean_scale: float = 0.0):
        super().__init__()
        self.reader, self.mean_scale = reader, mean_scale
        self.mean, self.log_var = nn.Linear(reader.width, d_latent), nn.Linear(reader.width, d_latent)
        self.norm = nn.BatchNorm1d(d_latent, eps=EPSILON, affine=False) if mean_scale else None

    def forward(
        self, tokens: Int[Tensor, "batch time"], context: Float[Tensor, "batch context"] | None = None
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Mean and log-variance of each code."""
        hidden = self.reader(tokens, context)
        mean = self.mean(hidden)
        return mean if self.norm is None else self.mean_scale * normalised(self.norm, mean), self.log_var(hidden)


def normalised(norm: nn.BatchNorm1d, codes: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
    """By the batch in training; a row alone has no variance, and takes the running one."""
    if len(codes) > 1:
        return norm(codes)
    return F.batch_norm(codes, norm.running_mean, norm.running_var, eps=norm.eps)


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
