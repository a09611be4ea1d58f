"""Professor forcing: the network is to behave alike whether it reads true tokens or its own.

Lamb, Goyal, Zhang, Zhang, Courville & Bengio 2016, arXiv:1610.09038.

    b_t = (h_t, p(. | y_1 .. y_{t-1})),   h_t the last layer's state from which the token y_t is predicted        (1)
    L_D = - E_data log D(b(Y)) - E_p log(1 - D(b(Y~)))                                       the critic           (2)
    NLL = - E_data log p(Y)                                                                                       (3)
    C_f = - E_p log D(b(Y~))                         free running is to look teacher-forced                       (4)
    C_t = - E_data log(1 - D(b(Y)))                  and, if asked for, the other way round                       (5)
    L = NLL + lambda (C_f [+ C_t])                                                                                (6)

Y~ is drawn from the generator and held constant: the network runs over it again, beside the data, in one batch. In (4)
nothing reaches the teacher-forced side, in (5) nothing the free-running one; both change the one network.

Gates: the critic takes a step only while its accuracy is below `critic_below`, the generator (4) and (5) only while it
is above `generator_above`.

Deviations:

- h_t is the state as the cell gives it, not its activation before the tanh: of an LSTM this lies behind a gate.
- (6) is divided by the tokens of a sequence, so that with the gate closed it is teacher forcing's; lambda is 1 in the
  paper. In the released code the two terms have an Adam each, which makes lambda immaterial.
- The released code: gates .70 and .90 on a moving average (`generator_above`, `critic_below`, `memory`); the critic's
  rate a tenth of the generator's (the default here); three stacked GRUs; logits times 4 in sampling, plain here.
- p in (1) obeys the constraint's mask, as what is drawn does. `outputs = false` leaves it out, for many words.
- The critic descends first, the generator is judged by what it has become.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from freerun.corpora.batches import Batch
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend, refuse_below
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.likelihood import GENERATOR, MLE, evaluated, mle_phase
from freerun.methods.policy_gradient import new_seed
from freerun.models.behaviour_critic import BehaviourCritic, BehaviourShape
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import masked_log_softmax, n_tokens, token_log_prob

CRITIC = "critic"  # the name of the network and of its optimiser
JUDGED_EVERY = 25  # steps


@dataclasses.dataclass
class ProfessorState(State):
    """A state that remembers how good the critic has been, in training and when it was last judged."""

    accuracy: float = 0.5
    held_out: float = math.nan
    n_since: int = JUDGED_EVERY  # steps since it was judged

    def state_dict(self) -> dict:
        kept = {"accuracy": self.accuracy, "held_out": self.held_out, "n_since": self.n_since}
        return {**super().state_dict(), "critic": kept}

    def load_state_dict(self, saved: dict) -> None:
        super().load_state_dict(saved)
        self.accuracy, self.held_out, self.n_since = (
            saved["critic"][name] for name in ("accuracy", "held_out", "n_since")
        )


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """What the network did over some sequences.

    Args:
        tokens: What it read: ids, `<eos>`, then `<pad>`.
        logits: Of each token.
        allowed: The mask at each of them.
        steps: (1), of each of them.
    """

    tokens: Int[Tensor, "batch time"]
    logits: Float[Tensor, "batch time vocab"]
    allowed: Bool[Tensor, "batch time vocab"]
    steps: Float[Tensor, "batch time behaviour"]


@dataclasses.dataclass(frozen=True)
class ProfessorForcing(AbstractMethod):
    """Maximum likelihood, and a critic that tells the two modes of the network apart.

    Args:
        n_mle: Steps of maximum likelihood alone first; 0: none.
        n_steps: Steps thereafter; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step; as many are drawn.
        max_length: Most tokens of these, `<eos>` included; 0: as many as a sequence may have.
        outputs: Behaviour includes the distribution of the next token, not the state alone.
        adversarial: Weight of the critic's terms, lambda in (6).
        two_sided: The generator descends (5) too.
        critic_below: The critic's accuracy from which on it is not trained; above 1: it always is.
        generator_above: The accuracy down to which the generator heeds it; below 0: it always does.
        memory: Of the accuracy that the gates go by: this share of what it was, the rest of that on the batch; 0: that
            on the batch alone.
        mle_descent: How the generator is optimised in the first phase, `descent` thereafter.

    Raises:
        ValueError: If a weight or a number is negative, or the memory is not in [0, 1).
    """

    n_mle: int = 0
    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 64
    max_length: int = 0
    outputs: bool = True
    adversarial: float = 1.0
    two_sided: bool = False
    critic_below: float = 0.99
    generator_above: float = 0.75
    memory: float = 0.0
    critic: BehaviourShape = BehaviourShape()  # noqa: RUF009
    mle_descent: Descent = Descent()  # noqa: RUF009
    descent: Descent = Descent()  # noqa: RUF009
    critic_descent: Descent = Descent(lr=1e-4)  # noqa: RUF009

    def __post_init__(self):
        refuse_below(0, self, "n_mle", "n_steps", "max_length", "adversarial")
        if not 0 <= self.memory < 1:
            raise ValueError(f"memory = {self.memory} must be in [0, 1)")

    def init(self, world: World) -> State:
        generator = world.build_generator()
        width = generator.d_hidden + (generator.n_vocab if self.outputs else 0)
        networks = torch.nn.ModuleDict({GENERATOR: generator, CRITIC: self.critic.build(width).to(world.device)})
        n_steps = self._n_steps(world.n_batches)
        optimisers = {
            MLE: Optimiser(generator, self.mle_descent, self.n_mle),
            GENERATOR: Optimiser(generator, self.descent, n_steps),
            CRITIC: Optimiser(networks[CRITIC], self.critic_descent, n_steps),
        }
        return ProfessorState(world, networks, optimisers)

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return mle_phase(self.n_mle), Phase("professor_forcing", self._n_steps(n_batches), self.step)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        assert isinstance(state, ProfessorState)
        taught, free = self._behaviours(state, batch, rng)
        critic_logs = self._descend_critic(state, taught, free)
        nll = -token_log_prob(taught.logits, taught.tokens, taught.allowed).sum()  # (3)
        count = n_tokens(taught.tokens).sum()
        loss, logs = nll, {"nll_per_token": nll.detach() / count}
        heeded = state.accuracy > self.generator_above
        if heeded:
            # This leaves gradients in the critic too; its next descent begins by dropping them.
            adversarial = F.softplus(-_judged(state, free)).mean()  # (4)
            logs |= {"adversarial_loss": adversarial.detach()}
            if self.two_sided:
                backward = F.softplus(_judged(state, taught)).mean()  # (5)
                logs |= {"teacher_adversarial_loss": backward.detach()}
                adversarial = adversarial + backward
            loss = loss + self.adversarial * len(batch.tokens) * adversarial
        logs |= descend(loss / count, state.optimisers[GENERATOR])  # (6)
        self._judge_in_time(state, rng)
        if not math.isnan(state.held_out):
            logs["critic_accuracy_held_out"] = torch.tensor(state.held_out)
        told = {"generator_heeds": torch.tensor(float(heeded)), "n_tokens": count + n_tokens(free.tokens).sum()}
        return logs | told | critic_logs

    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        return evaluated(state, batch)

    @torch.no_grad()
    def _judge_in_time(self, state: ProfessorState, rng: torch.Generator) -> None:
        """Every so many steps the critic is asked about two batches of held-out sequences and as many drawn ones."""
        state.n_since += 1
        real = state.world.held_out
        if state.n_since < JUDGED_EVERY or real is None:
            return
        state.n_since = 0
        rows = torch.randperm(len(real), generator=rng, device=rng.device)[: 2 * self.batch_size].to(real.device)
        right = []
        for some in rows.split(self.batch_size):
            tokens = real[some][:, : int(n_tokens(real[some]).max())]
            taught, free = self._behaviours(state, Batch(tokens, some.cpu(), {}), rng, training=False)
            right += [_judged(state, taught) > 0, _judged(state, free) < 0]
        state.held_out = float(torch.cat(right).float().mean())

    def _behaviours(
        self, state: State, batch: Batch, rng: torch.Generator, *, training: bool = True
    ) -> tuple[Behaviour, Behaviour]:
        """Over the batch, and over as many sequences of the generator's own: one run of the network."""
        world, generator, n = state.world, self.generator(state), len(batch.tokens)
        budget = self.max_length or world.budget
        run = FreeRun(generator, world.constraint, budget, new_seed(rng), with_log_prob=False, with_masks=True)
        drawn = run(n)
        assert drawn.allowed is not None
        state.networks.train(training)
        width = max(batch.tokens.shape[1], drawn.tokens.shape[1])
        both = [F.pad(tokens, (0, width - tokens.shape[1])) for tokens in (batch.tokens, drawn.tokens)]
        logits, hidden = generator(torch.cat(both))
        return (
            self._behaviour(batch.tokens, logits[:n], hidden[:n], world.allowed(batch)),
            self._behaviour(drawn.tokens, logits[n:], hidden[n:], drawn.allowed),
        )

    def _behaviour(
        self,
        tokens: Int[Tensor, "batch time"],
        logits: Float[Tensor, "batch longer vocab"],
        hidden: Float[Tensor, "batch longer hidden"],
        allowed: Bool[Tensor, "batch time vocab"],
    ) -> Behaviour:
        logits, hidden = logits[:, : tokens.shape[1]], hidden[:, : tokens.shape[1]]
        steps = torch.cat([hidden, masked_log_softmax(logits, allowed).exp()], -1) if self.outputs else hidden  # (1)
        return Behaviour(tokens, logits, allowed, steps)

    def _descend_critic(self, state: ProfessorState, taught: Behaviour, free: Behaviour) -> Logs:
        """One step down (2), if the gate is open."""
        parts = [part.steps.detach() for part in (taught, free)]
        width = max(part.shape[1] for part in parts)
        steps = torch.cat([F.pad(part, (0, 0, 0, width - part.shape[1])) for part in parts])
        logits = _critic(state)(steps, torch.cat([n_tokens(taught.tokens), n_tokens(free.tokens)]))
        of_taught, of_free = logits.chunk(2)
        loss = (F.softplus(-of_taught) + F.softplus(of_free)).mean()  # (2)
        accuracy = float(((of_taught > 0).float() + (of_free < 0).float()).mean() / 2)
        state.accuracy = self.memory * state.accuracy + (1 - self.memory) * accuracy
        learns = state.accuracy < self.critic_below
        logs = descend(loss, state.optimisers[CRITIC]) if learns else {}
        return {
            "critic_loss": loss.detach(),
            "critic_accuracy": torch.tensor(accuracy),
            "critic_learns": torch.tensor(float(learns)),
            **{f"critic_{name}": value for name, value in logs.items()},
        }

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))


def _critic(state: State) -> BehaviourCritic:
    critic = state.networks[CRITIC]
    assert isinstance(critic, BehaviourCritic)
    return critic


def _judged(state: State, behaviour: Behaviour) -> Float[Tensor, " batch"]:
    return _critic(state)(behaviour.steps, n_tokens(behaviour.tokens))
