"""Categorical VAE: the code is n variables of K classes each, its gradient a Gumbel-softmax or one of three controls.

Jang, Gu & Poole 2017, "Categorical Reparameterization with Gumbel-Softmax", arXiv:1611.01144; Maddison, Mnih & Teh
2017, "The Concrete Distribution", arXiv:1611.00712.

    q(z|y) = prod_i softmax(a_i(y))[z_i],   p(z) uniform
    -ELBO(y) = E_q nll(y, z) + KL,   KL = sum_i sum_k q_ik log(K q_ik),   nll(y, z) = - sum_t log p(y_t | .., z)     (1)
    L_relaxed = E nll(y, y~) + KL,   y~_i = softmax((a_i + g) / tau),   g standard Gumbel noise                      (2)
    KL_concrete = E [log q_tau(y~|y) - log p_tau(y~)]   in place of the KL of (2)                                    (3)

(1), with hard draws and the exact KL, is `elbo_hard`: a bound of log p(y), and what early stopping goes by. (2) is
`elbo_relaxed`: a surrogate that is trained, no bound of anything, since its KL is not that of y~; with (3) it bounds
the likelihood of another model, the one whose codes are relaxed (Maddison et al. 2017, appendix C).

In nats a sequence; beta weighs the KL as in VRAE. Deviations: the papers' networks are feed-forward and their data
images; here a reader and a generator of sequences, the code being joined to the input of every step; temperatures of
posterior and prior in (3) are one.
"""

import dataclasses
import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.conditions import Given
from freerun.corpora.batches import Batch
from freerun.gumbel import Annealing, concrete_log_density, gumbel_log_softmax, gumbel_max
from freerun.methods import estimators
from freerun.methods.base import AbstractMethod, Logs, Phase, State, World, descend
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.estimators import ControlWeight, Cost, one_hot
from freerun.methods.variational import beta_at, conditioned, dropped, hidden
from freerun.noise import uniform
from freerun.sampling.likelihood import n_tokens, token_log_prob


@dataclasses.dataclass(frozen=True)
class CategoricalVAE(AbstractMethod):
    """A variational autoencoder of sequences whose code is a few classes.

    Args:
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step.
        n_variables: Of the code.
        n_classes: Of each variable.
        d_encoder: Width of the encoder's layers; 0: that of the generator's.
        bidirectional: The encoder reads both ways.
        estimator: Of the gradient in the encoder: `gumbel` (relaxed codes), `straight_through` (hard codes, relaxed
            gradient), `reinforce` with a learned baseline, `rebar`; see `estimators`.
        kl: `categorical`, or for relaxed codes `concrete` (3).
        temperature: Of the relaxation, tau.
        beta: Weight of the KL when it is fully there; 1 is the bound.
        n_cycles: Of the KL's annealing.
        rising: Share of each cycle in which the KL's weight rises from 0; 0: it is there from the start.
        word_dropout: Probability of a token in the generator's input being `<unk>`, in training.
        condition: Columns that lead the generator, the encoder knowing them too: of the file, or computed by the score
            of this name.
        condition_dropout: Probability of each of them being hidden from a string, in training.

    Raises:
        ValueError: If a share is not in [0, 1], a count is too small, or a KL does not fit the estimator.
    """

    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 128
    n_variables: int = 20
    n_classes: int = 10
    d_encoder: int = 0
    bidirectional: bool = False
    estimator: Literal["gumbel", "straight_through", "reinforce", "rebar"] = "gumbel"
    kl: Literal["categorical", "concrete"] = "categorical"
    temperature: Annealing = Annealing(1.0, 0.5, "exponential")  # noqa: RUF009
    beta: float = 1.0
    n_cycles: int = 1
    rising: float = 0.5
    word_dropout: float = 0.0
    condition: tuple[str, ...] = ()
    condition_dropout: float = 0.3
    descent: Descent = Descent()  # noqa: RUF009

    def __post_init__(self):
        shares = {
            "rising": self.rising,
            "word_dropout": self.word_dropout,
            "condition_dropout": self.condition_dropout,
        }
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name} = {share} must be in [0, 1]")
        if self.n_cycles < 1:
            raise ValueError(f"n_cycles = {self.n_cycles} must be at least 1; for no annealing set rising = 0")
        if self.n_variables < 1 or self.n_classes < 2:
            raise ValueError(f"{self.n_variables} variables of {self.n_classes} classes hold nothing; at least 1 of 2")
        if self.kl == "concrete" and self.estimator != "gumbel":
            raise ValueError(f'kl = "concrete" is that of relaxed codes; estimator = "{self.estimator}" has hard ones')

    def init(self, world: World) -> State:
        n_logits = self.n_variables * self.n_classes
        reader = world.build_reader(self.d_encoder, self.bidirectional, world.conditions.width)
        logits = nn.Linear(reader.width, n_logits).to(world.device)
        vae = nn.ModuleDict({"reader": reader, "logits": logits, "generator": world.build_generator(n_logits)})
        networks, n_steps = nn.ModuleDict({**vae}), self._n_steps(world.n_batches)
        optimisers = {"vae": Optimiser(vae, self.descent, n_steps)}
        if self.estimator == "reinforce":
            networks["baseline"] = nn.Linear(reader.width, 1).to(world.device)
            optimisers["baseline"] = Optimiser(networks["baseline"], self.descent, n_steps)
        elif self.estimator == "rebar":
            networks["control"] = ControlWeight().to(world.device)
        return State(world, networks, optimisers)

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("categorical_vae", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        optimiser = state.optimisers["vae"]
        temperature = self.temperature.at(optimiser.step, optimiser.n_steps)
        beta = self.beta * beta_at(optimiser.step, optimiser.n_steps, self.n_cycles, self.rising)
        condition = hidden(state.world.condition(batch), state.world.conditions, self.condition_dropout, rng)
        read, logits = self._read(state, batch, condition)
        cost = self.cost(state, batch, condition, dropped(batch.tokens, self.word_dropout, rng))
        kl = categorical_kl(logits)
        logs: Logs = {}
        match self.estimator:
            case "gumbel":
                nll, kl = self._relaxed(logits, cost, temperature, rng)
            case "straight_through":
                nll = estimators.straight_through(logits, cost, temperature, rng)
            case "reinforce":
                nll, logs = self._reinforced(state, batch, read.detach(), logits, cost, rng)
            case "rebar":
                control = state.networks["control"]
                assert isinstance(control, ControlWeight)
                logs = {"eta": control.eta}
                nll, products = estimators.rebar(logits, cost, temperature, control.eta, rng)
                control.learn(products)
        loss = (nll + beta * kl).mean()
        return {
            "loss": loss.detach(),
            "reconstruction_nll_per_token": (nll.sum() / n_tokens(batch.tokens).sum()).detach(),
            "kl_per_sequence": categorical_kl(logits).mean().detach(),
            **{name: value.detach() for name, value in use_of_classes(logits).items()},
            "beta": torch.tensor(beta),
            "temperature": torch.tensor(temperature),
            **logs,
            **descend(loss, optimiser),
        }

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """With all of beta, and the last temperature. The objective is that of hard codes, whatever is trained."""
        state.networks.eval()
        condition = state.world.condition(batch)
        _, logits = self._read(state, batch, condition)
        cost = self.cost(state, batch, condition, batch.tokens)
        nll, kl = cost(one_hot(gumbel_max(logits, rng), logits)), categorical_kl(logits)
        relaxed_nll, relaxed_kl = self._relaxed(logits, cost, self.temperature.end, rng)
        count, n = n_tokens(batch.tokens).sum(), torch.tensor(len(nll))
        return {
            "objective_per_token": ((nll + self.beta * kl).sum(), count),
            "neg_elbo_hard_per_token": ((nll + kl).sum(), count),  # (1)
            "neg_elbo_relaxed_per_token": ((relaxed_nll + relaxed_kl).sum(), count),  # (2)
            "reconstruction_nll_per_token": (nll.sum(), count),
            "kl_per_sequence": (kl.sum(), n),
            **{name: (value * n, n) for name, value in use_of_classes(logits).items()},
        }

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: Given, seed: int
    ) -> Float[Tensor, "batch context"]:
        asked = state.world.conditions.asked(given, len(index), index.device)
        variables = torch.arange(self.n_variables, device=index.device)
        classes = (uniform(seed, index[:, None], 0, variables) * self.n_classes).long()  # u < 1: never n_classes
        z = nn.functional.one_hot(classes, self.n_classes).float()
        return conditioned(z.flatten(1), asked)

    def posterior(self, state: State, batch: Batch) -> Float[Tensor, "batch variables classes"]:
        """The logits a of q(z|y)."""
        return self._read(state, batch, state.world.condition(batch))[1]

    def cost(
        self, state: State, batch: Batch, condition: Float[Tensor, "batch condition"], shown: Int[Tensor, "batch time"]
    ) -> Cost:
        """nll(y, z) as a function of z, where the generator reads the tokens `shown` in place of the true ones."""
        allowed = state.world.allowed(batch)

        def nll(z: Float[Tensor, "batch variables classes"]) -> Float[Tensor, " batch"]:
            logits, _ = self.generator(state)(shown, conditioned(z.flatten(1), condition))
            return -token_log_prob(logits, batch.tokens, allowed).sum(1)

        return nll

    @property
    def columns(self) -> tuple[str, ...]:
        return self.condition

    def _read(
        self, state: State, batch: Batch, condition: Float[Tensor, "batch condition"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch variables classes"]]:
        """What the encoder has read, and its logits."""
        read = state.networks["reader"](batch.tokens, condition)
        return read, state.networks["logits"](read).unflatten(1, (self.n_variables, self.n_classes))

    def _relaxed(
        self, logits: Float[Tensor, "batch variables classes"], cost: Cost, temperature: float, rng: torch.Generator
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """The two parts of (2)."""
        log_y = gumbel_log_softmax(logits, temperature, rng)
        if self.kl == "categorical":
            return cost(log_y.exp()), categorical_kl(logits)
        posterior = concrete_log_density(log_y, logits, temperature)
        prior = concrete_log_density(log_y, torch.zeros_like(logits), temperature)
        return cost(log_y.exp()), (posterior - prior).sum(1)  # (3)

    def _reinforced(
        self,
        state: State,
        batch: Batch,
        read: Float[Tensor, "batch width"],
        logits: Float[Tensor, "batch variables classes"],
        cost: Cost,
        rng: torch.Generator,
    ) -> tuple[Float[Tensor, " batch"], Logs]:
        """The baseline is linear in what the encoder has read, nats a token; it descends its squared error
        (Mnih & Gregor 2014, arXiv:1402.0030, section 2.3.1)."""
        lengths = n_tokens(batch.tokens)
        baseline = state.networks["baseline"](read)[:, 0]
        nll = estimators.reinforce(logits, cost, (lengths * baseline).detach(), rng)
        error = (nll.detach() / lengths - baseline).square().mean()
        descend(error, state.optimisers["baseline"])
        return nll, {"baseline_error": error.detach().sqrt()}

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))


def categorical_kl(logits: Float[Tensor, "batch variables classes"]) -> Float[Tensor, " batch"]:
    """KL of (1) of each sequence, in nats."""
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_q + math.log(logits.shape[-1]))).sum((1, 2))


def use_of_classes(logits: Float[Tensor, "batch variables classes"]) -> dict[str, Tensor]:
    """Of the variables, in the mean: how many classes are in use, and what a class tells of its sequence.

        classes_in_use = exp H(q_i),   information_per_variable = H(q_i) - 1/B sum_y H(q_i(.|y)) = I(z_i; y) <= ln B
        q_i = 1/B sum_y q_i(.|y),   the aggregate posterior of the batch

    Classes run from 1 to K, information, in nats, from 0 to ln K. Few classes: the prior draws codes that no sequence
    has. No information: the generator ignores the code.
    """
    q = logits.softmax(-1)
    aggregate = torch.special.entr(q.mean(0)).sum(-1)  # (variables,)
    each = torch.special.entr(q).sum(-1).mean(0)
    return {"classes_in_use": aggregate.exp().mean(), "information_per_variable": (aggregate - each).mean()}
