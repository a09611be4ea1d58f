"""Train generators of discrete sequences, and let them run free.

    import freerun

    run = freerun.train(corpus="molecules.smi")
    for sample in run.sample(10):
        print(sample.string)

The heavy libraries are imported when a name is first used, so `import freerun` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freerun.api import FreerunError, Run, compare, evaluate, explain, report, resume, train

__all__ = ["FreerunError", "Run", "compare", "evaluate", "explain", "report", "resume", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        value = getattr(importlib.import_module("freerun.api"), name)
        globals()[name] = value  # a subpackage of the same name must not take its place
        return value
    raise AttributeError(f"module 'freerun' has no attribute {name!r}; it offers {', '.join(__all__)}")
