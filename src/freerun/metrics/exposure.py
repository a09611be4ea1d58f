"""Exposure: how far is free running from teacher forcing?

Training shows a generator true prefixes alone; free running shows it its own. Bengio et al. 2015 (arXiv:1506.03099)
and Lamb et al. 2016 (arXiv:1610.09038) name the gap; here it is measured in three ways that need no further training:

(a) probe: a ridge classifier is fitted, for each position, to tell hidden states of the two modes apart; its held-out
accuracy is
    1/2 where the modes are alike.
(b) prefix: the quality of strings that are completed freely from a true prefix, by the prefix's length.
(c) perturbation: at one position the true token is replaced by another one that had a probability above 1 %. The
quality of the free
    completion against that of the true prefix; and, the true tokens being read on after the error, the distance of the
    hidden states from those without it, |h' - h| / |h|, by steps since.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.constraints.base import EOS, PAD, AbstractConstraint
from freerun.models.generator import AbstractGenerator
from freerun.noise import mix, uniform
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import masked_log_softmax

Quality = Callable[[Int[Tensor, "batch time"]], Float[np.ndarray, " batch"]]  # of decoded rows, in [0, 1]
Curve = dict[str, list[Any]]

N_POSITIONS = 9  # prefix lengths that are looked at, from 0 to the length that 9 in 10 strings reach
N_STEPS_SINCE = 15
LEAST_ROWS = 60  # a position with fewer strings in either mode is left out
LEAST_PROBABILITY = 0.01


@dataclasses.dataclass(frozen=True)
class Exposure:
    """The three measurements of one generator, each a few seconds.

    Args:
        tokens: Held-out sequences, at most as many as should be used: ids, `<eos>`, then `<pad>`.
        quality: Of sequences, one number each: validity of a molecule, for instance.
    """

    generator: AbstractGenerator
    constraint: AbstractConstraint
    budget: int
    tokens: Int[Tensor, "batch time"]
    quality: Quality
    seed: int = 0

    def measure(self) -> dict[str, Curve]:
        """Curves with standard errors, by name: `probe`, `prefix`, `perturbation`."""
        lengths = self._lengths()
        return {"probe": self.probe(), "prefix": self.prefix(lengths), "perturbation": self.perturbation(lengths)}

    @torch.no_grad()
    def probe(self) -> Curve:
        """(a) Held-out accuracy of telling teacher-forced from free-running states, by position from 1."""
        _, forced = self.generator.eval()(self.tokens)
        free = dataclasses.replace(self._free_run(2), with_hidden=True)(len(self.tokens))
        assert free.hidden is not None
        curve: Curve = {"position": [], "accuracy": [], "standard_error": []}
        for t in range(min(forced.shape[1], free.hidden.shape[1])):
            a = forced[self.tokens[:, t] != PAD, t]
            b = free.hidden[free.tokens[:, t] != PAD, t]
            n = min(len(a), len(b))
            if n < LEAST_ROWS:
                break
            accuracy, n_test = _probe_accuracy(a[:n].double().cpu().numpy(), b[:n].double().cpu().numpy())
            curve["position"].append(t + 1)
            curve["accuracy"].append(accuracy)
            curve["standard_error"].append((accuracy * (1 - accuracy) / n_test) ** 0.5)
        return curve

    def prefix(self, lengths: Sequence[int]) -> Curve:
        """(b) Quality of free completions of true prefixes, by the prefix's length."""
        curve: Curve = {"length": [], "validity": [], "standard_error": []}
        for length in lengths:
            rows = self.tokens[self._longer_than(length)]
            mean, error = _mean(self._completed(rows[:, :length], 3))
            curve["length"].append(length)
            curve["validity"].append(mean)
            curve["standard_error"].append(error)
        return curve

    def perturbation(self, positions: Sequence[int]) -> Curve:
        """(c) What one wrong token does, by its position (from 0), and how long the states remember it."""
        curve: Curve = {"position": [], "validity": [], "validity_unperturbed": [], "standard_error": []}
        distances: list[Float[np.ndarray, "rows steps"]] = []
        for position in positions:
            rows = self.tokens[self._longer_than(position)]
            wrong, found = self._wrong_tokens(rows, position)
            rows, wrong = rows[found], wrong[found]
            if len(rows) < LEAST_ROWS:
                continue
            changed = rows.clone()
            changed[:, position] = wrong
            true = self._completed(rows[:, : position + 1], 4)
            false = self._completed(changed[:, : position + 1], 4)
            curve["position"].append(position)
            curve["validity"].append(_mean(false)[0])
            curve["validity_unperturbed"].append(_mean(true)[0])
            curve["standard_error"].append(_mean(false)[1])
            distances.append(self._state_distances(rows, changed, position))
        since = np.concatenate(distances) if distances else np.empty((0, N_STEPS_SINCE))
        kept = np.isfinite(since).sum(0) >= LEAST_ROWS
        counts = np.isfinite(since).sum(0)[kept]
        curve["steps_since"] = (np.flatnonzero(kept) + 1).tolist()
        curve["state_distance"] = np.nanmean(since[:, kept], 0).tolist()
        curve["state_distance_standard_error"] = (np.nanstd(since[:, kept], 0) / np.sqrt(counts)).tolist()
        return curve

    def _lengths(self) -> list[int]:
        lengths = (self.tokens != PAD).sum(1) - 1
        last = int(torch.quantile(lengths.double(), 0.1)) if len(lengths) else 0
        return sorted({round(float(x)) for x in np.linspace(0, max(0, last - 1), N_POSITIONS)})

    def _longer_than(self, length: int) -> Bool[Tensor, " batch"]:
        """Rows with a token, not `<eos>`, at this position."""
        return (self.tokens != PAD).sum(1) > length + 1

    def _free_run(self, purpose: int) -> FreeRun:
        return FreeRun(self.generator, self.constraint, self.budget, seed=mix(self.seed, purpose))

    def _completed(self, prefixes: Int[Tensor, "batch prefix"], purpose: int) -> Float[np.ndarray, " batch"]:
        run = self._free_run(purpose)
        if prefixes.shape[1]:
            run = dataclasses.replace(run, prefix=lambda index: prefixes[index])
        return self.quality(run(len(prefixes)).tokens)

    @torch.no_grad()
    def _wrong_tokens(
        self, rows: Int[Tensor, "batch time"], position: int
    ) -> tuple[Int[Tensor, " batch"], Bool[Tensor, " batch"]]:
        """Another token that the generator might well have written at this place, and whether there is one."""
        seen = rows[:, : position + 1]
        logits, _ = self.generator(seen)
        allowed = self.constraint.replay(seen, self.budget)
        log_probs = masked_log_softmax(logits[:, -1], allowed[:, -1])
        others = log_probs.exp() > LEAST_PROBABILITY
        others.scatter_(1, seen[:, -1:], False)
        others[:, EOS] = False
        key = torch.arange(len(rows), device=rows.device)[:, None]
        lanes = torch.arange(others.shape[1], device=rows.device)
        draw = uniform(mix(self.seed, 5), key, position, lanes).masked_fill(~others, -1.0)
        return draw.argmax(1), others.any(1)

    @torch.no_grad()
    def _state_distances(
        self, rows: Int[Tensor, "batch time"], changed: Int[Tensor, "batch time"], position: int
    ) -> Float[np.ndarray, "batch steps"]:
        """|h' - h| / |h| at 1 .. N_STEPS_SINCE steps after the changed token was read; NaN past the end."""
        _, true = self.generator(rows)
        _, false = self.generator(changed)
        distance = (false - true).norm(dim=-1) / true.norm(dim=-1)
        distance = distance.masked_fill(rows == PAD, torch.nan)[:, position + 1 : position + 1 + N_STEPS_SINCE]
        missing = N_STEPS_SINCE - distance.shape[1]
        return torch.nn.functional.pad(distance, (0, missing), value=torch.nan).double().cpu().numpy()


def _probe_accuracy(a: Float[np.ndarray, "rows hidden"], b: Float[np.ndarray, "rows hidden"]) -> tuple[float, int]:
    """Accuracy on the odd rows of a ridge classifier fitted to the even ones, and the number of rows it is of."""
    x, y = np.concatenate([a[::2], b[::2]]), np.repeat([1.0, -1.0], [len(a[::2]), len(b[::2])])
    centre, spread = x.mean(0), x.std(0)
    spread[spread < 1e-9] = np.inf  # a unit that never moves tells nothing
    x = (x - centre) / spread
    weights = np.linalg.solve(x.T @ x + len(x) * np.eye(x.shape[1]), x.T @ y)
    answers = np.concatenate([((a[1::2] - centre) / spread) @ weights, -(((b[1::2] - centre) / spread) @ weights)])
    return float((answers > 0).mean() + 0.5 * (answers == 0).mean()), len(answers)


def _mean(values: Float[np.ndarray, " batch"]) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(values.mean()), float(values.std() / max(1, len(values)) ** 0.5)
