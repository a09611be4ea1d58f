"""The critic of sequences that an adversarial method trains between the steps of its generator.

It descends a loss of `adversarial_losses.py`: the standard one is eq. (5) of Yu et al. 2017, arXiv:1609.05473, as the
mean of its two halves. Under the Wasserstein loss its weights must be bounded: `critic.spectral`.

The critic costs 97 % of the published recipe. Here a phase of its training ends when its accuracy on sequences that it
has not seen is `enough`: half of them held out of the corpus, half freshly drawn.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.adversarial_losses import Loss, accuracy, critic_loss
from freerun.methods.base import Cycle, Logs, Phase, State, World, descend
from freerun.methods.collapse import VARIETY, Variety
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import GENERATOR
from freerun.methods.policy_gradient import sampled
from freerun.models.sequence_critic import CriticShape, SequenceCritic

CRITIC = "critic"  # the name of the network and of its optimiser
N_JUDGED = 500  # sequences of each half that the held-out accuracy is of
JUDGED_EVERY = 25  # updates, and rounds: what is drawn to judge a critic costs as much as some of either


@dataclasses.dataclass
class AdversarialState(State):
    """A state that keeps a pool of drawn sequences for the critic, and how good the critic was when last judged."""

    pool: Int[Tensor, "pool time"] = dataclasses.field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    n_used: int = 0  # of the pool, round and round
    n_since: int = JUDGED_EVERY  # updates of the critic, and rounds of them, since it was judged
    accuracy: float = math.nan

    def state_dict(self) -> dict:
        kept = {"pool": self.pool, "n_used": self.n_used, "n_since": self.n_since, "accuracy": self.accuracy}
        return {**super().state_dict(), "discriminator": kept}

    def load_state_dict(self, saved: dict) -> None:
        super().load_state_dict(saved)
        kept = saved["discriminator"]
        self.pool = kept["pool"].to(self.world.device)
        self.n_used, self.n_since, self.accuracy = kept["n_used"], kept["n_since"], kept["accuracy"]


def adversarial_state(
    world: World, critic: CriticShape, descents: Mapping[str, tuple[Descent, int]]
) -> AdversarialState:
    """A generator and a critic, and the optimisers by name: how each descends, and in how many steps."""
    networks = torch.nn.ModuleDict(
        {
            GENERATOR: world.build_generator(),
            CRITIC: critic.build(world.constraint.n_vocab),
            VARIETY: Variety(),
        }
    ).to(world.device)
    optimisers = {
        name: Optimiser(networks[CRITIC if name == CRITIC else GENERATOR], descent, n_steps)
        for name, (descent, n_steps) in descents.items()
        if n_steps
    }
    return AdversarialState(world, networks, optimisers)


def critic_phase(n_steps: int, enough: float, *, rounds: int = 1, n_fakes: int = 0, loss: Loss = "standard") -> Cycle:
    """At most `n_steps` updates of the critic, `rounds` times, each with `n_fakes` of its own; 0: fresh ones for each
    update. A round ends when the held-out accuracy is `enough`.
    """
    phase = Phase(
        "critic",
        n_steps,
        functools.partial(critic_step, loss=loss),
        before=lambda state, rng: begin(state, n_fakes, rng, loss),
        done=lambda state: is_enough(state, enough),
        keep="last",
    )
    return Cycle((phase,), rounds)


def critic_of(state: State) -> SequenceCritic:
    critic = state.networks[CRITIC]
    assert isinstance(critic, SequenceCritic)
    return critic


def begin(state: State, n_fakes: int, rng: torch.Generator, loss: Loss = "standard") -> None:
    """A round of the critic begins: the pool is drawn anew, and the critic judged if that is long ago."""
    assert isinstance(state, AdversarialState)
    state.pool = sampled(state, n_fakes, rng) if n_fakes else state.pool[:0]
    state.n_used = 0
    judge_in_time(state, rng, loss)


def is_enough(state: State, enough: float) -> bool:
    """Whether the critic, when last judged, was as good as it has to be; never where nothing is held out."""
    assert isinstance(state, AdversarialState)
    return state.accuracy >= enough


def critic_step(state: State, batch: Batch, rng: torch.Generator, *, loss: Loss = "standard") -> Logs:
    """One update, on a batch of the corpus and as many sequences of the generator."""
    assert isinstance(state, AdversarialState)
    critic, n = critic_of(state).train(), len(batch.tokens)
    fakes = _fakes(state, n, rng)
    real, fake = critic(batch.tokens), critic(fakes)
    value = critic_loss(loss, real, fake)
    logs = descend(value + critic.penalty(), state.optimisers[CRITIC])
    judge_in_time(state, rng, loss)
    told = {
        "critic_loss": value.detach(),
        "critic_accuracy": accuracy(loss, real.detach(), fake.detach()),
        "critic_grad_norm": logs["grad_norm"],
        "n_tokens": torch.tensor(int((batch.tokens != 0).sum() + (fakes != 0).sum())),
    }
    return told | ({} if math.isnan(state.accuracy) else {"critic_accuracy_held_out": torch.tensor(state.accuracy)})


def judge_in_time(state: AdversarialState, rng: torch.Generator, loss: Loss) -> None:
    """Counts an update, or the beginning of a round; the critic is judged at the first and at every 25th."""
    state.n_since += 1
    if state.n_since >= JUDGED_EVERY:
        judge(state, rng, loss)
        state.n_since = 0


@torch.no_grad()
def judge(state: AdversarialState, rng: torch.Generator, loss: Loss = "standard") -> None:
    """The critic's accuracy on held-out sequences and fresh ones of the generator, half of each."""
    real = state.world.held_out
    if real is None:
        return
    real = real[torch.randperm(len(real), generator=rng, device=rng.device)[:N_JUDGED].to(real.device)]
    critic = critic_of(state).eval()
    state.accuracy = float(accuracy(loss, critic(real), critic(sampled(state, len(real), rng))))


@torch.no_grad()
def logits_of(state: State, tokens: Int[Tensor, "rows time"], piece: int = 1024) -> Float[Tensor, " rows"]:
    """d(Y) of many sequences, a piece at a time."""
    critic = critic_of(state).eval()
    return torch.cat([critic(part) for part in tokens.split(piece)])


def _fakes(state: AdversarialState, n: int, rng: torch.Generator) -> Int[Tensor, "batch time"]:
    """The next n of the pool; freshly drawn ones where there is none."""
    if not len(state.pool):
        return sampled(state, n, rng)
    rows = torch.arange(state.n_used, state.n_used + n, device=state.pool.device) % len(state.pool)
    state.n_used += n
    return state.pool[rows]
