"""String -> number. `SCORES` names what there is, `FAMILIES` what needs an argument; `find_score` finds both."""

import dataclasses
import math
import re

from freerun.errors import UsageError, excerpt
from freerun.scores.base import Score, nearest
from freerun.scores.beside import diversity, text_diversity, uniqueness
from freerun.scores.families import FAMILIES
from freerun.scores.filters import N_ALERTS, alerts, passes_filters
from freerun.scores.molecules import descriptor, lengths, logp, of_strings, plogp, qed, validity, weight
from freerun.scores.natural import np_likeness
from freerun.scores.synthesis import sa

SCORES: dict[str, Score] = {
    "validity": Score(
        name="validity",
        about="1 if the string is a molecule that RDKit accepts, else 0",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=validity,
    ),
    "qed": Score(
        name="qed",
        about="quantitative estimate of drug-likeness",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=of_strings(qed),
        domain="molecule",
    ),
    "sa": Score(
        name="sa",
        about="synthetic accessibility, 1 is easy, 10 is hard",
        direction="lower",
        range=(1.0, 10.0),
        worst=10.0,
        function=of_strings(sa),
        domain="molecule",
    ),
    "logp": Score(
        name="logp",
        about="octanol-water partition coefficient by atom contributions (Crippen)",
        direction="higher",
        range=(-math.inf, math.inf),
        worst=-100.0,
        function=of_strings(logp),
        domain="molecule",
    ),
    "plogp": Score(
        name="plogp",
        about="penalised logP: logP less synthetic difficulty and large rings, normalised on ZINC250k",
        direction="higher",
        range=(-math.inf, math.inf),
        worst=-100.0,
        function=of_strings(plogp),
        domain="molecule",
    ),
    "tpsa": Score(
        name="tpsa",
        about="topological polar surface area in square angstroms",
        direction="lower",
        range=(0.0, math.inf),
        worst=1_000.0,
        function=of_strings(descriptor("TPSA")),
        domain="molecule",
    ),
    "weight": Score(
        name="weight",
        about="molecular weight in daltons",
        direction="lower",
        range=(0.0, math.inf),
        worst=10_000.0,
        function=of_strings(weight),
        domain="molecule",
    ),
    "hbd": Score(
        name="hbd",
        about="number of hydrogen-bond donors",
        direction="lower",
        range=(0.0, math.inf),
        worst=100.0,
        function=of_strings(descriptor("NumHDonors")),
        domain="molecule",
    ),
    "hba": Score(
        name="hba",
        about="number of hydrogen-bond acceptors",
        direction="lower",
        range=(0.0, math.inf),
        worst=100.0,
        function=of_strings(descriptor("NumHAcceptors")),
        domain="molecule",
    ),
    "rotatable_bonds": Score(
        name="rotatable_bonds",
        about="number of rotatable bonds",
        direction="lower",
        range=(0.0, math.inf),
        worst=100.0,
        function=of_strings(descriptor("NumRotatableBonds")),
        domain="molecule",
    ),
    "rings": Score(
        name="rings",
        about="number of rings, of the smallest set of smallest rings",
        direction="lower",
        range=(0.0, math.inf),
        worst=100.0,
        function=of_strings(descriptor("RingCount")),
        domain="molecule",
    ),
    "fsp3": Score(
        name="fsp3",
        about="share of the carbon atoms that are sp3",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=of_strings(descriptor("FractionCSP3")),
        domain="molecule",
    ),
    "np_likeness": Score(
        name="np_likeness",
        about="natural-product likeness, -5 is synthetic, 5 is natural",
        direction="higher",
        range=(-5.0, 5.0),
        worst=-5.0,
        function=of_strings(np_likeness),
        domain="molecule",
    ),
    "alerts": Score(
        name="alerts",
        about="number of structural alerts (MCF and PAINS patterns of MOSES) that occur",
        direction="lower",
        range=(0.0, float(N_ALERTS)),
        worst=float(N_ALERTS),
        function=of_strings(alerts),
        domain="molecule",
    ),
    "filters": Score(
        name="filters",
        about="1 if the molecule passes the medicinal filters of MOSES, else 0",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=of_strings(passes_filters),
        domain="molecule",
    ),
    "length": Score(
        name="length",
        about="number of characters of the string",
        direction="lower",
        range=(0.0, math.inf),
        worst=10_000.0,
        function=lengths,
    ),
    "uniqueness": Score(
        name="uniqueness",
        about="1 / how often the string stands in its batch, in any writing",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=uniqueness,
        scope="batch",
    ),
    "diversity": Score(
        name="diversity",
        about="1 - mean Tanimoto similarity (Morgan fingerprints) to the other molecules of its batch",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=diversity,
        domain="molecule",
        scope="batch",
    ),
    "text_diversity": Score(
        name="text_diversity",
        about="1 - mean overlap of word pairs with the other strings of its batch",
        direction="higher",
        range=(0.0, 1.0),
        worst=0.0,
        function=text_diversity,
        scope="batch",
    ),
}


def find_score(spec: str) -> Score:
    """A score by its name, or a family's with an argument after the first colon: `qed`, `similarity:CCO`, `rdkit:TPSA`.

    Its `name` is the spec as it was given.

    Raises:
        UsageError: If there is none of this name (the nearest is named), or the argument is missing, unwanted or wrong.
    """
    name, colon, argument = spec.partition(":")
    if name in FAMILIES:
        family = FAMILIES[name]
        if not argument and family.default is None:
            raise UsageError(f"the score {name!r} needs an argument: {name}:{family.argument}")
        return dataclasses.replace(family.make(argument or family.default or ""), name=spec)
    if name not in SCORES and name.endswith(".py"):
        raise UsageError(f"{excerpt(name)} needs the name of a function in it: {name}:FUNCTION")
    if name not in SCORES:
        known = [*SCORES, *(f"{each.name}:{each.argument}" for each in FAMILIES.values())]
        raise UsageError(
            f"score {excerpt(name)} is not known{nearest(name, [*SCORES, *FAMILIES])}; there are {', '.join(known)}"
        )
    if colon:
        raise UsageError(
            f"the score {name!r} takes no argument, and {excerpt(argument)} was given; a weight is a number above 0"
        )
    return SCORES[name]


def find_computed(spec: str) -> Score:
    """The same, of those that are computed here.

    Raises:
        UsageError: Also where it would start a program.
    """
    score = find_score(spec)
    if score.program.startswith("command:"):
        raise UsageError(f"{spec} would start a program: only `freerun train --objective` does")
    return score


def split_weight(spec: str, default: float = 1.0) -> tuple[str, float]:
    """`qed:0.5` -> ("qed", 0.5): a plain decimal number after the last colon is a weight, whatever stands before.

    So an argument that ends in a colon and a number (a SMILES with an aromatic ring bond, `expression:3`) needs its
    weight written: `expression:3:1`.
    """
    found = re.fullmatch(r"(.+):([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)", spec, re.DOTALL)
    return (found[1], float(found[2])) if found else (spec, default)
