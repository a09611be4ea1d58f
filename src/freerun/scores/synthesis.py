"""Synthetic accessibility, by RDKit's own code and fragment table; the table is read without trusting its pickle."""

import functools
import importlib.util
from pathlib import Path
from typing import Any

from freerun.scores.contributed import contributed, plain_pickle


def sa(mol: Any) -> float:
    """Synthetic accessibility from 1 (easy) to 10 (hard): fragment frequencies and penalties for complexity.

    Source: Ertl and Schuffenhauer 2009, doi:10.1186/1758-2946-1-8; RDKit's contributed `sascorer`, as MOSES.
    """
    return _scorer().calculateScore(mol)


@functools.cache
def _scorer() -> Any:
    """RDKit's module with its fragment table put in, so that it never loads the pickle itself."""
    path = contributed("SA_Score", "sascorer.py")
    spec = importlib.util.spec_from_file_location("freerun_sascorer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["_fscores"] = _fragment_scores(contributed("SA_Score", "fpscores.pkl.gz"))
    return module


def _fragment_scores(path: Path) -> dict[int, float]:
    """Fragment (a Morgan environment's hash) -> contribution. The file holds lists: a score, then its fragments."""
    return {fragment: float(group[0]) for group in plain_pickle(path) for fragment in group[1:]}
