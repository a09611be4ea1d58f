"""Everything that is told of one string, before it is printed or drawn."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from freerun.codes import encode, known_columns, tokens_of
from freerun.config_files import apply_override
from freerun.constraints.productions import FIRST
from freerun.corpora.batches import Batch
from freerun.errors import UsageError
from freerun.explanation.derivation import Derivation
from freerun.explanation.molecule import Molecule, molecule_of, why_no_smiles
from freerun.explanation.steps import Step, steps_of
from freerun.grammars.earley import Parser
from freerun.grammars.reading import SHIPPED, grammar_of
from freerun.methods.base import AbstractLatentMethod
from freerun.methods.variational import conditioned
from freerun.representations import REPRESENTATIONS, guess_representation
from freerun.representations.base import AbstractRepresentation
from freerun.representations.grammar import GrammarRules
from freerun.representations.text import Text
from freerun.settings import built_by_name, nearest
from freerun.trained import Trained

LONGEST_SETTING = 60  # characters: the text of a grammar is no setting that one shows


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One string under one representation and, where there is a run, one model.

    Args:
        text: As it was given.
        normalised: The one writing that the representation has of it.
        representation: Its name and the settings that are not the usual ones.
        because: Why this representation.
        ids: Of the tokens.
        ids_of: In which vocabulary.
        starts: Characters of `normalised` before each token; empty where the tokens do not spell the string.
        meanings: What each token says; empty where there is nothing to add.
        run: Name of the run; empty without one.
        steps: What its model thinks of each token and of `<eos>`.
        refused: Why the run's constraint forbids the token of the last step; empty where it allows the string.
        remarks: What else is to be known.
    """

    text: str
    normalised: str
    representation: str
    because: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    ids_of: str
    starts: tuple[int, ...]
    meanings: tuple[str, ...]
    molecule: Molecule | None
    derivation: Derivation | None
    run: str = ""
    steps: tuple[Step, ...] = ()
    refused: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def n_nats(self) -> float:
        """Log-probability of the whole string, <= 0."""
        return self.steps[-1].log_prob if self.steps else 0.0


def explain_string(text: str, name: str = "", overrides: Sequence[str] = ()) -> Explanation:
    """What a string says, without any model.

    Args:
        name: Of a representation; or a grammar, by its file or the name of a shipped one; empty: what fits the string.
        overrides: `representation.KEY=VALUE`.

    Raises:
        UsageError: If there is no such representation, grammar or setting; the nearest name is told.
        InvalidSequence: If the string cannot be read, with the position.
    """
    representation, because = _chosen(name, overrides, text)
    tokens = representation.tokenize(text)
    told = _read(text, representation.with_vocab(tokens), tokens, because, "a vocabulary of this string alone")
    if name in ("", "auto") and not representation.is_chemical:
        told = dataclasses.replace(told, remarks=(*told.remarks, *why_no_smiles(text)))
    return told


def explain_run(text: str, trained: Trained) -> Explanation:
    """What a trained run makes of a string: tokens and ids of its vocabulary, and what its model thinks of each.

    Raises:
        InvalidSequence: If the run's representation cannot read the string; `UnknownToken` if it holds a token that is
            not in the vocabulary.
    """
    representation, name = trained.representation, trained.folder.path.name
    tokens = representation.tokenize(text)
    told = _read(text, representation, tokens, f"that of the run {name}", f"the vocabulary of the run {name}")
    context, remark = _context(trained, text)
    steps, refused = steps_of(trained, list(told.ids), context)
    return dataclasses.replace(told, run=name, steps=steps, refused=refused, remarks=(*told.remarks, *remark))


def _context(trained: Trained, text: str) -> tuple[Float[Tensor, "1 context"] | None, tuple[str, ...]]:
    """What leads the generator besides the tokens, and what is said of it."""
    device = next(trained.generator.parameters()).device
    if isinstance(trained.config.method, AbstractLatentMethod):
        mean, _ = encode(trained, [text])
        batch = Batch(tokens_of(trained, [text]).to(device), torch.arange(1), known_columns(trained, [text]))
        condition = trained.config.method.told(trained.state, batch)
        remark = f"The model reads a code of the string, too: the mean of q(z|x), {mean.shape[1]} numbers."
        return conditioned(torch.from_numpy(mean).to(device), condition), (remark,)
    context = trained.config.method.context(trained.state, torch.zeros(1, dtype=torch.long, device=device), {}, 0)
    remark = "The model is led by a context, too: that of sample 0 of seed 0, of which nothing is asked."
    return context, () if context is None else (remark,)


def _read(
    text: str, representation: AbstractRepresentation, tokens: list[str], because: str, ids_of: str
) -> Explanation:
    """Of a fitted representation."""
    normalised, ids = representation.detokenize(tokens), representation.ids(tokens)
    words = isinstance(representation, Text) and representation.unit == "word"
    molecule = None if words else molecule_of(normalised, representation.is_chemical)
    by_atoms = molecule is not None and molecule.tokens == tuple(tokens)
    remarks = [] if normalised == text else [f"In the form that this representation gives it; it was given as {text}"]
    derivation = None
    if isinstance(representation, GrammarRules):
        grammar = grammar_of(representation.text)
        derivation = Derivation(grammar, tuple(i - FIRST for i in ids))
        if Parser(grammar).parse(normalised).ambiguous:
            remarks.append("The grammar derives this string in more than one way; this is the first that was found.")
    return Explanation(
        text=text,
        normalised=normalised,
        representation=_described(representation),
        because=because,
        tokens=tuple(tokens),
        ids=tuple(ids),
        ids_of=ids_of,
        starts=_starts(tokens, representation.separator, normalised),
        meanings=molecule.tree.meanings if molecule is not None and by_atoms else (),
        molecule=molecule,
        derivation=derivation,
        remarks=tuple(remarks),
    )


def _chosen(name: str, overrides: Sequence[str], text: str) -> tuple[AbstractRepresentation, str]:
    """The representation that is asked for, not fitted, and why this one."""
    tables: dict[str, Any] = {"representation": {}}
    for override in overrides:
        apply_override(tables, override)
    for table in tables:
        if table != "representation":
            raise UsageError(f"--set {table}: without a run only representation.KEY=VALUE can be set")
    settings, because = {"name": name, **tables["representation"]}, "asked for"
    if settings["name"] in ("", "auto"):
        guessed, _ = guess_representation([text])
        settings, because = {**guessed.settings(), **settings, "name": guessed.name}, "chosen by looking at the string"
    elif settings["name"] not in REPRESENTATIONS and (settings["name"] in SHIPPED or Path(settings["name"]).is_file()):
        settings = {**settings, "name": GrammarRules.name, "grammar": settings["name"]}
    if settings["name"] not in REPRESENTATIONS:
        known = [*REPRESENTATIONS, *SHIPPED]
        raise UsageError(
            f"representation {settings['name']!r} is not known{nearest(settings['name'], known)}; there are "
            f"{', '.join(REPRESENTATIONS)}, the grammars {', '.join(SHIPPED)}, and every file that holds a grammar"
        )
    return built_by_name(REPRESENTATIONS, settings, "representation", without=("vocab",)), because


def _described(representation: AbstractRepresentation) -> str:
    """Its name, and the settings that are not the usual ones."""
    usual = {field.name: field.default for field in dataclasses.fields(representation)}
    unusual = {key: str(value) for key, value in representation.settings().items() if value != usual[key]}
    shown = ", ".join(f"{key} = {value}" for key, value in unusual.items() if len(value) <= LONGEST_SETTING)
    return representation.name + (f" ({shown})" if shown else "")


def _starts(tokens: Sequence[str], separator: str, normalised: str) -> tuple[int, ...]:
    """Characters before each token; none where the tokens do not spell the string, as in SELFIES."""
    if separator.join(tokens) != normalised:
        return ()
    starts, position = [], 0
    for token in tokens:
        starts.append(position)
        position += len(token) + len(separator)
    return tuple(starts)
