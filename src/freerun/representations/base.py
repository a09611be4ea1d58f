"""String <-> token ids, and everything about it that does not depend on the kind of string."""

import abc
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Int
from torch import Tensor

from freerun.constraints.base import BOS, EOS, PAD, SPECIALS, AbstractConstraint
from freerun.constraints.length import Anything
from freerun.errors import FreerunError, UnknownToken


@dataclasses.dataclass(frozen=True)
class AbstractRepresentation(abc.ABC):
    """How one string is split into tokens and put together again, and the vocabulary fitted on a corpus.

    A final subclass is a frozen dataclass whose fields are its settings; it says how to `normalise`, `tokenize`,
    `detokenize`, what `is_valid`, and how to `augment`. What holds for each (`tests/test_every_representation.py`):

        decode(encode(s)) == normalise(s),  normalise(normalise(s)) == normalise(s)

    and for molecules the canonical SMILES of s with stereo is kept, or s is refused.
    """

    name: ClassVar[str]
    is_chemical: ClassVar[bool]  # decoded strings are SMILES

    vocab: tuple[str, ...] = dataclasses.field(default=(), kw_only=True, repr=False)

    @property
    @abc.abstractmethod
    def code_version(self) -> str:
        """Changes whenever the same settings would split the same string differently; part of every cache's key."""

    @property
    @abc.abstractmethod
    def separator(self) -> str:
        """What stands between two tokens of a string: nothing, or a space between words."""

    @property
    def fixed_vocab(self) -> tuple[str, ...]:
        """Tokens that the form itself prescribes, in their order; none: the corpus decides."""
        return ()

    @abc.abstractmethod
    def normalise(self, text: str) -> str:
        """The one writing that this form has of a string. Raises InvalidSequence as `tokenize` does."""

    @abc.abstractmethod
    def tokenize(self, text: str) -> list[str]:
        """The tokens of the normalised text; `text` need not be normalised before.

        Raises:
            InvalidSequence: If the text is malformed, or this form cannot keep what it says.
        """

    @abc.abstractmethod
    def tokenize_prefix(self, text: str) -> list[str]:
        """The tokens of the beginning of a string, which need not be whole: an open branch, half a sentence.

        Raises:
            InvalidSequence: If no string of this form begins so.
        """

    @abc.abstractmethod
    def detokenize(self, tokens: Sequence[str]) -> str:
        """The string that the tokens write."""

    @abc.abstractmethod
    def is_valid(self, text: str) -> bool:
        """Of a decoded string: whether RDKit reads it as a molecule; any text is valid as text."""

    @abc.abstractmethod
    def augment(self, text: str, rng: np.random.Generator) -> str:
        """Another writing of the same object; the text itself where there is none."""

    def remark(self, texts: Sequence[str]) -> str:
        """One sentence that the user should know about strings that were tokenized; empty where there is none."""
        return ""

    def encode(self, text: str) -> list[int]:
        """Token ids of the normalised text, without <bos> and <eos>.

        Raises:
            InvalidSequence: If the text is malformed; `UnknownToken` if a token is not in the vocabulary.
        """
        return self.ids(self.tokenize(text))

    def ids(self, tokens: Sequence[str]) -> list[int]:
        table = self.token_ids
        try:
            return [table[token] for token in tokens]
        except KeyError:
            raise self._unknown(tokens) from None

    def decode(self, ids: Sequence[int]) -> str:
        """The string of one row of ids, up to <eos> or <pad>; a <bos> is skipped."""
        tokens = []
        for i in ids:
            if i in (EOS, PAD):
                break
            if i != BOS:
                tokens.append(self.vocab[i])
        return self.detokenize(tokens)

    def decode_batch(self, tokens: Int[Tensor, "batch time"] | Int[np.ndarray, "batch time"]) -> list[str]:
        """`decode` of each row."""
        return list(self._decoded(tokens.cpu().numpy() if isinstance(tokens, Tensor) else tokens))

    def _decoded(self, tokens: np.ndarray) -> Iterator[str]:
        if (tokens == BOS).any():
            yield from map(self.decode, tokens.tolist())
            return
        over = (tokens == EOS) | (tokens == PAD)
        lengths = np.where(over.any(1), over.argmax(1), tokens.shape[1]) if tokens.size else np.zeros(len(tokens), int)
        kept = np.arange(tokens.shape[1]) < lengths[:, None]  # (batch, time)
        flat = np.array(self.vocab, dtype=object)[tokens[kept]].tolist()
        ends = np.cumsum(lengths).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            yield self.detokenize(flat[start:end])

    def with_vocab(self, tokens: Iterable[str]) -> Self:
        """A fitted copy: <pad> <bos> <eos> <unk>, then the tokens in the order given, each once.

        So a saved `vocab`, which begins with the four, gives the same ids again.
        """
        return dataclasses.replace(self, vocab=tuple(dict.fromkeys((*SPECIALS, *tokens))))

    def extended(self, tokens: Iterable[str]) -> tuple[Self, tuple[str, ...]]:
        """A copy that knows these tokens too, and which of them are new; old tokens keep their ids."""
        longer = self.with_vocab((*self.vocab, *tokens))
        return longer, longer.vocab[max(len(self.vocab), len(SPECIALS)) :]

    def settings(self) -> dict[str, Any]:
        """All fields but the vocabulary: what `type(self)(**settings)` needs, as JSON-able values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["vocab"]
        return values

    def constraint(self) -> AbstractConstraint:
        """The rule that generators of this representation obey if no other is asked for: any token may follow."""
        return Anything(len(self.vocab))

    @functools.cached_property
    def token_ids(self) -> dict[str, int]:
        if not self.vocab:
            raise FreerunError(f"the representation {self.name!r} has no vocabulary yet; fit it on a corpus first")
        return {token: i for i, token in enumerate(self.vocab) if i >= len(SPECIALS)}

    def _unknown(self, tokens: Sequence[str]) -> UnknownToken:
        index = next(i for i, token in enumerate(tokens) if token not in self.token_ids)
        before = self.separator.join([*tokens[:index], ""])
        return UnknownToken(self.separator.join(tokens), len(before), tokens[index], len(self.vocab))
