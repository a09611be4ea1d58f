"""THE training loop: phases and steps, log, validation, checkpoints, exact resume.

Nothing survives a step but what a checkpoint holds: the method's State, the path (phase, step) and with it the
position in the corpus, and the sums of the log line under way. So a run that was killed at any moment and resumed
equals an uninterrupted one bit for bit on the same machine.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

import torch

from freerun.corpora.batches import Batch
from freerun.errors import FreerunError, Interrupted
from freerun.files import written_aside
from freerun.methods.base import Phase, State
from freerun.noise import mix
from freerun.prepare import Prepared
from freerun.run_folder import RunFolder, save_weights
from freerun.signals import Stop

INIT, VALIDATION = -1, -2  # in place of the phase's number, where a seed is derived outside the phases


@dataclasses.dataclass
class Path:
    """Where a run stands, and all that it remembers beside the method's State."""

    phase: int = 0
    step: int = 0  # of this phase
    total: int = 0  # of the run
    log_bytes: int = 0
    seconds: float = 0.0
    tokens: int = 0
    best: float = math.inf
    worse: int = 0  # validations since the best
    n_summed: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a step tells whoever watches."""

    phase: str
    step: int
    n_steps: int
    seconds: float
    tokens: int
    logs: dict[str, float]


Watch = Callable[[Progress], None]


class Training:
    """One run at work. `Training(folder, prepared).go(watch)` trains to the end, from wherever the folder stands."""

    def __init__(self, folder: RunFolder, prepared: Prepared):
        self.folder, self.prepared = folder, prepared
        self.settings, self.method = prepared.config.run, prepared.config.method
        self.batches = prepared.training_batches()
        torch.manual_seed(mix(self.settings.seed, INIT))
        self.state: State = self.method.init(prepared.world(self.batches.n_batches))
        self.phases: tuple[Phase, ...] = self.method.phases(self.batches.n_batches)
        self.path = Path()
        if folder.state.exists():
            self._load()
        elif prepared.initial_weights:
            prepared.lend_weights(self.state)
        folder.cut_log(self.path.log_bytes)
        self._saved_at = self._started_at = time.monotonic()
        self._seconds_before = self.path.seconds
        self._writer = _tensorboard(folder) if self.settings.tensorboard else None

    @property
    def n_steps(self) -> int:
        return sum(phase.n_steps for phase in self.phases)

    def go(self, watch: Watch) -> None:
        """Trains to the end.

        Raises:
            Interrupted: On SIGINT or SIGTERM, after the step under way; everything is saved.
        """
        with Stop() as stop:
            while self.path.phase < len(self.phases):
                phase = self.phases[self.path.phase]
                if self.path.step == 0 and phase.before is not None:
                    phase.before(self.state, self._rng(self.path.phase, -1))
                while self.path.step < phase.n_steps and not (phase.done and phase.done(self.state)):
                    watch(self._one_step(phase))
                    if self._is_over():
                        self._finish("stopped early" if self.settings.patience else "time limit")
                        return
                    if stop.requested:
                        self._save()
                        raise Interrupted(self._where())
                    if time.monotonic() - self._saved_at > self.settings.checkpoint_seconds:
                        self._save()
                self.path.phase, self.path.step = self.path.phase + 1, 0
        self._finish("finished")

    def _one_step(self, phase: Phase) -> Progress:
        path = self.path
        torch.manual_seed(mix(self.settings.seed, path.phase, path.step))
        batch = self._on_device(self.batches.batch(path.total))
        logs = phase.step(self.state, batch, self._rng(path.phase, path.step))
        path.step, path.total, path.n_summed = path.step + 1, path.total + 1, path.n_summed + 1
        path.tokens += int((batch.tokens != 0).sum())
        path.seconds = self._seconds_before + time.monotonic() - self._started_at
        means = {}
        for name, value in logs.items():
            path.sums[name] = path.sums.get(name, 0.0) + float(value)
            means[name] = path.sums[name] / path.n_summed
        if path.total % self.settings.log_every == 0:
            self._log(phase, means)
            path.sums, path.n_summed = {}, 0
        every = self.settings.validate_every or self.batches.n_batches
        if path.total % every == 0 or path.total == self.n_steps:
            self._validate(phase)
        return Progress(phase.name, path.total, self.n_steps, path.seconds, path.tokens, means)

    def _log(self, phase: Phase, values: dict[str, float]) -> None:
        self.folder.append(self.folder.log, {"step": self.path.total, "phase": phase.name, **values})
        clock = {"step": self.path.total, "seconds": round(self.path.seconds, 3), "tokens": self.path.tokens}
        self.folder.append(self.folder.timing, clock)
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, self.path.total)

    def _validate(self, phase: Phase) -> None:
        """Held-out measures of each validation set; the best weights so far are kept."""
        values = {}
        for prefix, validation in self.prepared.validations.items():
            values |= self._measured(prefix, validation)
        self._log(phase, values)
        score = next((value for name, value in values.items() if not name.startswith("valid_init_")), None)
        if score is None:  # nothing was held out of this corpus: the last weights are the best there are
            return self._keep_best()
        if score < self.path.best:
            self.path.best, self.path.worse = score, 0
            self._keep_best()
        else:
            self.path.worse += 1
        return None

    def _measured(self, prefix: str, validation: Any) -> dict[str, float]:
        rng, sums = self._rng(VALIDATION, self.path.total), {}
        for batch in validation.batches():
            for name, (total, count) in self.method.evaluate(self.state, self._on_device(batch), rng).items():
                before = sums.get(name, (0.0, 0.0))
                sums[name] = (before[0] + float(total), before[1] + float(count))
        values = {f"{prefix}_{name}": total / count for name, (total, count) in sums.items()}
        if "nll_per_token" in sums:
            nll, count = sums["nll_per_token"]
            values[f"{prefix}_perplexity"] = math.exp(min(nll / count, 700.0))
            values[f"{prefix}_bits_per_char"] = nll / math.log(2) / validation.n_chars
        return values

    def _is_over(self) -> bool:
        late = self.settings.max_minutes and self.path.seconds > 60 * self.settings.max_minutes
        return bool(late) or bool(self.settings.patience and self.path.worse >= self.settings.patience)

    def _rng(self, phase: int, step: int) -> torch.Generator:
        return torch.Generator(self.prepared.device).manual_seed(mix(self.settings.seed, phase, step, 1))

    def _on_device(self, batch: Batch) -> Batch:
        device = self.prepared.device
        return dataclasses.replace(
            batch,
            tokens=batch.tokens.to(device),
            columns={name: values.to(device) for name, values in batch.columns.items()},
            masks=None if batch.masks is None else batch.masks.to(device),
        )

    def _where(self) -> str:
        return (
            f"interrupted at step {self.path.total:,} of {self.n_steps:,}, everything is saved; "
            f"go on with: freerun resume {self.folder.path}"
        )

    def _keep_best(self) -> None:
        save_weights(self.folder.best, self.state.networks.state_dict(), {"step": str(self.path.total)})

    def _save(self) -> None:
        self.path.log_bytes = self.folder.log_size()
        saved = {"path": dataclasses.asdict(self.path), "state": self.state.state_dict()}
        with written_aside(self.folder.state) as file:
            torch.save(saved, file)
        self._saved_at = time.monotonic()

    def _load(self) -> None:
        try:
            saved = torch.load(self.folder.state, map_location=self.prepared.device, weights_only=True)
            self.path = Path(**saved["path"])
            self.state.load_state_dict(saved["state"])
        except Exception as error:  # torch names no common class for what a damaged file raises
            raise FreerunError(
                f"{self.folder.state} is damaged or not from this run ({type(error).__name__}); delete it to train "
                "from the start, the weights in model.safetensors are kept until then"
            ) from error

    def _finish(self, how: str) -> None:
        if not self.folder.best.exists():
            self._keep_best()
        self._save()
        save_weights(self.folder.last, self.state.networks.state_dict(), {"step": str(self.path.total)})
        facts = self.folder.read_facts()
        replayable = not (self.settings.max_minutes and how != "finished")
        self.folder.write_facts({**facts, "status": "finished", "ended": how, "replayable": replayable})


def _tensorboard(folder: RunFolder) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FreerunError("run.tensorboard needs `pip install freerun[tensorboard]`") from error
    return SummaryWriter(str(folder.path / "tensorboard"))
