"""How good are they? Suites of measures for strings from anywhere."""

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from freerun.corpora.corpus import Corpus, open_corpus
from freerun.corpora.sources import SOURCES
from freerun.errors import UsageError
from freerun.metrics.expressions import expression_measures
from freerun.metrics.molecules import Molecules
from freerun.metrics.moses import moses_measures
from freerun.metrics.moses_reference import moses_reference
from freerun.metrics.oracle import CORPUS as ORACLE
from freerun.metrics.oracle import oracle_measures, parsed
from freerun.metrics.reference import reference
from freerun.metrics.text import bleu, distinct, self_bleu
from freerun.metrics.validity import plain_measures

Progress = Callable[[str, int, int], None]  # which part of the work, how much is done, how much there is


@dataclasses.dataclass(frozen=True)
class Against:
    """What samples are compared with.

    Args:
        name: A corpus, or a file.
        test: Split that stands for the truth; `+` joins splits.
        train: Splits that a novel string is not in.
    """

    name: str
    corpus: Corpus
    test: str
    train: str

    @classmethod
    def named(cls, name: str, column: str | None = None) -> "Against":
        """A corpus with its published splits; of a file, all its strings are both."""
        corpus = open_corpus(name, column=column)
        everything = "+".join(corpus.splits)
        if name not in SOURCES:
            return cls(name, corpus, everything, everything)
        held_out = "test" if "test" in corpus.splits else everything
        train = "+".join(split for split in ("train", "valid") if split in corpus.splits)
        return cls(name, corpus, held_out, train or everything)

    def train_strings(self) -> Iterator[str]:
        return (text for _, text in self.corpus.strings(self.train))

    def test_strings(self) -> Iterator[str]:
        return (text for _, text in self.corpus.strings(self.test))


def moses_suite(
    samples: Iterable[str] | Molecules, against: Against, ks: Sequence[int], progress: Progress | None = None
) -> dict[str, float]:
    """The measures of the MOSES benchmark; with the published reference statistics where `against` is `moses`."""
    if against.name == "moses":
        tests = (moses_reference("test"), moses_reference("test_scaffolds"))
    else:
        key = against.corpus.content_key(against.test)
        tests = (reference(against.test_strings(), key=key, progress=progress), None)
    return moses_measures(samples, *tests, against.train_strings(), ks=ks, progress=progress)


def text_suite(
    samples: Iterable[str], against: Against, ks: Sequence[int], progress: Progress | None = None
) -> dict[str, float]:
    """BLEU, self-BLEU, distinct-n, uniqueness and novelty of sentences."""
    lines = list(samples)
    measures = bleu(lines, against.test_strings()) | self_bleu(lines) | distinct(lines)
    plain = plain_measures(list(map(_one_spaced, lines)), bool, map(_one_spaced, against.train_strings()))
    return measures | {name: plain[name] for name in ("uniqueness", "novelty")}


def _one_spaced(line: str) -> str:
    """As words are joined: a doubled space makes no new sentence."""
    return " ".join(line.split())


def expressions_suite(
    samples: Iterable[str], against: Against, ks: Sequence[int], progress: Progress | None = None
) -> dict[str, float]:
    """Validity, uniqueness and novelty of formulas, and whether their lengths and fits are spread like the corpus's."""
    return expression_measures(list(samples), against.test_strings(), against.train_strings(), ks)


def oracle_suite(
    samples: Iterable[str], against: Against, ks: Sequence[int], progress: Progress | None = None
) -> dict[str, float]:
    """NLL of sequences under the oracle of SeqGAN, their uniqueness, and the share that the training draw holds.

    Raises:
        UsageError: If `against` is another corpus, or a line is no sequence of it.
    """
    if against.name != ORACLE:
        raise UsageError(f"the suite oracle has one truth, {ORACLE}, not {against.name}; add --against {ORACLE}")
    sequences = parsed(samples)
    train = parsed(text for _, text in against.corpus.strings("train"))
    return oracle_measures(sequences, train=train.tolist())


SUITES: dict[str, Callable[..., dict[str, float]]] = {
    "moses": moses_suite,
    "text": text_suite,
    "expressions": expressions_suite,
    "oracle": oracle_suite,
}

_CORPUS_OF = {"moses": "moses", "text": "coco", "expressions": "expressions", "oracle": ORACLE}
_SUITE_OF = {"expressions": "expressions", ORACLE: "oracle"}


def fitting_suite(corpus: str) -> str:
    """The suite for strings that are no molecules, by the name of the corpus that they are compared with."""
    return _SUITE_OF.get(corpus, "text")


def suite_named(name: str) -> Callable[..., dict[str, float]]:
    """The suite of this name.

    Raises:
        UsageError: If there is none; all are listed.
    """
    if name not in SUITES:
        raise UsageError(f"suite {name!r} is not known; there are {', '.join(SUITES)}")
    return SUITES[name]


def ks_of(n: int) -> tuple[int, ...]:
    """Of how many samples the first are looked at for uniqueness, where there are n: as in MOSES, or all."""
    return tuple(k for k in (1_000, 10_000) if k <= n) or (n,)


def evaluate_strings(
    strings: Iterable[str], suite: str, against: str, *, column: str | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """What `measures.json` holds, for strings from anywhere.

    Args:
        against: A corpus or a file; empty: the suite's own corpus.

    Raises:
        UsageError: If suite or corpus is unknown, or there are no strings.
    """
    measure, against = suite_named(suite), against or _CORPUS_OF[suite]
    strings = list(strings)
    if not strings:
        raise UsageError("there is no string to evaluate: the input is empty")
    ours = measure(strings, Against.named(against, column), ks_of(len(strings)), progress)
    return {"suite": suite, "n": len(strings), "against": against, "ours": ours, "created": now()}


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
