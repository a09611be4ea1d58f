"""Hill climb: keep the best strings that were found, and learn them by maximum likelihood.

Segler, Kogej, Tyrchan & Waller 2018, arXiv:1701.01329; as a baseline of goal-directed generation Brown et al. 2019
(GuacaMol), arXiv:1811.09621.

    sample;  keep the `n_kept` different strings that were paid most, of all so far;  descend the NLL of these

Deviation: GuacaMol keeps the best of each round for passes over them; here the best of all rounds are kept, and each
descent is on a random batch of these.
"""

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.collapse import VARIETY, Variety, seen, stop_below
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import GENERATOR, MLE, evaluated, mle_phase
from freerun.methods.paid import totals, validity
from freerun.methods.policy_gradient import log_probs, sampled
from freerun.sampling.likelihood import n_tokens


@dataclasses.dataclass
class ClimbingState(State):
    """A state that keeps the best strings so far, best first; a checkpoint holds them."""

    tokens: Int[Tensor, "kept time"] = dataclasses.field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    paid: Float[Tensor, " kept"] = dataclasses.field(default_factory=lambda: torch.zeros(0))

    def state_dict(self) -> dict:
        return {**super().state_dict(), "kept": {"tokens": self.tokens, "paid": self.paid}}

    def load_state_dict(self, saved: dict) -> None:
        super().load_state_dict(saved)
        device = self.world.device
        self.tokens, self.paid = (saved["kept"][name].to(device) for name in ("tokens", "paid"))

    def keep(self, tokens: Int[Tensor, "batch time"], paid: Float[Tensor, " batch"], most: int) -> None:
        """These and what was kept, each once, the best `most` of them."""
        widest = max(tokens.shape[1], self.tokens.shape[1])
        both = [torch.nn.functional.pad(rows, (0, widest - rows.shape[1])) for rows in (self.tokens, tokens)]
        rows, place = torch.cat(both).unique(dim=0, return_inverse=True)
        paid = torch.cat([self.paid, paid])
        worth = paid.new_zeros(len(rows)).scatter_reduce_(0, place, paid, "amax", include_self=False)
        best = worth.argsort(descending=True, stable=True)[:most]
        self.tokens, self.paid = rows[best], worth[best]


@dataclasses.dataclass(frozen=True)
class HillClimb(AbstractMethod):
    """Maximum likelihood on the best strings so far.

    Args:
        n_mle: Steps of maximum likelihood first; 0: none, for a run that starts from another one's weights.
        n_steps: Rounds.
        batch_size: Strings that a round draws, and that a descent learns.
        n_kept: Strings that are kept.
        n_descents: Descents of a round.
        stop_at_collapse: Share of different strings in a batch below which the training ends; 0: never.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.
    """

    takes_objective = True

    n_mle: int = 0
    n_steps: int = 500
    batch_size: int = 64
    n_kept: int = 512
    n_descents: int = 1
    stop_at_collapse: float = 0.0
    mle_descent: Descent = Descent()  # noqa: RUF009
    descent: Descent = Descent(lr=1e-4)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(1, self, "n_kept", "n_descents")
        refuse_below(0, self, "n_mle", "n_steps", "stop_at_collapse")

    def init(self, world: World) -> State:
        generator = world.build_generator()
        optimisers = {GENERATOR: Optimiser(generator, self.descent, self.n_steps * self.n_descents)}
        if self.n_mle:
            optimisers[MLE] = Optimiser(generator, self.mle_descent, self.n_mle)
        nothing = torch.zeros(0, 0, dtype=torch.int64, device=world.device)
        networks = torch.nn.ModuleDict({GENERATOR: generator, VARIETY: Variety()}).to(world.device)
        return ClimbingState(world, networks, optimisers, nothing, torch.zeros(0, device=world.device))

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        stop = stop_below(self.stop_at_collapse)
        return mle_phase(self.n_mle), Phase("hill_climb", self.n_steps, self.step, stop=stop, keep="last")

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        assert isinstance(state, ClimbingState)
        tokens = sampled(state, self.batch_size, rng)
        paid = totals(state, tokens, len(tokens))
        state.keep(tokens, paid, self.n_kept)
        logs: Logs = {}
        n_read = (tokens != PAD).sum()
        for _ in range(self.n_descents):
            rows = torch.randint(len(state.tokens), (self.batch_size,), generator=rng, device=rng.device)
            learned = state.tokens[rows]
            learned = learned[:, : int((learned != PAD).sum(1).max())]
            count = n_tokens(learned).sum()
            loss = -log_probs(state, learned).sum() / count
            n_read = n_read + count
            logs = descend(loss, state.optimisers[GENERATOR])
        return {
            "objective": paid.mean(),
            "kept_objective": state.paid.mean(),
            "validity": validity(state, tokens),
            **seen(state, tokens),
            "n_tokens": n_read,
            **logs,
        }

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)
