"""What a method is: networks to build, phases of steps, and how it is judged on held-out sequences."""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from freerun.conditions import Conditions, Given
from freerun.constraints.base import AbstractConstraint
from freerun.corpora.batches import Batch
from freerun.methods.descent import Optimiser
from freerun.models.encoder import Reader
from freerun.models.generator import AbstractGenerator, Generator
from freerun.objectives.objective import Objective
from freerun.rows import Rows


@dataclasses.dataclass(frozen=True)
class Network:
    """The generator's shape: the table `[model]`. The arguments are those of `Generator`."""

    cell: Literal["lstm", "gru"] = "lstm"
    d_embedding: int = 64
    d_hidden: int = 512
    n_layers: int = 1
    dropout: float = 0.0
    dropout_output: float = 0.0
    tied: bool = False
    context_at: Literal["steps", "start", "both"] = "steps"
    init_std: float = 0.0

    def build(self, n_vocab: int, compute_dtype: torch.dtype, d_context: int = 0) -> Generator:
        shape = dataclasses.asdict(self)
        return Generator(n_vocab, d_context=d_context, compute_dtype=compute_dtype, **shape)

    def build_reader(
        self, n_vocab: int, compute_dtype: torch.dtype, d_hidden: int, bidirectional: bool, d_context: int = 0
    ) -> Reader:
        """A reader of the generator's shape, but for its width."""
        return Reader(
            n_vocab,
            cell=self.cell,
            d_embedding=self.d_embedding,
            d_hidden=d_hidden or self.d_hidden,
            n_layers=self.n_layers,
            dropout=self.dropout,
            bidirectional=bidirectional,
            d_context=d_context,
            compute_dtype=compute_dtype,
        )


Read = Callable[[Int[Tensor, "batch time"]], list[str]]


def not_read(tokens: Int[Tensor, "batch time"]) -> list[str]:
    raise AssertionError("this world was not given a way to read strings")


@dataclasses.dataclass(frozen=True)
class World:
    """What is given to a method: the language it is to learn, and the machine.

    Args:
        constraint: Over the vocabulary; its masks enter the loss and the sampling.
        budget: Most tokens of a sequence, `<eos>` included.
        n_batches: Batches in one pass over the training split.
        compute_dtype: Of the matrix products.
        masks: The distinct masks of the corpus, to which `Batch.masks` points; None: they are replayed.
        conditions: What the columns of a batch say, for methods that ask for columns.
        objective: What the strings are paid by, for methods that take one.
        read: The strings that rows of ids write, for methods that are paid by them.
        held_out: Sequences that no step learns from, where there are any: on them a critic's accuracy is told.
    """

    constraint: AbstractConstraint
    budget: int
    network: Network
    n_batches: int
    device: torch.device
    compute_dtype: torch.dtype = torch.float32
    masks: Bool[Tensor, "distinct vocab"] | None = None
    conditions: Conditions = Conditions()  # noqa: RUF009
    objective: Objective | None = None
    read: Read = not_read
    held_out: Int[Tensor, "rows time"] | None = None

    def condition(self, batch: Batch) -> Float[Tensor, "batch condition"]:
        """What is known of each row of a batch; of width 0 where there are no conditions."""
        return self.conditions.encoded(batch.columns, len(batch.tokens), batch.tokens.device)

    def allowed(self, batch: Batch) -> Bool[Tensor, "batch time vocab"]:
        """The masks of a batch: read from the table where its rows are stored there, else replayed."""
        if self.masks is not None and batch.masks is not None:
            return self.masks[batch.masks]
        return self.constraint.replay(batch.tokens, self.budget)

    def build_generator(self, d_context: int = 0) -> Generator:
        """A generator that is led by a context of this width and by the conditions."""
        width = d_context + self.conditions.width
        return self.network.build(self.constraint.n_vocab, self.compute_dtype, width).to(self.device)

    def build_reader(self, d_hidden: int, bidirectional: bool, d_context: int = 0) -> Reader:
        """A reader of width `d_hidden`; 0: the generator's."""
        n_vocab = self.constraint.n_vocab
        return self.network.build_reader(n_vocab, self.compute_dtype, d_hidden, bidirectional, d_context).to(
            self.device
        )


@dataclasses.dataclass
class State:
    """Everything that a step reads: networks, optimisers, buffers. `world` is given again when a run is resumed."""

    world: World
    networks: nn.ModuleDict
    optimisers: dict[str, Optimiser]

    def state_dict(self) -> dict:
        return {
            "networks": self.networks.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }

    def load_state_dict(self, saved: dict) -> None:
        self.networks.load_state_dict(saved["networks"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(saved["optimisers"][name])


Logs = dict[str, Tensor]
Step = Callable[[State, Batch, torch.Generator], Logs]


@dataclasses.dataclass(frozen=True)
class Phase:
    """`n_steps` steps of one kind.

    Args:
        before: Called once on entry (resampling).
        done: Ends the phase early.
        stop: Asked after each step: why the whole training ends here; "": it goes on.
        keep: What it is for. `best`: the weights of the best validation, with which another phase begins; `last`:
            those at its end, for what it improves is no held-out likelihood.
    """

    name: str
    n_steps: int
    step: Step
    before: Callable[[State, torch.Generator], None] | None = None
    done: Callable[[State], bool] | None = None
    stop: Callable[[State], str] | None = None
    keep: Literal["best", "last"] = "best"


@dataclasses.dataclass(frozen=True)
class Cycle:
    """Phases that follow one another `times` times."""

    phases: tuple["Phase | Cycle", ...]
    times: int


def unrolled(path: Sequence[Phase | Cycle]) -> tuple[Phase, ...]:
    """The phases one after the other; those of no step are left out."""
    flat: list[Phase] = []
    for part in path:
        flat += unrolled(part.phases) * part.times if isinstance(part, Cycle) else [part] * bool(part.n_steps)
    return tuple(flat)


class AbstractMethod(abc.ABC):
    """One paper. Final subclasses are frozen dataclasses of its hyperparameters: the table `[method]`."""

    takes_objective: ClassVar[bool] = False  # it is paid for its strings: the table [objective]

    batch_size: int

    @property
    def takes_turns(self) -> bool:
        """Whether it gives the scores of its objective their turns: `combine = "turns"`."""
        return False

    @property
    def needs_objective(self) -> bool:
        """Whether it cannot do without one."""
        return self.takes_objective

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the corpus that its batches must bring."""
        return ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of them that are classes, even where they are written as numbers."""
        return ()

    @abc.abstractmethod
    def init(self, world: World) -> State:
        """Networks and optimisers at step 0; drawn from PyTorch's global generator, which the caller has seeded."""

    @abc.abstractmethod
    def phases(self, n_batches: int) -> tuple[Phase | Cycle, ...]:
        """The paper's outer loop, for an epoch of `n_batches`."""

    @abc.abstractmethod
    def evaluate(self, state: State, batch: Batch, rng: torch.Generator) -> dict[str, tuple[Tensor, Tensor]]:
        """Held-out measures as (sum, count); the first is the one that early stopping minimises."""

    def generator(self, state: State) -> AbstractGenerator:
        generator = state.networks["generator"]
        assert isinstance(generator, AbstractGenerator)
        return generator

    def context(
        self, state: State, index: Int[Tensor, " batch"], given: Given, seed: int
    ) -> Float[Tensor, "batch context"] | None:
        """What leads the samples with these numbers: the conditions that are asked for, and before them the prior
        draws of a latent method; None where the generator takes none.

        A row depends on the seed and on its number alone, so a sample is the same whatever is drawn beside it.

        Raises:
            UsageError: If what is asked for is no condition of the run, or cannot be read.
        """
        asked = state.world.conditions.asked(given, len(index), index.device)
        return asked if state.world.conditions.parts else None


@dataclasses.dataclass(frozen=True)
class Latent(Rows):
    """The posterior of each sequence, q(z|x) = N(mean, exp(log_var)), its axes independent.

    An encoder that draws nothing has log_var = -inf: the code is the mean.
    """

    mean: Float[Tensor, "batch latent"]
    log_var: Float[Tensor, "batch latent"]


class AbstractLatentMethod(AbstractMethod):
    """A method whose generator is led by a code z: what search, encode, decode and interpolate accept.

    The generator's context is z, then the conditions of the world.
    """

    d_latent: int

    @abc.abstractmethod
    def encode(self, state: State, batch: Batch) -> Latent: ...

    def told(self, state: State, batch: Batch) -> Float[Tensor, "batch condition"]:
        """What the generator is told beside the code of each string, for it to be written again."""
        return state.world.condition(batch)

    @abc.abstractmethod
    def for_tuning(self, n_steps: int) -> Self:
        """The same method for `n_steps` more steps with weights that are trained: nothing warms up or is annealed."""


def refuse_below(least: int, method: AbstractMethod, *names: str) -> None:
    """
    Raises:
        ValueError: If one of these settings is below `least`, or no number.
    """
    for name in names:
        value = getattr(method, name)
        if not value >= least:
            raise ValueError(f"{name} = {value} must be at least {least}")


def descend(loss: Float[Tensor, ""], optimiser: Optimiser) -> Logs:
    """One gradient step down `loss`; every weight that changes, changes here. Logs the gradient's norm and the rate."""
    return optimiser.descend(loss)
