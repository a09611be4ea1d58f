"""String -> number. `SCORES` names what there is."""

import math

from freerun.scores.base import Score
from freerun.scores.molecules import logp, of_strings, qed, validity, weight
from freerun.scores.synthesis import sa

SCORES: dict[str, Score] = {
    "logp": Score(
        name="logp",
        about="octanol-water partition coefficient by atom contributions (Crippen)",
        direction="higher",
        range=(-math.inf, math.inf),
        worst=-100.0,
        function=of_strings(logp),
    ),
    "qed": Score(
        name="qed",
        about="quantitative estimate of drug-likeness",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=of_strings(qed),
    ),
    "sa": Score(
        name="sa",
        about="synthetic accessibility, 1 is easy, 10 is hard",
        direction="lower",
        range=(1.0, 10.0),
        worst=10.0,
        function=of_strings(sa),
    ),
    "weight": Score(
        name="weight",
        about="molecular weight in daltons",
        direction="lower",
        range=(0.0, math.inf),
        worst=10_000.0,
        function=of_strings(weight),
    ),
    "validity": Score(
        name="validity",
        about="1 if the string is a molecule that RDKit accepts, else 0",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=validity,
    ),
}
