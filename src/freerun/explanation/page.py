"""An explanation as one HTML page that needs nothing beside itself, in the look of the report."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from markupsafe import Markup

from freerun.explanation.chips import N_ROWS, chips, heat, heated, smiles_chips, visible
from freerun.explanation.derivation import Form
from freerun.explanation.derivation_tree import tree_svg
from freerun.explanation.explanation import Explanation
from freerun.explanation.graph import closure_colour, graph_svg
from freerun.files import write_text
from freerun.report.page import environment, style
from freerun.report.summary import Tile

N_WRITTEN, N_WAITING = 60, 24  # characters and symbols of a sentential form


@dataclasses.dataclass(frozen=True)
class ShownForm:
    """A sentential form cut to what fits on a line."""

    number: int
    written: str
    due: str
    waiting: str
    rule: str
    rule_number: int | None


def write_page(told: Explanation, out: Path) -> Path:
    """The file `out`, which is returned."""
    write_text(out, render(told))
    return out


def render(told: Explanation) -> str:
    """The page; strings are escaped and cut as in the report."""
    template = environment("freerun.explanation").get_template("explain.html.j2")
    molecule, derivation = told.molecule, told.derivation
    by_atoms = molecule is not None and bool(told.meanings)
    prefix = "k" if by_atoms else "m"
    return template.render(
        css=style(Path(__file__).parent / "templates" / "explain.css") + _links(told),
        title=told.normalised or "the empty string",
        told=told,
        tiles=_tiles(told),
        chips=chips(told) if derivation is None else [],
        heat=[heated(step, i) for i, step in enumerate(told.steps[:N_ROWS])],
        any_forbidden=any(step.n_forbidden for step in told.steps),
        rows=list(zip(*_columns(told), strict=True))[:N_ROWS],
        n_rows=N_ROWS,
        smiles_chips=[] if molecule is None or by_atoms else smiles_chips(molecule, prefix),
        graph=None if molecule is None else graph_svg(molecule, prefix),
        closures=[] if molecule is None else [(c, closure_colour(i)) for i, c in enumerate(molecule.tree.closures)],
        tree=None if derivation is None else tree_svg(derivation),
        forms=[]
        if derivation is None
        else [_shown(told, i, form) for i, form in zip(range(N_ROWS), derivation.forms(), strict=False)],
        scale=[(f"{p:g}", heat(p)) for p in (1.0, 0.5, 0.2, 0.05, 0.01)],
        number=_number,
    )


def _tiles(told: Explanation) -> list[Tile]:
    found = [Tile("tokens", f"{len(told.tokens):,}", told.representation)]
    if told.derivation is not None:
        found = [
            Tile("rules applied", f"{len(told.tokens):,}", f"of {len(told.derivation.grammar.rules)} that there are")
        ]
    if told.molecule is not None:
        tree = told.molecule.tree
        found.append(Tile("atoms", f"{len(tree.atoms):,}", "written one after another"))
        found.append(Tile("bonds cut", f"{len(tree.closures):,}", "written as a number at both atoms"))
    if told.steps:
        n = len(told.steps)
        found.append(Tile("log-probability", _number(told.n_nats, 2), "nats, the whole string"))
        found.append(Tile("nats a token", _number(-told.n_nats / n, 3), f"{n} tokens with <eos>"))
    if told.steps and any(step.n_forbidden for step in told.steps):
        removed = sum(step.removed for step in told.steps) / len(told.steps)
        found.append(Tile("forbidden", f"{100 * removed:.2g} %", "of the probability, a step, before the mask"))
    return found


def _columns(told: Explanation) -> tuple[list[Any], ...]:
    n = len(told.tokens)
    starts = [str(start) for start in told.starts] or [""] * n
    return list(range(1, n + 1)), starts, list(told.tokens), list(told.ids), list(told.meanings) or [""] * n


def _shown(told: Explanation, number: int, form: Form) -> ShownForm:
    assert told.derivation is not None
    derivation = told.derivation
    written = form.written.replace("\n", "\u21b5")
    waiting = " ".join(visible(derivation.named(symbol)) for symbol in form.waiting[:N_WAITING])
    return ShownForm(
        number=number,
        written=("\u2026" + written[-N_WRITTEN:]) if len(written) > N_WRITTEN else written,
        due="" if form.due is None else derivation.grammar.nonterminals[form.due],
        waiting=waiting + (" \u2026" if len(form.waiting) > N_WAITING else ""),
        rule="" if form.rule is None else derivation.grammar.shown(form.rule),
        rule_number=form.rule,
    )


def _links(told: Explanation) -> Markup:
    """Whatever belongs to one token lights up together; in CSS, as the page holds no script."""
    numbers = {f"k{i}" for i in range(min(N_ROWS, max(len(told.tokens), len(told.steps))))}
    if told.molecule is not None and not told.meanings:
        numbers |= {f"m{i}" for i in range(len(told.molecule.tokens))}
    return Markup("".join(f":root:has(.{k}:hover) .{k}{{--hot:1}}" for k in sorted(numbers)))


def _number(value: float, digits: int = 4) -> str:
    return "\u2212\u221e" if value == -math.inf else f"{value:.{digits}f}".replace("-", "\u2212")
