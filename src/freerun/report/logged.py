"""What the log of a training holds, by name: the numbers that become panels, and the phases."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from freerun.report.folder import Run
from freerun.report.told import finite


@dataclasses.dataclass(frozen=True)
class Logged:
    """A number of the log as a panel.

    Args:
        beside: The same measured otherwise, dashed in the same panel, and what both are called in its legend.
        is_share: Whether it lies in [0, 1], mostly in a part of that: the panel shows this part.
    """

    key: str
    title: str
    beside: tuple[str, str, str] | None = None
    is_share: bool = False


LOGGED = (
    Logged("valid_kl_per_sequence", "KL of the codes from their prior, nats a string, held out"),
    Logged("valid_mutual_information", "What codes say of their strings, nats, at most ln(batch), held out"),
    Logged("valid_active_units", "Axes of the code that say something, held out"),
    Logged("valid_prior_gap", "Divergence of the codes from their prior, by the critic, nats a string, held out"),
    Logged("valid_critic_accuracy", "Codes and draws of the prior that the critic tells right, held out"),
    Logged("valid_accuracy", "Classes told right, held out"),
    Logged(
        "objective", "Objective: mean total of what it writes", ("kept_objective", "written", "kept"), is_share=True
    ),
    Logged("reward", "Reward of what it writes, all its parts", is_share=True),
    Logged("validity", "Valid, of what it writes", is_share=True),
    Logged("uniqueness", "Different ones, of what it writes", is_share=True),
    Logged(
        "critic_accuracy",
        "Real and own strings that the critic tells right",
        ("critic_accuracy_held_out", "of those it learns from", "held out"),
        is_share=True,
    ),
    Logged("critic_loss", "Loss of the critic"),
    Logged("generator_loss", "Loss of the generator against the critic"),
    Logged("adversarial_loss", "Loss of the generator against the critic"),
    Logged("effective_sample_size", "Effective sample size, of the weights of a batch"),
    Logged("kl_from_prior", "KL from the weights it began with, nats a string"),
    Logged("p_teacher", "Probability that an input is the true token", is_share=True),
    Logged("sharpness", "Largest probability of a relaxed token", is_share=True),
    Logged("grad_norm", "Gradient norm, before clipping"),
    Logged("lr", "Learning rate"),
)
OBSERVED = "observed_"
OBSERVATIONS = {
    "nll_oracle": "NLL under the oracle, nats a token",
    "validity": "valid",
    "uniqueness": "different ones of the valid",
}
MOST_OBSERVED, MOST_PHASES = 8, 8


def observed(runs: Sequence[Run]) -> list[Logged]:
    """What `[run] observe` measured of samples along the training."""
    keys = dict.fromkeys(key for run in runs for record in run.log for key in record if key.startswith(OBSERVED))
    names = [key.removeprefix(OBSERVED) for key in keys if not key.endswith("_standard_error")][:MOST_OBSERVED]
    return [Logged(OBSERVED + name, f"Samples: {OBSERVATIONS.get(name, name)}", is_share=True) for name in names]


def phases_of(run: Run) -> list[tuple[float, str]]:
    """After which step each phase began, and its name; those of a cycle where they first came."""
    found: dict[str, float] = {}
    last = 0.0
    for record in run.log:
        name, step = record.get("phase"), finite(record.get("step"))
        if isinstance(name, str) and name not in found:
            found[name] = last
        last = last if np.isnan(step) else step
    return [(step, name) for name, step in found.items()][:MOST_PHASES]


def printable(name: str, longest: int = 20) -> str:
    """A name that may stand inside a drawing: nothing but letters, digits and a few signs."""
    return re.sub(r"[^\w .,+()-]", "\u00b7", name)[:longest]
