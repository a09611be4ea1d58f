"""Rollouts as widely used PyTorch code for SeqGAN has them: one prefix and one rollout at a time, each from the start.

Every rollout reads its prefix anew, step by step through `nn.LSTMCell`, the output layer and a softmax, then draws by
`multinomial`; the critic, of two-dimensional convolutions as wide as the embedding, is called on each batch of finished
rollouts. Written anew here from that description; the weights, and the drawing of tokens, are handed in.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freerun.constraints.base import BOS, EOS, UNK
from freerun.models.generator import Generator
from freerun.models.sequence_critic import MaxOverTime, SequenceCritic

Draw = Callable[[Tensor, int, int, int], Tensor]  # probabilities, prefix's length, rollout, position -> words
N_SPECIALS = UNK + 1  # words are counted from 0 here, and in the sequences from behind the special tokens


def multinomial(probabilities: Tensor, length: int, rollout: int, position: int) -> Tensor:
    return torch.multinomial(probabilities, 1)[:, 0]


class Writer(nn.Module):
    """Embedding, cell, softmax over the words: the weights of a recurrent generator of one layer."""

    def __init__(self, generator: Generator):
        super().__init__()
        layers = generator.recurrent.layers
        assert isinstance(layers, nn.LSTM)
        assert layers.num_layers == 1
        self.embedding, self.cell = generator.embedding, nn.LSTMCell(layers.input_size, layers.hidden_size)
        self.cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in layers.state_dict().items()})
        self.output = nn.Linear(layers.hidden_size, generator.n_vocab - N_SPECIALS)
        self.output.load_state_dict({k: v[N_SPECIALS:] for k, v in generator.output.state_dict().items()})

    def step(self, token: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, c = self.cell(self.embedding(token), (h, c))
        return F.softmax(self.output(h), dim=1), h, c

    def complete(self, prefix: Tensor, n_words: int, rollout: int, draw: Draw) -> Tensor:
        """The prefix of each sequence of the batch with one completion to `n_words` words, and `<eos>`."""
        h = c = torch.zeros(len(prefix), self.cell.hidden_size)
        length, written = prefix.shape[1], list(prefix.unbind(1))
        probabilities, h, c = self.step(torch.full_like(prefix[:, 0], BOS), h, c)
        for token in prefix.unbind(1):
            probabilities, h, c = self.step(token, h, c)
        for position in range(length, n_words):
            token = N_SPECIALS + draw(probabilities, length, rollout, position)
            written.append(token)
            if position < n_words - 1:
                probabilities, h, c = self.step(token, h, c)
        return torch.stack([*written, torch.full_like(written[0], EOS)], 1)


class Judge(nn.Module):
    """The published critic with the weights of ours, for sequences at least as long as its widest filter."""

    def __init__(self, critic: SequenceCritic):
        super().__init__()
        reader = critic.reader
        assert isinstance(reader, MaxOverTime)
        self.embedding, self.last = critic.embedding, critic.last
        self.gate, self.transform, self.banks = reader.gate, reader.transform, nn.ModuleList()
        for bank in reader.banks:
            weight = bank.get_parameter("weight").permute(0, 2, 3, 1)  # (filters, 1, width, embedding)
            mine = nn.Conv2d(1, len(weight), (weight.shape[2], weight.shape[3]))
            mine.load_state_dict({"weight": weight, "bias": bank.get_parameter("bias")})
            self.banks.append(mine)

    def forward(self, tokens: Tensor) -> Tensor:
        """The probability of "real"."""
        image = self.embedding(tokens)[:, None]  # (batch, 1, time, embedding)
        maps = [F.relu(bank(image))[..., 0] for bank in self.banks]
        h = torch.cat([F.max_pool1d(one, one.shape[2])[..., 0] for one in maps], 1)
        gate = torch.sigmoid(self.gate(h))
        h = gate * F.relu(self.transform(h)) + (1 - gate) * h
        return torch.sigmoid(self.last(h))[:, 0]


@torch.no_grad()
def rewards(writer: Writer, judge: Judge | None, words: Tensor, n: int, draw: Draw = multinomial) -> Tensor:
    """Mean verdict on n completions of each prefix of 1 to T - 1 words; without a judge, zeros after the same work."""
    n_words = words.shape[1]
    result = torch.zeros(len(words), n_words - 1)
    for rollout in range(n):
        for length in range(1, n_words):
            completed = writer.complete(words[:, :length], n_words, rollout, draw)
            if judge is not None:
                result[:, length - 1] += judge(completed)
    return result / n
