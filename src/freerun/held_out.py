"""Held-out strings as a latent run reads them: tokens, conditions, and the posteriors of their codes."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.codes import latent_method
from freerun.columns import columns_of, score_of
from freerun.corpora.batches import Batch
from freerun.corpora.corpus import Corpus
from freerun.corpora.padding import gathered, to_vocab
from freerun.corpora.store import EncodedSplit
from freerun.errors import UsageError
from freerun.methods.base import Latent
from freerun.trained import Trained

N_AT_ONCE = 512  # strings that are encoded together


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Strings and what the run makes of them, on the run's device.

    Args:
        tokens: Ids, `<eos>`, then `<pad>`.
        condition: What the generator is told beside the code of each; of width 0 in a run without conditions.
        columns: The same as numbers: values, or the number of a class; NaN where missing.
        latent: Their posteriors.
    """

    strings: tuple[str, ...]
    tokens: Int[Tensor, "strings time"]
    condition: Float[Tensor, "strings condition"]
    columns: dict[str, Float[Tensor, " strings"]]
    latent: Latent

    def __len__(self) -> int:
        return len(self.strings)

    def first(self, n: int) -> Self:
        """The first n of them."""
        columns = {name: values[:n] for name, values in self.columns.items()}
        return type(self)(self.strings[:n], self.tokens[:n], self.condition[:n], columns, self.latent[:n])


def read_held_out(trained: Trained, corpus: Corpus, split: str, encoded: EncodedSplit, rows: Sequence[int]) -> HeldOut:
    """Rows of a split, read by the run's encoder. Its conditions are those of the file, else computed by their score.

    Args:
        encoded: That split of the corpus.
        rows: Of it, from `readable`.

    Raises:
        UsageError: If the method has no latent space, or there is no row.
    """
    if not len(rows):
        raise UsageError(f"{corpus.name} holds no string in {split} that {trained.folder.path} can read")
    method, device = latent_method(trained), trained.state.world.device
    strings, tokens = tuple(encoded.strings(rows)), tokens_of(trained, encoded, rows)
    columns = _columns(trained, corpus, split, encoded, rows, strings)
    trained.state.networks.eval()
    latents, told = [], []
    with torch.no_grad():
        for piece in torch.arange(len(tokens), device=device).split(N_AT_ONCE):
            known = {name: values[piece] for name, values in columns.items()}
            batch = Batch(tokens[piece], piece, known)
            latents.append(method.encode(trained.state, batch))
            told.append(method.told(trained.state, batch))
    latent = Latent(torch.cat([part.mean for part in latents]), torch.cat([part.log_var for part in latents]))
    return HeldOut(strings, tokens, torch.cat(told), columns, latent)


def readable(trained: Trained, encoded: EncodedSplit, n: int, order: Sequence[int] | None = None) -> list[int]:
    """The first n rows, in this order, that training could have had: no unknown token, and within its budget.

    Args:
        order: Of the rows of the split; None: as they stand.
    """
    known = set(trained.representation.vocab)
    is_known = np.array([token in known for token in encoded.alphabet], dtype=bool)
    found: list[int] = []
    for row in range(len(encoded)) if order is None else order:
        ids = encoded.ids[encoded.offsets[row] : encoded.offsets[row + 1]]
        if len(ids) < trained.budget and is_known[ids].all():
            found.append(row)
            if len(found) == n:
                break
    return found


def tokens_of(trained: Trained, encoded: EncodedSplit, rows: Sequence[int]) -> Int[Tensor, "strings time"]:
    """Ids, `<eos>`, then `<pad>`, of rows from `readable`, on the run's device."""
    ids = to_vocab(encoded, trained.representation.vocab)
    return torch.from_numpy(gathered(encoded, ids, np.asarray(rows))).to(trained.state.world.device)


def _columns(
    trained: Trained, corpus: Corpus, split: str, encoded: EncodedSplit, rows: Sequence[int], strings: Sequence[str]
) -> dict[str, Float[Tensor, " strings"]]:
    """The run's conditions of these rows, as numbers; a score is computed for these alone."""
    conditions, found = trained.state.world.conditions, {}
    in_file = {name for reader, _ in corpus.parts for name in reader.column_names()}
    for name in conditions.names:
        if name in in_file:
            found[name] = columns_of(corpus, split, encoded, (name,), lambda _: None)[name][np.asarray(rows)]
        else:
            score = score_of(name)
            found[name] = np.full(len(rows), np.nan) if score is None else score(strings)
    device = trained.state.world.device
    return {name: torch.from_numpy(values).to(device) for name, values in conditions.numbers(found).items()}
