"""From a trained generator to strings: drawn, told valid or not, filtered, in pieces that fit any memory."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from freerun.chemistry import canonical
from freerun.conditions import Given
from freerun.constraints.base import PAD
from freerun.constraints.length import Anything
from freerun.errors import UsageError
from freerun.noise import mix
from freerun.representations.base import AbstractRepresentation
from freerun.sampling.beams import Beams, BeamSearch
from freerun.sampling.decoding import PLAIN, Decoding
from freerun.sampling.free_run import FreeRun, Rollout
from freerun.sampling.likelihood import log_prob, n_tokens
from freerun.trained import Trained

LARGEST_BEAM = 200_000
MOST_TRIES = 20  # samples drawn for one that passes the filters, before it is given up


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Args:
        n: Strings to give back.
        decoding: How tokens are chosen.
        prefix: Every string begins with it.
        max_length: Most tokens, `<eos>` not counted; 0: as in training.
        constrained: Under the run's constraint, else under `Anything`.
        beam: Width of a beam search that takes the place of sampling; 0: none.
        unique: n different lines, drawn without replacement.
        raw: Lines are the strings as written, not the canonical ones of molecules.
        valid_only: Invalid strings are left out (and do not count towards n).
        is_known: Strings that are left out: those of the training set, where only novel ones are wanted.
        given: Conditions that are asked for; the run's others are free.
    """

    n: int
    seed: int = 0
    decoding: Decoding = PLAIN
    prefix: str = ""
    max_length: int = 0
    constrained: bool = True
    beam: int = 0
    unique: bool = False
    raw: bool = False
    valid_only: bool = False
    is_known: Callable[[list[str]], list[bool]] | None = None
    given: Given = dataclasses.field(default_factory=dict)
    batch_size: int = 512


@dataclasses.dataclass(frozen=True)
class Sample:
    """One string.

    Args:
        string: The canonical SMILES of a valid molecule; any other string as it was written.
        raw: As it was written.
        log_prob: Of the raw string under the model at temperature 1, in nats; given the code from which it was drawn
            and the conditions that were asked for, where there are such.
        n_tokens: `<eos>` included.
    """

    string: str
    raw: str
    valid: bool
    log_prob: float
    n_tokens: int


def draw(trained: Trained, wanted: Wanted, notify: Callable[[str], None] = lambda _: None) -> Iterator[list[Sample]]:
    """Samples in pieces, n in all unless the language ends before, or too few pass the filters: then `notify` says so.

    Raises:
        UsageError: If the prefix cannot be written, the maximum length is too short, or options contradict each other.
    """
    if wanted.n < 0:
        raise UsageError(f"-n {wanted.n} must not be negative")
    if wanted.unique and (wanted.beam or wanted.decoding.greedy):
        raise UsageError("--unique draws without replacement; it cannot be combined with --beam or --greedy")
    for remark in trained.state.world.conditions.remarks(wanted.given):
        notify(remark)
    if wanted.beam and _has_codes(trained, wanted):
        raise UsageError(
            "--beam searches the strings of one latent code, and every sample of this run has its own; leave it out"
        )
    try:
        _constraint(trained, wanted).start(1, _budget(trained, wanted))
    except ValueError as error:
        raise UsageError(f"--max-length {wanted.max_length}: {error}") from error
    n_given = 0
    if wanted.unique and _has_codes(trained, wanted):
        pieces = _filtered(_different(_pieces(trained, wanted), wanted), wanted)
    elif wanted.unique:
        pieces = _without_replacement(trained, wanted, notify)
    else:
        pieces = _filtered(_pieces(trained, wanted), wanted)
    for piece in pieces:
        piece = piece[: wanted.n - n_given]
        n_given += len(piece)
        yield piece
        if n_given >= wanted.n:
            return
    if n_given < wanted.n:
        notify(f"{n_given:,} strings instead of {wanted.n:,}: {_why(wanted)}")


def _why(wanted: Wanted) -> str:
    if wanted.unique:
        return "there are no more different ones within the maximum length, or they are too rare"
    if wanted.beam:
        return f"a beam of {wanted.beam} holds no more"
    if wanted.decoding.greedy:
        return "greedy decoding writes one string"
    return f"fewer than one in {MOST_TRIES} passes the filters"


def _pieces(trained: Trained, wanted: Wanted) -> Iterator[list[Sample]]:
    """Samples before the filters: as many as the filters may need."""
    if wanted.beam:
        yield _of_beams(trained, wanted, _search(trained, wanted, None)(wanted.beam, *_led(trained, wanted)))
        return
    run = _free_run(trained, wanted)
    if wanted.decoding.greedy and not _has_codes(trained, wanted):
        yield _of_rollout(trained, wanted, run(1))
        return
    n = wanted.n
    yield from (_of_rollout(trained, wanted, part) for part in run.in_order(n))
    if wanted.valid_only or wanted.is_known is not None or wanted.unique:
        more = run.in_order(n * (MOST_TRIES - 1), first=n)
        yield from (_of_rollout(trained, wanted, part) for part in more)


def _filtered(pieces: Iterable[list[Sample]], wanted: Wanted) -> Iterator[list[Sample]]:
    for piece in pieces:
        if wanted.valid_only:
            piece = [sample for sample in piece if sample.valid]
        if wanted.is_known is not None:
            known = wanted.is_known([sample.string for sample in piece])
            piece = [sample for sample, is_known in zip(piece, known, strict=True) if not is_known]
        yield piece


def _different(pieces: Iterable[list[Sample]], wanted: Wanted) -> Iterator[list[Sample]]:
    """Each line once, where it first comes: what is left of drawing with replacement."""
    seen = set[str]()
    for piece in pieces:
        fresh = {sample.raw if wanted.raw else sample.string: sample for sample in reversed(piece)}
        yield [sample for line, sample in reversed(fresh.items()) if line not in seen]
        seen |= fresh.keys()


def _without_replacement(trained: Trained, wanted: Wanted, notify: Callable[[str], None]) -> Iterator[list[Sample]]:
    """The beam is widened until n different lines are there: a wider one of the same seed begins with the narrower."""
    search, k, n_read, seen = _search(trained, wanted, wanted.seed), wanted.n, 0, set[str]()
    while True:
        k = min(k, LARGEST_BEAM)
        beams = search(k, *_led(trained, wanted))
        fresh = []
        for sample in _of_beams(trained, wanted, _from(beams, n_read)):
            line = sample.raw if wanted.raw else sample.string
            if line not in seen:
                seen.add(line)
                fresh.append(sample)
        yield from _filtered([fresh], wanted)
        if len(beams) < k or k == LARGEST_BEAM:
            return
        n_read, k = len(beams), k + max(k // 4, 2 * (wanted.n - len(seen)), 16)
        notify(f"{len(seen):,} different strings so far; the beam grows to {min(k, LARGEST_BEAM):,}")


def _from(beams: Beams, first: int) -> Beams:
    return Beams(beams.tokens[first:], beams.log_prob[first:], beams.score[first:])


def _budget(trained: Trained, wanted: Wanted) -> int:
    return wanted.max_length + 1 if wanted.max_length else trained.budget


def _constraint(trained: Trained, wanted: Wanted) -> Any:
    return trained.constraint if wanted.constrained else Anything(len(trained.representation.vocab))


def _prefix(trained: Trained, wanted: Wanted) -> Int[Tensor, " prefix"] | None:
    if not wanted.prefix:
        return None
    representation = trained.representation
    return torch.tensor(representation.ids(representation.tokenize_prefix(wanted.prefix)))


def _free_run(trained: Trained, wanted: Wanted) -> FreeRun:
    prefix = _prefix(trained, wanted)
    return FreeRun(
        trained.generator,
        _constraint(trained, wanted),
        _budget(trained, wanted),
        wanted.seed,
        wanted.decoding,
        context=(lambda index: _context(trained, wanted, index)) if trained.generator.d_context else None,
        prefix=None if prefix is None else lambda index: prefix.expand(len(index), -1),
        batch_size=wanted.batch_size,
    )


def _context(trained: Trained, wanted: Wanted, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch context"]:
    """What leads the samples with these numbers: draws from the prior, and the conditions that are asked for."""
    context = trained.config.method.context(trained.state, index, wanted.given, mix(wanted.seed, 1))
    assert context is not None
    return context


def _has_codes(trained: Trained, wanted: Wanted) -> bool:
    """Whether every sample is led by a code of its own; else all are led by the same conditions, or by nothing."""
    if not trained.generator.d_context:
        return False
    first, second = _context(trained, wanted, torch.arange(2, device=trained.state.world.device))
    return not torch.equal(first, second)


def _led(trained: Trained, wanted: Wanted) -> tuple[Int[Tensor, " prefix"] | None, Float[Tensor, "1 context"] | None]:
    """The prefix and the conditions that all samples have in common."""
    zero = torch.zeros(1, dtype=torch.long, device=trained.state.world.device)
    context = _context(trained, wanted, zero) if trained.generator.d_context else None
    return _prefix(trained, wanted), context


def _search(trained: Trained, wanted: Wanted, seed: int | None) -> BeamSearch:
    return BeamSearch(trained.generator, _constraint(trained, wanted), _budget(trained, wanted), seed, wanted.decoding)


def _of_rollout(trained: Trained, wanted: Wanted, rollout: Rollout) -> list[Sample]:
    plain = wanted.decoding.is_plain and not wanted.prefix
    log_probs = rollout.log_prob.double().sum(1) if plain else _scored(trained, wanted, rollout.tokens, rollout.index)
    return _samples(trained, rollout.tokens, log_probs)


def _of_beams(trained: Trained, wanted: Wanted, beams: Beams) -> list[Sample]:
    plain = wanted.decoding.is_plain and not wanted.prefix
    return _samples(trained, beams.tokens, beams.log_prob if plain else _scored(trained, wanted, beams.tokens, None))


def _samples(trained: Trained, tokens: Int[Tensor, "batch time"], log_probs: Float[Tensor, " batch"]) -> list[Sample]:
    raw = trained.representation.decode_batch(tokens)
    samples = []
    for text, total, n in zip(raw, log_probs.tolist(), n_tokens(tokens).tolist(), strict=True):
        string, valid = known_as(trained.representation, text)
        samples.append(Sample(string, text, valid, total, n))
    return samples


def known_as(representation: AbstractRepresentation, raw: str) -> tuple[str, bool]:
    """The canonical SMILES of a molecule, any other string as it was written; and whether it is valid."""
    if not representation.is_chemical:
        return raw, representation.is_valid(raw)
    smiles = canonical(raw)
    return smiles or raw, smiles is not None


@torch.no_grad()
def _scored(
    trained: Trained, wanted: Wanted, tokens: Int[Tensor, "batch time"], index: Int[Tensor, " batch"] | None
) -> Float[Tensor, " batch"]:
    """log p of whole strings under the model itself, where they were drawn from something else.

    Args:
        index: Numbers of the samples, from which their contexts follow; None where all have the same.
    """
    index = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device) if index is None else index
    parts = []
    for rows in torch.arange(len(tokens), device=tokens.device).split(wanted.batch_size):
        part = tokens[rows]
        width = max(1, int((part != PAD).sum(1).max()))
        context = _context(trained, wanted, index[rows]) if trained.generator.d_context else None
        scores = log_prob(
            trained.generator,
            part[:, :width],
            _constraint(trained, wanted),
            context,
            budget=_budget(trained, wanted),
        )
        parts.append(scores.double().sum(1))
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)
