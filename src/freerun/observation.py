"""What a run writes while it trains: samples are drawn now and then and measured, and the figures go into its log.

The samples of an observation are a function of the weights and of the seed, and nothing else of a run depends on them:
with observations and without, it trains to the same weights.
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from freerun.chemistry import canonical
from freerun.constraints.base import AbstractConstraint
from freerun.metrics import validity
from freerun.metrics.oracle import oracle_measures, parsed
from freerun.models.generator import AbstractGenerator
from freerun.representations.base import AbstractRepresentation
from freerun.sampling.free_run import FreeRun
from freerun.settings import named

PREFIX = "observed_"
N_OBSERVED = 1_000

Observer = Callable[[Sequence[str], AbstractRepresentation], dict[str, float]]  # of samples as they were written
Context = Callable[[Tensor], Tensor | None]  # numbers of samples -> what leads each


def observe(
    names: Sequence[str],
    generator: AbstractGenerator,
    constraint: AbstractConstraint,
    budget: int,
    representation: AbstractRepresentation,
    context: Context,
    seed: int,
    n: int = N_OBSERVED,
) -> dict[str, float]:
    """Figures of n samples, each name behind `observed_`; {} where nothing is asked for.

    Args:
        names: Of `OBSERVERS`.
        budget: Most tokens of a sample, `<eos>` included.
        context: Not called where the generator takes none.

    Raises:
        UsageError: If a name is unknown, or an observer cannot read what the generator writes.
    """
    observers = known(names)
    if not observers:
        return {}

    def led(index: Tensor) -> Tensor:
        found = context(index)
        assert found is not None
        return found

    run = FreeRun(generator, constraint, budget, seed, context=led if generator.d_context else None, batch_size=64)
    strings = representation.decode_batch(run(n).tokens)
    return {PREFIX + name: value for observer in observers for name, value in observer(strings, representation).items()}


def known(names: Sequence[str]) -> list[Observer]:
    """The observers of these names.

    Raises:
        UsageError: If there is none of a name; all are listed.
    """
    return [named(OBSERVERS, name, "the observer of run.observe") for name in names]


def _oracle(strings: Sequence[str], representation: AbstractRepresentation) -> dict[str, float]:
    """NLL under SeqGAN's oracle, nats per token, and its standard error."""
    measures = oracle_measures(parsed(strings))
    return {name: measures[name] for name in ("nll_oracle", "nll_oracle_standard_error")}


def _validity(strings: Sequence[str], representation: AbstractRepresentation) -> dict[str, float]:
    """Share of the samples that are valid."""
    return {"validity": validity.ratio(len(_valid(strings, representation)), len(strings))}


def _uniqueness(strings: Sequence[str], representation: AbstractRepresentation) -> dict[str, float]:
    """Different ones of the valid samples, molecules by their canonical SMILES; NaN without a valid one."""
    return {"uniqueness": validity.uniqueness(_valid(strings, representation))}


def _valid(strings: Sequence[str], representation: AbstractRepresentation) -> list[str]:
    if representation.is_chemical:
        return [smiles for text in strings if (smiles := canonical(text)) is not None]
    return [text for text in strings if representation.is_valid(text)]


OBSERVERS: dict[str, Observer] = {"oracle": _oracle, "validity": _validity, "uniqueness": _uniqueness}
