"""Synthetic accessibility, by RDKit's own code and fragment table; the table is read without trusting its pickle."""

import functools
import gzip
import importlib.util
import pickle
from pathlib import Path
from typing import Any

from freerun.errors import FreerunError


class _PlainUnpickler(pickle.Unpickler):
    """Numbers, strings, lists, tuples and dicts; nothing that names a class or a function."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not allowed in a table of numbers")


def sa(mol: Any) -> float:
    """Synthetic accessibility from 1 (easy) to 10 (hard): fragment frequencies and penalties for complexity.

    Source: Ertl and Schuffenhauer 2009, doi:10.1186/1758-2946-1-8; RDKit's contributed `sascorer`, as MOSES.
    """
    return _scorer().calculateScore(mol)


@functools.cache
def _scorer() -> Any:
    """RDKit's module with its fragment table put in, so that it never loads the pickle itself."""
    from rdkit import RDConfig

    folder = Path(RDConfig.RDContribDir) / "SA_Score"
    if not (folder / "sascorer.py").is_file():
        raise FreerunError(
            f"RDKit's synthetic accessibility score is not in {folder}; install the `rdkit` package with pip, "
            "which carries it"
        )
    spec = importlib.util.spec_from_file_location("freerun_sascorer", folder / "sascorer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["_fscores"] = _fragment_scores(folder / "fpscores.pkl.gz")
    return module


def _fragment_scores(path: Path) -> dict[int, float]:
    """Fragment (a Morgan environment's hash) -> contribution. The file holds lists: a score, then its fragments."""
    with gzip.open(path) as file:
        groups = _PlainUnpickler(file).load()
    return {fragment: float(group[0]) for group in groups for fragment in group[1:]}
