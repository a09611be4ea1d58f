"""M2: a variational autoencoder in which the class of a sequence is a second latent variable, known for some of them.

Kingma, Rezende, Mohamed & Welling 2014, "Semi-supervised Learning with Deep Generative Models", arXiv:1406.5298; the
relaxed class of Jang, Gu & Poole 2017, arXiv:1611.01144, section 3.3. x is the sequence, y its class of K, z its code:

    p(x, y, z) = p(y) N(z; 0, I) p(x|y, z),   q(y, z|x) = q(y|x) N(z; mean(x, y), exp(log_var(x, y)))
    L(x, y) = - E_q log p(x|y, z) - log p(y) + KL(q(z|x, y) || N(0, I)) >= - log p(x, y)                      (6)
    U(x) = sum_y q(y|x) L(x, y) - H(q(y|x)) >= - log p(x)                                                     (7)
    J = sum_labelled L(x, y) + sum_unlabelled U(x) + alpha N mean_labelled [- log q(y|x)]                  (8, 9)

In nats, a sum over the N sequences of the corpus, of which a step descends an N-th: the mean of (6) and (7) over its
batch, and alpha times the mean of the last term over labelled sequences that were met before (`rehearsed`). alpha is
0.1 in the published code, github.com/dpkingma/nips14-ssl. The sum of (7) is taken as it stands (`marginal`: K decodings
a sequence), or at one relaxed draw of y, with the KL of the classes still exact:

    U'(x) = - log p(x|y, z) + KL(q(z|x, y) || N(0, I)) + KL(q(y|x) || p(y)),   y = softmax((log q(y|x) + g) / tau)  (G)

(G) is a surrogate: p(x|y, z) at a y that is no class bounds nothing. With `straight_through` y is one-hot forward, an
exact draw, so that (G) is (7) in expectation; its gradient is still a biased one.

Deviations: q(y|x) and q(z|x, y) share one recurrent reader, where the paper's are networks of their own; the classes of
a sequence share the noise of z; a batch is random rows of the corpus, not a fixed number of labelled ones, and the
classifier alone reads some of these again; p(y) is by
default that of the labels, the paper's is uniform; beta, which may be annealed, weighs the KL of z and that of y.
"""

import dataclasses
from typing import Literal, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freerun.conditions import Given, Label
from freerun.corpora.batches import Batch
from freerun.gumbel import Annealing, gumbel_max, gumbel_softmax, straight_through
from freerun.methods.base import AbstractLatentMethod, Latent, Logs, Phase, State, World, descend
from freerun.methods.class_terms import Read, completed, posterior, read, terms, terms_of_classes
from freerun.methods.descent import Descent, Optimiser
from freerun.methods.rehearsal import Memory, RehearsingState
from freerun.methods.variational import active_units, beta_at, conditioned, dropped
from freerun.noise import normal, uniform
from freerun.sampling.likelihood import n_tokens

MOST_SUMMED = 32  # classes up to which `evaluate` sums over all of them


@dataclasses.dataclass(frozen=True)
class SemiSupervisedVAE(AbstractLatentMethod):
    """A VRAE that learns classes from few labels. The reader has the shape of the generator, but for its width.

    Args:
        label: Column of the classes, empty where they are not known.
        n_steps: Gradient steps; 0: `n_epochs` passes over the training split.
        n_epochs: Passes over the training split, where `n_steps` is 0.
        batch_size: Sequences a step.
        d_latent: Width of the code.
        d_encoder: Width of the reader's layers; 0: that of the generator's.
        bidirectional: The reader reads both ways.
        inference: What stands for the sum over the classes of an unlabelled sequence: the sum (`marginal`), a relaxed
            draw (`gumbel`), or one that is one-hot forward (`straight_through`).
        temperature: Of the relaxed draw, over the training.
        n_at_once: Decodings that are held together in the sum; more are done piece by piece, each twice.
        prior: p(y): how often each class stands among the labels (`labels`; each once more), or the same for all.
        alpha: Weight of the classifier's cross-entropy; the paper's 0.1.
        rehearsed: Labelled sequences, of those met so far, on which it is taken at each step; 0: on those of the batch,
            each weighed by N / (number of labels).
        beta: Weight of the KL, of z and of y, when it is fully there; 1 is the bound.
        n_cycles: Of the KL's annealing: 1 is linear, 4 the cyclical schedule of Fu et al. 2019.
        rising: Share of each cycle in which the KL's weight rises from 0; 0: it is there from the start.
        word_dropout: Probability of a token in the generator's input being `<unk>`, in training.

    Raises:
        ValueError: If no label is named, or a number is out of range.
    """

    label: str = ""
    n_steps: int = 0
    n_epochs: float = 10.0
    batch_size: int = 64
    d_latent: int = 32
    d_encoder: int = 0
    bidirectional: bool = False
    inference: Literal["marginal", "gumbel", "straight_through"] = "gumbel"
    temperature: Annealing = Annealing(1.0, 0.5, "exponential")  # noqa: RUF009
    n_at_once: int = 1024
    prior: Literal["labels", "uniform"] = "labels"
    alpha: float = 0.1
    rehearsed: int = 16
    beta: float = 1.0
    n_cycles: int = 1
    rising: float = 0.5
    word_dropout: float = 0.0
    descent: Descent = Descent()  # noqa: RUF009

    def __post_init__(self):
        if not self.label:
            raise ValueError(
                "label names no column; say which one holds the classes, its fields empty where they are not known: "
                "--set method.label=class"
            )
        for name, share in (("rising", self.rising), ("word_dropout", self.word_dropout)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} = {share} must be in [0, 1]")
        for name, number in (("n_cycles", self.n_cycles), ("n_at_once", self.n_at_once)):
            if number < 1:
                raise ValueError(f"{name} = {number} must be at least 1")
        if self.rehearsed < 0:
            raise ValueError(f"rehearsed = {self.rehearsed} must not be negative")
        if self.alpha < 0:
            raise ValueError(f"alpha = {self.alpha} must not be negative; 0 leaves the labels to the bound alone")

    def init(self, world: World) -> State:
        """
        Raises:
            ValueError: If the world's conditions are not this one label.
        """
        if world.conditions.names != (self.label,):
            raise ValueError(f"the conditions are {world.conditions.names}; this method takes its label alone")
        n_classes = len(_label(world).classes)
        reader = world.build_reader(self.d_encoder, self.bidirectional)
        networks = nn.ModuleDict(
            {
                "reader": reader,
                "classifier": _perceptron(reader.width, reader.width, n_classes),
                "encoder": _perceptron(reader.width + n_classes, reader.width, 2 * self.d_latent),
                "generator": world.build_generator(self.d_latent),
            }
        ).to(world.device)
        optimiser = Optimiser(networks, self.descent, self._n_steps(world.n_batches))
        return RehearsingState(world, networks, {"vae": optimiser}, Memory.empty(world.budget, world.device))

    def phases(self, n_batches: int) -> tuple[Phase, ...]:
        return (Phase("semi_supervised", self._n_steps(n_batches), self.step),)

    def step(self, state: State, batch: Batch, rng: torch.Generator) -> Logs:
        state.networks.train()
        optimiser, log_prior = state.optimisers["vae"], self._log_prior(state.world)
        seen = self._read(state, batch, dropped(batch.tokens, self.word_dropout, rng), rng)
        beta = self.beta * beta_at(optimiser.step, optimiser.n_steps, self.n_cycles, self.rising)
        tau = self.temperature.at(optimiser.step, optimiser.n_steps)
        if self.inference == "marginal":
            share = seen.labelled(seen.log_q.exp())
            each_nll, each_kl = terms_of_classes(state.networks, seen, share > 0, self.n_at_once)
            nll, kl = (share * each_nll).sum(1), (share * each_kl).sum(1)
        else:
            nll, kl = terms(state.networks, seen, _rows(batch), seen.labelled(self._relaxed(seen, tau, rng)))
        classifier = self._classifier_cost(state, batch, seen, rng)
        loss = (nll + beta * (kl + seen.class_cost(log_prior))).mean() + classifier  # (8, 9)
        return {
            "loss": loss.detach(),
            "reconstruction_nll_per_token": (nll.sum() / n_tokens(batch.tokens).sum()).detach(),
            "kl_per_sequence": kl.mean().detach(),
            "class_kl_per_sequence": seen.class_kl(log_prior).mean().detach(),
            "classifier_loss": classifier.detach(),
            "beta": torch.tensor(beta),
            **({} if self.inference == "marginal" else {"temperature": torch.tensor(tau)}),
            **descend(loss, optimiser),
        }

    @torch.no_grad()
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """(8, 9), then the bound (7) of every sequence, its label unseen, at true classes: the sum over all, or where
        there are more than 32 one exact draw from q(y|x) in place of it, which has the same expectation.
        """
        state.networks.eval()
        log_prior, seen = self._log_prior(state.world), self._read(state, batch, batch.tokens, rng)
        q = seen.log_q.exp()
        if q.shape[1] > MOST_SUMMED:
            q = F.one_hot(gumbel_max(seen.log_q, rng), q.shape[1]).to(q.dtype)
        each_nll, each_kl = terms_of_classes(state.networks, seen, (q + seen.label) > 0, self.n_at_once)
        nll, kl, class_kl = (q * each_nll).sum(1), (q * each_kl).sum(1), seen.class_kl(log_prior)
        objective = (seen.labelled(q) * (each_nll + self.beta * each_kl)).sum(1)
        objective = objective + self.beta * seen.class_cost(log_prior)
        objective = objective + self._label_weight(state.world) * seen.cross_entropy
        count, n = n_tokens(batch.tokens).sum(), torch.tensor(len(nll))
        codes = posterior(state.networks, seen.hidden, completed(seen.label, seen.log_q))
        measures = {
            "objective_per_token": (objective.sum(), count),  # (8, 9)
            "neg_elbo_per_token": ((nll + kl + class_kl).sum(), count),  # (7)
            "reconstruction_nll_per_token": (nll.sum(), count),
            "kl_per_sequence": (kl.sum(), n),
            "class_kl_per_sequence": (class_kl.sum(), n),
            "active_units": (active_units(codes) * n, n),
        }
        if self.inference == "gumbel":
            tau = self.temperature.at(state.optimisers["vae"].step, state.optimisers["vae"].n_steps)
            nll, kl = terms(state.networks, seen, _rows(batch), self._relaxed(seen, tau, rng))
            measures["neg_elbo_relaxed_per_token"] = ((nll + kl + class_kl).sum(), count)  # (G)
        if seen.known.any():
            right = seen.log_q.argmax(1) == seen.label.argmax(1)
            measures["accuracy"] = ((right & seen.known).sum().float(), seen.known.sum())
        return measures

    @torch.no_grad()
    def classify(self, state: State, batch: Batch) -> Float[Tensor, "batch classes"]:
        """q(y|x) of each sequence, whatever its label; the classes stand as in the world's conditions."""
        state.networks.eval()
        return state.networks["classifier"](state.networks["reader"](batch.tokens)).softmax(1)

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: Given, seed: int
    ) -> Float[Tensor, "batch context"]:
        """z from its prior, then the class: the one that is asked for, else a draw from p(y)."""
        asked = state.world.conditions.asked(given, len(index), index.device)
        bounds = self._log_prior(state.world).exp().cumsum(0)[:-1]
        drawn = torch.bucketize(uniform(seed, index, 1).to(bounds.dtype), bounds)
        y = torch.where(asked.any(1, keepdim=True), asked, F.one_hot(drawn, asked.shape[1]).to(asked.dtype))
        return conditioned(normal(seed, index, self.d_latent), y)

    def encode(self, state: State, batch: Batch) -> Latent:
        """q(z|x, y) at the label y of each sequence; where it is missing, at the most probable class."""
        hidden = state.networks["reader"](batch.tokens)
        return posterior(state.networks, hidden, _classes(state, batch, hidden))

    def told(self, state: State, batch: Batch) -> Float[Tensor, "batch classes"]:
        """The class, one-hot, at which `encode` reads each sequence, and with which its code is decoded."""
        return _classes(state, batch, state.networks["reader"](batch.tokens))

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.label,)

    @property
    def labels(self) -> tuple[str, ...]:
        return (self.label,)

    def for_tuning(self, n_steps: int) -> Self:
        last = Annealing(self.temperature.end, self.temperature.end)
        return dataclasses.replace(self, n_steps=n_steps, rising=0.0, temperature=last, descent=self.descent.steady())

    def _read(self, state: State, batch: Batch, shown: Int[Tensor, "batch time"], rng: torch.Generator) -> Read:
        eps = torch.randn(len(shown), self.d_latent, generator=rng, device=shown.device)
        return read(state.networks, state.world, batch, shown, eps)

    def _relaxed(self, seen: Read, tau: float, rng: torch.Generator) -> Float[Tensor, "batch classes"]:
        y = gumbel_softmax(seen.log_q, tau, rng)
        return straight_through(y) if self.inference == "straight_through" else y

    def _log_prior(self, world: World) -> Float[Tensor, " classes"]:
        counts = torch.tensor(_label(world).counts, dtype=torch.float32, device=world.device)
        return ((counts + 1).log() if self.prior == "labels" else torch.zeros_like(counts)).log_softmax(0)

    def _classifier_cost(self, state: State, batch: Batch, seen: Read, rng: torch.Generator) -> Float[Tensor, ""]:
        """The last term of (9), an N-th of it."""
        if not self.rehearsed:
            return (self._label_weight(state.world) * seen.cross_entropy).mean()
        assert isinstance(state, RehearsingState)
        state.memory = state.memory.with_met(batch, seen.known, seen.label.argmax(1))
        if not len(state.memory.rows):
            return torch.zeros((), device=batch.tokens.device)
        tokens, classes = state.memory.drawn(self.rehearsed, rng)
        return self.alpha * F.cross_entropy(state.networks["classifier"](state.networks["reader"](tokens)), classes)

    def _label_weight(self, world: World) -> float:
        """alpha N / (number of labels), of (9)."""
        return self.alpha * world.n_batches * self.batch_size / sum(_label(world).counts)

    def _n_steps(self, n_batches: int) -> int:
        return self.n_steps or max(1, round(self.n_epochs * n_batches))


def _label(world: World) -> Label:
    (part,) = world.conditions.parts
    assert isinstance(part, Label)
    return part


def _perceptron(d_in: int, d_hidden: int, d_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d_in, d_hidden), nn.ReLU(), nn.Linear(d_hidden, d_out))


def _rows(batch: Batch) -> Int[Tensor, " batch"]:
    return torch.arange(len(batch.tokens), device=batch.tokens.device)


def _classes(state: State, batch: Batch, hidden: Float[Tensor, "batch width"]) -> Float[Tensor, "batch classes"]:
    return completed(state.world.condition(batch), state.networks["classifier"](hidden))
