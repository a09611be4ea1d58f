"""Tables that RDKit carries in its folder of contributed code; pickles among them are read without trusting them."""

import gzip
import pickle
from pathlib import Path
from typing import Any

from freerun.errors import FreerunError


def contributed(folder: str, file: str) -> Path:
    """The path of a file of RDKit's contributed code.

    Raises:
        FreerunError: If this installation of RDKit has none.
    """
    from rdkit import RDConfig

    path = Path(RDConfig.RDContribDir) / folder / file
    if not path.is_file():
        raise FreerunError(f"RDKit's {folder} has no {path}; install the `rdkit` package with pip, which carries it")
    return path


def plain_pickle(path: Path) -> Any:
    """Numbers, strings, lists, tuples and dicts out of a gzipped pickle; nothing that names a class or a function.

    Raises:
        pickle.UnpicklingError: If it names one: it could run code.
    """
    with gzip.open(path) as file:
        return _PlainUnpickler(file).load()


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not allowed in a table of numbers")
