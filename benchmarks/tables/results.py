"""What the tables share: a JSON file a run, written as it ends, so that what is there is not run again."""

import datetime
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import freerun
from freerun.api import Run
from freerun.files import write_json

RESULTS = Path(__file__).parents[2] / "docs" / "results"


def kept(folder: str, name: str, seed: int) -> dict[str, Any] | None:
    """The result of a run, where there is one."""
    path = RESULTS / folder / f"{name}-{seed}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def keep(folder: str, name: str, seed: int, result: dict[str, Any]) -> dict[str, Any]:
    write_json(RESULTS / folder / f"{name}-{seed}.json", result)
    return result


def trained_in(out: Path, config: str, **settings: Any) -> Run:
    """The run in a folder; an interrupted one goes on. `settings` as `freerun.train` takes them."""
    if (out / "run.json").exists():
        return freerun.resume(out)
    return freerun.train(config, out=out, notify=print, **settings)


def circumstances(run: Run, command: str, begins_with: str) -> dict[str, Any]:
    """How a result came about: the command, its cost, the machine and the day."""
    clock = json.loads(run.folder.timing.read_text(encoding="utf-8").splitlines()[-1])
    return {
        "command": command,
        "begins_with": begins_with,
        "seconds": clock["seconds"],
        "steps": clock["step"],
        "tokens": clock["tokens"],
        "threads": torch.get_num_threads(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
    }


def cell(values: Sequence[float], digits: int = 2) -> str:
    """Mean and standard deviation of those that are numbers, and of how many, if not of all."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "\N{EN DASH}"
    spread = f" ± {np.std(known, ddof=1):.{digits}f}" if len(known) > 1 else ""
    return f"{np.mean(known):.{digits}f}{spread}" + (f" ({len(known)})" if len(known) < len(values) else "")
