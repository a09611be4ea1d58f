"""Gradient descent: optimiser, schedule of the learning rate, clipping."""

import dataclasses
import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

FAMILIES = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclasses.dataclass(frozen=True)
class Descent:
    """How a network is optimised: the table `[method.descent]`.

    Args:
        optimiser: `adam` (Kingma & Ba 2015, arXiv:1412.6980) or `adamw` (Loshchilov & Hutter 2019, arXiv:1711.05101).
        lr: Highest learning rate.
        schedule: Over the steps after the warm-up: `constant`; `cosine` to `lr_end` at the last step; `linear` to
            `lr_end`; `step`: multiplied by `factor` each `every` steps.
        n_warmup: Steps over which the rate rises linearly from 0.
        lr_end: Final rate, as a fraction of `lr`.
        clip: Largest norm of the gradient, all weights together; 0: no clipping.
    """

    optimiser: Literal["adam", "adamw"] = "adam"
    lr: float = 1e-3
    schedule: Literal["constant", "cosine", "linear", "step"] = "constant"
    n_warmup: int = 0
    lr_end: float = 0.0
    every: int = 1000
    factor: float = 0.5
    clip: float = 5.0
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)

    def steady(self) -> "Descent":
        """A tenth of the highest rate throughout: for weights that are trained already."""
        return dataclasses.replace(self, lr=0.1 * self.lr, schedule="constant", n_warmup=0)

    def lr_at(self, step: int, n_steps: int) -> float:
        """Learning rate of step `step` (from 0) of `n_steps`."""
        if step < self.n_warmup:
            return self.lr * (step + 1) / self.n_warmup
        progress = min(1.0, (step - self.n_warmup) / max(1, n_steps - self.n_warmup))
        match self.schedule:
            case "constant":
                return self.lr
            case "cosine":
                return self.lr * (self.lr_end + (1 - self.lr_end) * (1 + math.cos(math.pi * progress)) / 2)
            case "linear":
                return self.lr * (1 - (1 - self.lr_end) * progress)
            case "step":
                return self.lr * self.factor ** (step // self.every)


class Optimiser:
    """The optimiser of one network, with its place on the schedule.

    Args:
        n_steps: Length of the schedule.
    """

    def __init__(self, network: nn.Module, descent: Descent, n_steps: int):
        self.descent, self.n_steps, self.step = descent, n_steps, 0
        self.weights = [weight for weight in network.parameters() if weight.requires_grad]
        self.torch = FAMILIES[descent.optimiser](
            self.weights, lr=descent.lr, betas=descent.betas, weight_decay=descent.weight_decay, fused=True
        )

    def descend(self, loss: Float[Tensor, ""]) -> dict[str, Tensor]:
        """One step down `loss`.

        Raises:
            FloatingPointError: If the gradient is not finite; the weights are as before.
        """
        self.torch.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.weights, self.descent.clip or math.inf)
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"the gradient is {float(norm)} at step {self.step}; lower its learning rate ({self.descent.lr:g})"
            )
        lr = self.descent.lr_at(self.step, self.n_steps)
        for group in self.torch.param_groups:
            group["lr"] = lr
        self.torch.step()
        self.step += 1
        return {"grad_norm": norm.detach(), "lr": torch.tensor(lr)}

    def state_dict(self) -> dict:
        return {"torch": self.torch.state_dict(), "step": self.step}

    def load_state_dict(self, saved: dict) -> None:
        self.torch.load_state_dict(saved["torch"])
        self.step = saved["step"]
