"""Recurrent layers: PyTorch's own, and on a CPU that computes in bfloat16 a plain loop over them that is twice as fast.

`nn.LSTM` and `nn.GRU` hold the weights and run in float32 and on a GPU. On a CPU with bfloat16 arithmetic the loop
below does the same with the products in bfloat16 and everything that is kept between steps (cell, hidden state) in
float32.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LIBRARY: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(nn.Module):
    """A stack of LSTM or GRU layers whose state has the batch first.

    Args:
        cell: `lstm` or `gru`.
        d_in: Width of the inputs.
        d_hidden: Width of the hidden states.
        n_layers: Depth.
        dropout: Probability of dropping an output of each layer but the last, in training.
        compute_dtype: Of the matrix products; weights and states stay in float32.
    """

    def __init__(
        self,
        cell: str,
        d_in: int,
        d_hidden: int,
        n_layers: int,
        dropout: float,
        compute_dtype: torch.dtype = torch.float32,
    ):
        super().__init__()
        self.dropout, self.n_layers, self.compute_dtype = dropout, n_layers, compute_dtype
        self.layers = LIBRARY[cell](
            d_in, d_hidden, n_layers, batch_first=True, dropout=dropout if n_layers > 1 else 0.0
        )
        self.has_cell = cell == "lstm"

    def start(self, n: int) -> tuple[Float[Tensor, "batch layers hidden"], Float[Tensor, "batch layers hidden"] | None]:
        weight = self.layers.all_weights[0][0]
        dtype = torch.promote_types(weight.dtype, torch.float32)  # states are float32 also where weights are frozen
        h = torch.zeros(n, self.n_layers, self.layers.hidden_size, dtype=dtype, device=weight.device)
        return h, h.clone() if self.has_cell else None

    def forward(
        self,
        x: Float[Tensor, "batch time inputs"],
        h: Float[Tensor, "batch layers hidden"],
        c: Float[Tensor, "batch layers hidden"] | None,
    ) -> tuple[
        Float[Tensor, "batch time hidden"],
        Float[Tensor, "batch layers hidden"],
        Float[Tensor, "batch layers hidden"] | None,
    ]:
        """Outputs of the last layer at each step, and the state after the last step."""
        if x.device.type == "cpu" and self.compute_dtype == torch.bfloat16:
            return self._loop(x, h, c)
        with torch.autocast(x.device.type, self.compute_dtype, enabled=self.compute_dtype != torch.float32):
            first = h.transpose(0, 1).contiguous()  # (layers, batch, hidden)
            if c is None:
                out, last = self.layers(x, first)
                return out, last.transpose(0, 1), None
            out, (last, cell) = self.layers(x, (first, c.transpose(0, 1).contiguous()))
            return out, last.transpose(0, 1), cell.transpose(0, 1)

    def _loop(self, x: Tensor, h: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        weights = [weight.to(self.compute_dtype) for layer in self.layers.all_weights for weight in layer]
        steps = x.to(self.compute_dtype).transpose(0, 1)  # (time, batch, inputs)
        last_h, last_c = [], []
        for layer in range(self.n_layers):
            w_ih, w_hh, b_ih, b_hh = weights[4 * layer : 4 * layer + 4]
            if self.has_cell:
                assert c is not None
                steps, h_l, c_l = _lstm_layer(steps, h[:, layer], c[:, layer], w_ih, w_hh, b_ih + b_hh)
                last_c.append(c_l)
            else:
                steps, h_l = _gru_layer(steps, h[:, layer], w_ih, w_hh, b_ih, b_hh)
            last_h.append(h_l)
            if layer < self.n_layers - 1:
                steps = F.dropout(steps, self.dropout, self.training)
        return (
            steps.transpose(0, 1),
            torch.stack(last_h, 1),
            torch.stack(last_c, 1) if self.has_cell else None,
        )


def _lstm_layer(
    x: Float[Tensor, "time batch inputs"],
    h: Float[Tensor, "batch hidden"],
    c: Float[Tensor, "batch hidden"],
    w_ih: Tensor,
    w_hh: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """i, f, o = s(W x + U h + b), g = tanh(W x + U h + b), c = f c + i g, h = o tanh(c)."""
    projected = torch.addmm(bias, x.flatten(0, 1), w_ih.t()).unflatten(0, x.shape[:2])
    low, outputs = h.to(x.dtype), []
    for step in projected.unbind(0):
        i, f, g, o = torch.addmm(step, low, w_hh.t()).chunk(4, 1)
        c = f.sigmoid().to(c.dtype) * c + (i.sigmoid() * g.tanh()).to(c.dtype)
        low = o.sigmoid() * c.tanh().to(x.dtype)
        outputs.append(low)
    return torch.stack(outputs), low.to(h.dtype), c


def _gru_layer(
    x: Float[Tensor, "time batch inputs"],
    h: Float[Tensor, "batch hidden"],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
) -> tuple[Tensor, Tensor]:
    """r, z = s(W x + U h + b), n = tanh(W x + b + r (U h + b')), h = n + z (h - n)."""
    d_hidden = h.shape[1]
    projected = torch.addmm(b_ih, x.flatten(0, 1), w_ih.t()).unflatten(0, x.shape[:2])
    outputs = []
    for step in projected.unbind(0):
        recurrent = torch.addmm(b_hh, h.to(x.dtype), w_hh.t())
        r, z = (step[:, : 2 * d_hidden] + recurrent[:, : 2 * d_hidden]).sigmoid().chunk(2, 1)
        n = torch.addcmul(step[:, 2 * d_hidden :], r, recurrent[:, 2 * d_hidden :]).tanh().to(h.dtype)
        h = torch.lerp(n, h, z.to(h.dtype))
        outputs.append(h.to(x.dtype))
    return torch.stack(outputs), h
