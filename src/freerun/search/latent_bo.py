"""Latent Bayesian optimisation: the best string of an objective, looked for among the codes of a latent model.

A search is a loop of rounds: a protocol proposes codes from what is known, they are decoded, the objective is asked,
what it said is known. Protocols: `published` (Kusner et al. 2017), `trust-region` (TuRBO, Eriksson et al. 2019).
"""

import abc
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from freerun.errors import FreerunError
from freerun.noise import mix
from freerun.objectives.objective import Objective
from freerun.search.history import Asked, History, Log

MOST_EMPTY_ROUNDS = 20  # without a new string, before a search is given up


@dataclasses.dataclass(frozen=True)
class Space:
    """A latent space with the way in and out.

    Args:
        d_latent: Width of a code.
        encode: Strings to the means of their codes; raises InvalidSequence on one that it cannot read.
        decode: (codes, n_each, seed) to strings: n_each = 0 the most probable one greedily, so a string is a function
            of its code; else n_each that are drawn.
        neighbours: (strings, n, seed) to n strings, each near one of them in a way that the language gives; None where
            it gives none.
    """

    d_latent: int
    encode: Callable[[Sequence[str]], Float64[np.ndarray, "strings latent"]]
    decode: Callable[[Float64[np.ndarray, "codes latent"], int, int], list[list[str]]]
    neighbours: Callable[[Sequence[str], int, int], list[str]] | None = None

    def readable(self, strings: Sequence[str]) -> tuple[list[int], Float64[np.ndarray, "strings latent"]]:
        """Places of the strings that the encoder reads, and their codes."""
        if not strings:
            return [], np.zeros((0, self.d_latent))
        try:
            return list(range(len(strings))), self.encode(strings)
        except FreerunError:
            if len(strings) == 1:
                return [], np.zeros((0, self.d_latent))
        half = len(strings) // 2
        (left, left_z), (right, right_z) = self.readable(strings[:half]), self.readable(strings[half:])
        return left + [half + place for place in right], np.concatenate([left_z, right_z])

    def one_each(
        self,
        z: Float64[np.ndarray, "codes latent"],
        n_decodings: int,
        seed: int,
        is_valid: Callable[[str], bool],
    ) -> list[str]:
        """A string a code: greedily (0), or the most frequent valid one of several that are drawn, as published."""
        chosen = []
        for drawn in self.decode(z, n_decodings, seed):
            valid = [string for string in drawn if is_valid(string)]
            chosen.append(Counter(valid or drawn).most_common(1)[0][0])
        return chosen


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What to ask next: codes and the strings they decode to."""

    z: Float64[np.ndarray, "strings latent"]
    strings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.strings)


class AbstractProtocol(abc.ABC):
    """How codes are chosen. A function of history and seed alone, so that a search can be gone on with."""

    batch_size: int

    @abc.abstractmethod
    def propose(self, space: Space, history: History, objective: Objective, n: int, seed: int) -> Proposal:
        """At most n queries."""


def search(
    space: Space,
    objective: Objective,
    start: Asked,
    protocol: AbstractProtocol,
    budget: int,
    *,
    seed: int = 0,
    log: Log | None = None,
    watch: Callable[[History], None] = lambda _: None,
) -> History:
    """Rounds until `budget` queries have been made, or none was proposed in `MOST_EMPTY_ROUNDS` rounds.

    The strings of the start are no queries. Whether a string that is known can be one is the protocol's.

    Args:
        watch: Told the history after each round.
    """
    log = log or Log(None, {})
    history = History(start, log.rounds(space.d_latent))
    while history.n_queries < budget and not _is_exhausted(history):
        number = len(history.rounds)
        n = min(protocol.batch_size, budget - history.n_queries)
        proposal = protocol.propose(space, history, objective, n, mix(seed, number))
        asked = Asked(proposal.strings, proposal.z, objective(proposal.strings))
        log.append(number, asked)
        history = history.with_round(asked)
        watch(history)
    return history


def _is_exhausted(history: History) -> bool:
    last = history.rounds[-MOST_EMPTY_ROUNDS:]
    return len(last) == MOST_EMPTY_ROUNDS and not any(map(len, last))


def new_ones(strings: Sequence[str], history: History, objective: Objective) -> list[int]:
    """Places of the strings that this search has not asked yet, each distinct one once."""
    known = {objective.key(string) for part in (history.start, *history.rounds) for string in part.strings}
    places = []
    for place, string in enumerate(strings):
        key = objective.key(string)
        if key not in known:
            known.add(key)
            places.append(place)
    return places


def standardised(totals: Float64[np.ndarray, " codes"]) -> Float64[np.ndarray, " codes"]:
    """Mean 0 and variance 1, after values far below the rest are drawn up to where Tukey's fence stands.

    Failures cost a score's worst value, which may be a hundred times below all others: as it stands, one of them would
    make all else look alike to a Gaussian process. Good values are never cut.
    """
    low, middle = np.quantile(totals, [0.25, 0.5])
    kept = np.maximum(totals, low - 3.0 * max(2 * (middle - low), 1e-9))
    scale = kept.std()
    return (kept - kept.mean()) / (scale if scale > 0 else 1.0)


def encoded(
    space: Space, strings: Sequence[str], z: Float64[np.ndarray, "strings latent"]
) -> Float64[np.ndarray, "strings latent"]:
    """The mean of each string's code; of one that the encoder cannot read, the code that it was decoded from."""
    places, codes = space.readable(strings)
    result = z.copy()
    result[places] = codes
    return result
