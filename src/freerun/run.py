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
from freerun.lending import lend
from freerun.memory import keep_freed
from freerun.methods.base import Phase, State, unrolled
from freerun.noise import mix
from freerun.observation import known, observe
from freerun.prepare import Prepared
from freerun.run_folder import RunFolder, load_weights, save_weights
from freerun.signals import Stop
from freerun.signs import signs
from freerun.trained import put_weights
from freerun.unvalued import Unvalued

N_TOKENS = "n_tokens"  # in a step's logs: what it read and wrote, where that is not its batch
TIME_LIMIT = "time limit"
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
    validated: int = 0  # the step of the last validation
    n_calls: int = 0  # distinct strings that the objective was asked for
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


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
Notify = Callable[[str], None]


class Training:
    """One run at work. `Training(folder, prepared).go(watch)` trains to the end, from wherever the folder stands."""

    def __init__(self, folder: RunFolder, prepared: Prepared):
        self.folder, self.prepared = folder, prepared
        self.settings, self.method = prepared.config.run, prepared.config.method
        known(self.settings.observe)
        self.batches = prepared.training_batches()
        torch.manual_seed(mix(self.settings.seed, INIT))
        self.state: State = self.method.init(prepared.world(self.batches.n_batches))
        self.phases = unrolled(self.method.phases(self.batches.n_batches))
        self.path = Path()
        if folder.state.exists():
            self._load()
        elif prepared.initial_weights:
            lend(prepared.initial_weights, self.state)
        folder.cut_log(self.path.log_bytes)
        self._saved_at = self._started_at = time.monotonic()
        self._seconds_before = self.path.seconds
        self._writer = _tensorboard(folder) if self.settings.tensorboard else None
        self._unvalued = Unvalued(prepared.objective, folder.read_facts().get("unvalued", {}))

    @property
    def n_steps(self) -> int:
        return sum(phase.n_steps for phase in self.phases)

    @property
    def _phase(self) -> Phase:
        """The one under way; at the end the last."""
        return self.phases[min(self.path.phase, len(self.phases) - 1)]

    def go(self, watch: Watch, notify: Notify = lambda _: None) -> None:
        """Trains to the end.

        Args:
            watch: Told of every step.
            notify: Told of strings that have no value, the first of each kind at once.

        Raises:
            Interrupted: On SIGINT or SIGTERM, after the step under way; everything is saved.
        """
        keep_freed()
        if self.prepared.objective is not None:
            self.prepared.objective.listen(lambda: self._unvalued.tell(notify))
        with Stop() as stop:
            while self.path.phase < len(self.phases):
                phase = self.phases[self.path.phase]
                if self.path.step == 0 and phase.before is not None:
                    phase.before(self.state, self._rng(self.path.phase, -1))
                while self.path.step < phase.n_steps and not self._is_done(phase):
                    watch(self._one_step(phase))
                    self._unvalued.tell(notify)
                    if ended := self._is_spent() or (phase.stop(self.state) if phase.stop else ""):
                        return self._finish(ended, notify)
                    if stop.requested:
                        self._save()
                        raise Interrupted(self._where())
                    if time.monotonic() - self._saved_at > self.settings.checkpoint_seconds:
                        self._save()
                self._leave(phase)
        return self._finish("stopped early" if self._is_past_its_best() else "finished", notify)

    def _one_step(self, phase: Phase) -> Progress:
        path = self.path
        torch.manual_seed(mix(self.settings.seed, path.phase, path.step))
        batch = self._on_device(self.batches.batch(path.total))
        logs = phase.step(self.state, batch, self._rng(path.phase, path.step))
        path.step, path.total = path.step + 1, path.total + 1
        path.tokens += int(logs.pop(N_TOKENS, (batch.tokens != 0).sum()))
        path.seconds = self._seconds_before + time.monotonic() - self._started_at
        if self.prepared.objective is not None:
            path.n_calls = self.prepared.objective.n_distinct
        for name, value in logs.items():
            path.sums[name] = path.sums.get(name, 0.0) + float(value)
            path.counts[name] = path.counts.get(name, 0) + 1
        means = self._means()
        if path.total % self.settings.log_every == 0:
            self._log_means(phase)
        every = self.settings.validate_every or self.batches.n_batches
        if path.total % every == 0 or path.total == self.n_steps:
            self._validate(phase)
        if self.settings.observe and path.total % self.settings.observe_every == 0:
            self._observe(phase)
        return Progress(phase.name, path.total, self.n_steps, path.seconds, path.tokens, means)

    def _leave(self, phase: Phase) -> None:
        """The end of a phase: its log is written, and its weights are those that it is for."""
        path = self.path
        self._log_means(phase)
        path.phase, path.step = path.phase + 1, 0
        if path.phase < len(self.phases) and phase.keep == "best" and self.phases[path.phase].name != phase.name:
            if path.validated != path.total:
                self._validate(phase)
            if self.folder.best.exists():  # else no validation had a finite likelihood, and the present ones are kept
                put_weights(self.state, load_weights(self.folder.best), self.folder.best)
            path.best, path.worse = math.inf, 0  # of the phase that begins

    def _means(self) -> dict[str, float]:
        return {name: total / self.path.counts[name] for name, total in self.path.sums.items()}

    def _log_means(self, phase: Phase) -> None:
        if self.path.sums:
            self._log(phase, self._means())
        self.path.sums, self.path.counts = {}, {}

    def _log(self, phase: Phase, values: dict[str, float]) -> None:
        self.folder.append(self.folder.log, {"step": self.path.total, "phase": phase.name, **values})
        clock = {"step": self.path.total, "seconds": round(self.path.seconds, 3), "tokens": self.path.tokens}
        if self.prepared.objective is not None:
            clock["calls"] = self.path.n_calls
        self.folder.append(self.folder.timing, clock)
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, self.path.total)

    def _validate(self, phase: Phase) -> None:
        """Held-out measures of each validation set; the best weights so far are kept."""
        self.path.validated = self.path.total
        values = {}
        for prefix, validation in self.prepared.validations.items():
            values |= self._measured(prefix, validation)
        self._log(phase, values)
        score = next((value for name, value in values.items() if not name.startswith("valid_init_")), None)
        if phase.keep == "last":
            return None
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

    def _observe(self, phase: Phase) -> None:
        """What `[run] observe` names, of samples drawn with one seed throughout."""
        prepared, state = self.prepared, self.state
        world = state.world
        seen = observe(
            self.settings.observe,
            self.method.generator(state),
            world.constraint,
            world.budget,
            prepared.representation,
            lambda index: self.method.context(state, index, {}, mix(self.settings.seed, 1)),  # as `freerun sample`
            self.settings.seed,
        )
        self._log(phase, seen)

    def _is_done(self, phase: Phase) -> bool:
        return self._is_past_its_best() or bool(phase.done and phase.done(self.state))

    def _is_past_its_best(self) -> bool:
        return bool(self.settings.patience and self.path.worse >= self.settings.patience)

    def _is_spent(self) -> str:
        """The budget that is used up; nothing where there is none, or something is left."""
        settings, path = self.settings, self.path
        budgets = {
            TIME_LIMIT: (path.seconds, 60 * settings.max_minutes),
            "step budget": (path.total, settings.max_steps),
            "token budget": (path.tokens, settings.max_tokens),
            "call budget": (path.n_calls, settings.max_calls),
        }
        return next((name for name, (used, most) in budgets.items() if most and used >= most), "")

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
        allow = " --allow-code" if self.folder.read_facts().get("code") else ""
        return (
            f"interrupted at step {self.path.total:,} of {self.n_steps:,}, everything is saved; "
            f"go on with: freerun resume {self.folder.path}{allow}"
        )

    def _keep_best(self) -> None:
        save_weights(self.folder.best, self.state.networks.state_dict(), {"step": str(self.path.total)})

    def _save(self) -> None:
        self.path.log_bytes = self.folder.log_size()
        saved = {"path": dataclasses.asdict(self.path), "state": self.state.state_dict()}
        with written_aside(self.folder.state) as file:
            torch.save(saved, file)
        if self._phase.keep == "last":  # after the state: what goes on from an older one may still need the best
            self._keep_best()
        if unvalued := self._unvalued.facts():
            self.folder.write_facts({**self.folder.read_facts(), "unvalued": unvalued})
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
        if self.prepared.objective is not None:
            self.prepared.objective.rewind(self.path.n_calls)

    def _finish(self, how: str, notify: Notify) -> None:
        self._log_means(self._phase)
        if self.path.validated != self.path.total:
            self._validate(self._phase)
        if not self.folder.best.exists():
            self._keep_best()
        self._save()
        save_weights(self.folder.last, self.state.networks.state_dict(), {"step": str(self.path.total)})
        facts, seen = self.folder.read_facts(), signs(self.folder.records())
        ending = {"status": "finished", "ended": how, "replayable": how != TIME_LIMIT, "signs": seen}
        self.folder.write_facts({**facts, **ending})
        for line in (*self._unvalued.sums(), *seen):
            notify(line)


def _tensorboard(folder: RunFolder) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FreerunError("run.tensorboard needs `pip install freerun[tensorboard]`") from error
    return SummaryWriter(str(folder.path / "tensorboard"))
