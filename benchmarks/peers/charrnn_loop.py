"""A plain sampling loop: one `multinomial` a row in Python, and no row leaves before the last has ended.

It is how widely used recurrent generators of molecules sample; written anew here from that description.
"""

import torch
from torch import nn

from freerun.constraints.base import BOS, EOS, PAD
from freerun.models.generator import Generator


@torch.no_grad()
def sample(generator: Generator, n: int, max_length: int = 100) -> list[list[int]]:
    """n sequences as lists of ids, with the same weights as ours, by `nn.LSTM` in float32."""
    layers = generator.recurrent.layers
    assert isinstance(layers, nn.LSTM)
    h = torch.zeros(layers.num_layers, n, layers.hidden_size)
    c = torch.zeros_like(h)
    token = torch.full((n, 1), BOS)
    written: list[list[int]] = [[] for _ in range(n)]
    ended = [False] * n
    for _ in range(max_length):
        out, (h, c) = layers(generator.embedding(token), (h, c))
        probabilities = torch.softmax(generator.output(out[:, -1]), dim=-1)
        probabilities[:, [PAD, BOS]] = 0
        for row in range(n):
            token[row] = torch.multinomial(probabilities[row], 1)
            if not ended[row]:
                written[row].append(int(token[row]))
                ended[row] = int(token[row]) == EOS
        if all(ended):
            break
    return written
