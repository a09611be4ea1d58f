"""What a file or a corpus holds, before anything is trained on it."""

import collections
import dataclasses
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freerun.corpora import values
from freerun.corpora.corpus import Corpus, open_corpus
from freerun.corpora.encode import tokens_of
from freerun.corpora.reading import Reading, Refusals, refuse
from freerun.errors import InvalidSequence
from freerun.representations import guess_representation
from freerun.representations.base import AbstractRepresentation

N_GUESS = 1_000
N_TOKENIZED = 100_000  # lines that are tokenized; the others are only counted and measured
RARE = 10  # a token that occurs in fewer tokenized lines is rare


@dataclass(frozen=True)
class Spread:
    """A distribution of whole numbers in seven: smallest, quantiles, largest, mean."""

    minimum: int
    percent_5: int
    median: int
    percent_95: int
    percent_99: int
    maximum: int
    mean: float


@dataclass(frozen=True)
class ColumnFacts:
    """One column: `kind` is `string` (the column of the strings), `number` or `label`; values that are missing."""

    name: str
    kind: str
    n_missing: int
    n_wrong: int
    n_distinct: int | None
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found.

    Args:
        name: Of the corpus or file.
        n_strings: Strings that can be read (those refused by the representation are among them).
        splits: Strings in each split.
        column: The column that holds the strings; empty for plain lines.
        columns: All columns.
        characters: Lengths in characters.
        tokens: Lengths in tokens, of the first `n_tokenized` strings.
        n_tokenized: How many strings were tokenized.
        alphabet: Each token with its number of occurrences, the most frequent first.
        rare: Tokens in fewer than `RARE` strings, with that number.
        n_duplicates: Strings that occurred before.
        refusals: Lines that cannot be read or tokenized.
        notes: Remarks.
        representation: The guessed (or given) one, not fitted.
        reason: Why it was chosen.
        examples: The first strings.
    """

    name: str
    n_strings: int
    splits: dict[str, int]
    column: str
    columns: tuple[ColumnFacts, ...]
    characters: Spread | None
    tokens: Spread | None
    n_tokenized: int
    alphabet: dict[str, int]
    rare: dict[str, int]
    n_duplicates: int
    refusals: Refusals
    notes: tuple[str, ...]
    representation: AbstractRepresentation
    reason: str
    examples: tuple[str, ...]


def inspect(
    name_or_path: str,
    *,
    column: str | None = None,
    representation: AbstractRepresentation | None = None,
    seed: int = 0,
) -> Inspection:
    """Read a corpus once and say what is in it.

    Args:
        name_or_path: As for `open_corpus`.
        column: Column of the strings.
        representation: None: guessed from the first lines.
        seed: Of the splits.

    Raises:
        UsageError, FreerunError: As `open_corpus` and the reading of files do.
    """
    corpus = open_corpus(name_or_path, column=column, seed=seed)
    everything = "+".join(corpus.splits)
    head = [text for _, text in itertools.islice(corpus.strings(everything), N_GUESS)]
    reason = "as asked"
    if representation is None:
        representation, reason = guess_representation(head)
    return _Inspector(corpus, representation, reason, head[:5]).inspect()


class _Inspector:
    def __init__(self, corpus: Corpus, representation: AbstractRepresentation, reason: str, examples: Sequence[str]):
        self._corpus, self._representation = corpus, representation
        self._reason, self._examples = reason, tuple(examples)
        self._reading = Reading()
        self._alphabet: collections.Counter[str] = collections.Counter()
        self._n_holding: collections.Counter[str] = collections.Counter()
        self._n_tokens: list[int] = []
        self._n_tokenized = 0

    def inspect(self) -> Inspection:
        characters, seen, splits = [], set(), {}
        for split in self._corpus.splits:
            before = len(characters)
            for line, text in self._corpus.strings(split, self._reading):
                characters.append(len(text))
                seen.add(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).digest())
                if self._n_tokenized < N_TOKENIZED:
                    self._tokenize(line, text)
            splits[split] = len(characters) - before
        column, columns = self._columns()
        return Inspection(
            name=self._corpus.name,
            n_strings=len(characters),
            splits=splits,
            column=column,
            columns=columns,
            characters=spread(characters),
            tokens=spread(self._n_tokens),
            n_tokenized=self._n_tokenized,
            alphabet=dict(self._alphabet.most_common()),
            rare={token: n for token, n in self._n_holding.items() if n < RARE},
            n_duplicates=len(characters) - len(seen),
            refusals=self._reading.refusals,
            notes=tuple(self._reading.notes),
            representation=self._representation,
            reason=self._reason,
            examples=self._examples,
        )

    def _tokenize(self, line: int, text: str) -> None:
        self._n_tokenized += 1
        try:
            tokens = tokens_of(self._representation, text)
        except InvalidSequence as error:
            self._reading.refused(refuse(line, self._corpus.name, error.position, error.reason, text))
            return
        self._n_tokens.append(len(tokens))
        self._alphabet.update(tokens)
        self._n_holding.update(set(tokens))

    def _columns(self) -> tuple[str, tuple[ColumnFacts, ...]]:
        """All columns of a table, in one more pass."""
        reader = self._corpus.parts[0][0]
        names = tuple(name for name in reader.column_names() if name != reader.string_column)
        with_columns = dataclasses.replace(self._corpus, property_columns=names)
        found = with_columns.read_columns("+".join(self._corpus.splits)) if names else []
        facts = {column.name: _facts(column) for column in found}
        string = ColumnFacts(reader.string_column, "string", 0, 0, None, None, None)
        return reader.string_column, tuple(facts.get(name, string) for name in reader.column_names())


def _facts(column: values.Column) -> ColumnFacts:
    array = column.array()
    if column.kind == "label":
        return ColumnFacts(column.name, "label", column.n_missing, 0, len(set(array) - {""}), None, None)
    numbers = array[~np.isnan(array)]
    smallest, largest = (float(numbers.min()), float(numbers.max())) if len(numbers) else (None, None)
    n_distinct = len(np.unique(numbers))
    return ColumnFacts(column.name, "number", column.n_missing, column.n_wrong, n_distinct, smallest, largest)


def spread(lengths: Sequence[int]) -> Spread | None:
    """The distribution of these numbers; None if there are none."""
    if not lengths:
        return None
    low, p5, median, p95, p99, high = map(int, np.quantile(lengths, (0, 0.05, 0.5, 0.95, 0.99, 1), method="lower"))
    return Spread(low, p5, median, p95, p99, high, float(np.mean(lengths)))
