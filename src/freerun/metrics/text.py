"""Measures of generated sentences: BLEU against a test set, self-BLEU among themselves, distinct n-grams.

    BLEU-n(h) = BP exp(1/n sum_{i<=n} log p_i),   p_i = sum_g min(c_h(g), max_r c_r(g)) / sum_g c_h(g)
    BP = 1 if |h| > |r*| else exp(1 - |r*| / |h|),   r* the reference of the closest length (of two, the shorter)

g runs over the i-grams of the hypothesis h, r over all references; p_i = 0.1 / sum_g c_h(g) where nothing matches
(Chen and Cherry 2014, method 1), and BLEU = 0 where not even a word does. The measure is the mean over hypotheses,
each with all references: the convention of Texygen (Zhu et al. 2018, arXiv:1802.01886), not translation's corpus BLEU.

Comparing all pairs takes hours. Only the largest count of each n-gram over the references enters, and where a sentence
must not be its own reference, the second largest, if the largest is its own.
"""

import dataclasses
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Literal

ORDERS = (2, 3, 4, 5)
FAST_LINES = 500

Words = Sequence[str]


def words(line: str) -> list[str]:
    """Lower case, cut at white space."""
    return line.lower().split()


def bleu(
    lines: Iterable[str],
    references: Iterable[str],
    *,
    orders: Sequence[int] = ORDERS,
    variant: Literal["full", "texygen-500"] = "full",
) -> dict[str, float]:
    """BLEU-n of generated lines against a test set, by name; NaN if either is empty.

    Args:
        variant: `texygen-500` takes the first 500 references only, as Texygen does by default: a lower figure.
    """
    rows = [words(line) for line in references]
    return _means(
        "BLEU", [words(line) for line in lines], rows[:FAST_LINES] if variant == "texygen-500" else rows, orders
    )


def self_bleu(
    lines: Iterable[str], *, orders: Sequence[int] = ORDERS, variant: Literal["full", "texygen-500"] = "full"
) -> dict[str, float]:
    """The same of each generated line against all others; high means alike. NaN for fewer than two lines.

    Args:
        variant: `texygen-500` is the figure of the first 500 lines among themselves.
    """
    rows = [words(line) for line in lines]
    return _means("self-BLEU", rows[:FAST_LINES] if variant == "texygen-500" else rows, None, orders)


def distinct(lines: Iterable[str], *, orders: Sequence[int] = (1, 2, 3)) -> dict[str, float]:
    """Different n-grams / n-grams, over all lines (Li et al. 2016, arXiv:1510.03055); NaN if there are none."""
    rows = [words(line) for line in lines]
    found = {}
    for order in orders:
        counts = Counter(gram for row in rows for gram in _grams(row, order))
        found[f"distinct-{order}"] = len(counts) / counts.total() if counts else math.nan
    return found


def _means(
    name: str, hypotheses: list[list[str]], references: list[list[str]] | None, orders: Sequence[int]
) -> dict[str, float]:
    """`references` None: each hypothesis against the other ones."""
    table = _References.of(hypotheses if references is None else references, max(orders))
    if not hypotheses or len(table.lengths) < (2 if references is None else 1):
        return {f"{name}-{order}": math.nan for order in orders}
    totals = dict.fromkeys(orders, 0.0)
    for row, hypothesis in enumerate(hypotheses):
        for order, score in table.scores(hypothesis, orders, row if references is None else None).items():
            totals[order] += score
    return {f"{name}-{order}": total / len(hypotheses) for order, total in totals.items()}


def _grams(row: Words, order: int) -> Iterable[tuple[str, ...]]:
    return zip(*(row[at:] for at in range(order)), strict=False)


@dataclasses.dataclass(frozen=True)
class _References:
    """What BLEU needs of the references.

    Args:
        counts: For each order the n-grams, each with its largest count in one reference, the first reference that
            has it, and the largest count in any other reference.
        lengths: Sorted lengths.
    """

    counts: list[dict[tuple[str, ...], tuple[int, int, int]]]
    lengths: list[int]

    @classmethod
    def of(cls, rows: Sequence[Words], max_order: int) -> "_References":
        counts: list[dict[tuple[str, ...], tuple[int, int, int]]] = [{} for _ in range(max_order)]
        for index, row in enumerate(rows):
            for order, table in enumerate(counts, start=1):
                for gram, count in Counter(_grams(row, order)).items():
                    largest, owner, second = table.get(gram, (0, -1, 0))
                    if count > largest:
                        table[gram] = (count, index, largest)
                    elif count > second:
                        table[gram] = (largest, owner, count)
        return cls(counts, sorted(map(len, rows)))

    def scores(self, hypothesis: Words, orders: Sequence[int], own: int | None) -> dict[int, float]:
        """BLEU of one hypothesis for each order; `own` is its index among the references, to leave out, or None."""
        logs = []
        for order in range(1, max(orders) + 1):
            matches, total = self._matches(hypothesis, order, own)
            if order == 1 and not matches:
                return dict.fromkeys(orders, 0.0)
            logs.append(math.log((matches or 0.1) / max(total, 1)))
        penalty = self._brevity_penalty(len(hypothesis), own)
        sums = list(accumulate(logs))
        return {order: penalty * math.exp(sums[order - 1] / order) for order in orders}

    def _matches(self, hypothesis: Words, order: int, own: int | None) -> tuple[int, int]:
        """Clipped matches and number of n-grams."""
        table, matches, total = self.counts[order - 1], 0, 0
        for gram, count in Counter(_grams(hypothesis, order)).items():
            largest, owner, second = table.get(gram, (0, -1, 0))
            matches += min(count, second if owner == own else largest)
            total += count
        return matches, total

    def _brevity_penalty(self, length: int, own: int | None) -> float:
        """The closest length lies beside the place of `length` in the sorted list, its own entry left out."""
        at = bisect_left(self.lengths, length)
        after = at if own is None else at + 1  # without leave-out the entry at `at`; its own length stands there
        near = self.lengths[max(at - 1, 0) : at] + self.lengths[after : after + 1]
        closest = min(near, key=lambda reference: (abs(reference - length), reference))
        return 1.0 if length > closest else math.exp(1 - closest / length)
