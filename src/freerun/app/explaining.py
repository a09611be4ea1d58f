"""The command `explain`: one string, token by token."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freerun.errors import InvalidSequence, UsageError

if TYPE_CHECKING:
    from freerun.explanation.derivation import Form
    from freerun.explanation.explanation import Explanation

N_REASONS = 2  # of a step, on the terminal
N_WRITTEN, N_WAITING = 40, 12  # characters and symbols of a sentential form


def explain(
    string: Annotated[str, typer.Argument(metavar="STRING", help="In quotes; - reads one line of stdin.")],
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="A run folder, its name under runs/, or `last`.")] = "",
    representation: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A representation or a grammar; left out: what fits the string.")
    ] = "",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="representation.KEY=VALUE", help="A setting of it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE.html", help="One page with drawings.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The last weights of the run instead of the best.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps: for the model of the run.")] = "auto",
) -> None:
    """Show one string token by token: its graph, its derivation, and what a model thinks of each token."""
    from freerun import api

    if string == "-":
        string = typer.get_text_stream("stdin").readline().rstrip("\r\n")
    if run and (representation or settings):
        raise UsageError("a RUN brings its own representation; leave out --representation and --set, or the RUN")
    try:
        told = api.explain(
            string, run=run or None, representation=representation, overrides=settings or (), last=last, device=device
        )
    except InvalidSequence as error:
        print(pointed(error), file=typer.get_text_stream("stderr"))
        raise
    print(described(told))
    if out is not None:
        from freerun.explanation.page import write_page

        print(f"\n{write_page(told, out)}")


def pointed(error: InvalidSequence, width: int = 76) -> str:
    """The string with a caret under the character that cannot be read, on two lines."""
    start = max(0, min(error.position - width // 2, len(error.text) - width))
    before, after = "..." if start else "", "..." if start + width < len(error.text) else ""
    shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in error.text[start : start + width])
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + error.position - start)}^"


def described(told: "Explanation") -> str:
    """Plain tables for the terminal."""
    from freerun.app.tables import table

    parts = [f"{told.normalised}\nread as {told.representation} ({told.because}); {len(told.tokens)} tokens"]
    parts += told.remarks
    if told.molecule is not None and told.molecule.problem is not None:
        parts.append(f"no molecule: {told.molecule.problem}")
    if told.derivation is not None:
        parts.append(table([["step", "rule", "", "written [due] waiting"], *_forms(told)], right=[0, 1]))
    elif not told.steps:
        parts.append(table(_tokens(told), right=[0, 1, 3]))
    if told.steps:
        parts.append(table(_steps(told), right=[0, 2, 3, 4]))
        parts.append(_sum(told))
    if told.molecule is not None:
        tree = told.molecule.tree
        cut = [f"ring {c.label} joins atoms {c.opener + 1} and {c.closer + 1}" for c in tree.closures]
        parts.append(f"{len(tree.atoms)} atoms; " + ("bonds cut: " + "; ".join(cut) if cut else "no bond cut"))
    return "\n\n".join(parts)


def _tokens(told: "Explanation") -> list[list[str]]:
    rows = [["token", "at", "", "id", "what it says"]]
    for i, (token, number) in enumerate(zip(told.tokens, told.ids, strict=True)):
        start = str(told.starts[i]) if told.starts else ""
        rows.append([str(i + 1), start, _quoted(token), str(number), told.meanings[i] if told.meanings else ""])
    return rows


def _steps(told: "Explanation") -> list[list[str]]:
    rows = [["step", "", "p", "rank", "log p so far", "likeliest", "forbidden"]]
    for i, step in enumerate(told.steps):
        likeliest = ", ".join(f"{_quoted(token)} {p:.2f}" for token, p in step.likeliest)
        groups = [f"{group.reason}: {_some(group.tokens)}" for group in step.forbidden[:N_REASONS]]
        more = len(step.forbidden) - len(groups)
        forbidden = "; ".join(groups) + (f"; and {more} more reasons" if more else "")
        rank = f"{step.rank}/{step.n_allowed}" if step.rank else "forbidden"
        row = [str(i + 1), _quoted(step.token), f"{step.probability:.4f}", rank, f"{step.log_prob:.2f}"]
        rows.append([*row, likeliest, forbidden])
    return rows


def _sum(told: "Explanation") -> str:
    if told.refused:
        return f"the constraint of {told.run} forbids token {len(told.steps)}: {told.refused}"
    n = len(told.steps)
    return f"log p {told.n_nats:.2f} nats under {told.run}: {-told.n_nats / n:.3f} a token ({n} with <eos>)"


def _forms(told: "Explanation") -> list[list[str]]:
    assert told.derivation is not None
    rows = []
    for number, form in enumerate(told.derivation.forms(), 1):
        if form.rule is None:
            rows.append(["", "", "", _cut(form.written)])
        else:
            rows.append([str(number), str(form.rule), told.derivation.grammar.shown(form.rule), _form(told, form)])
    return rows


def _form(told: "Explanation", form: "Form") -> str:
    assert told.derivation is not None
    assert form.due is not None
    named = told.derivation.named
    waiting = " ".join(_quoted(named(symbol)) for symbol in form.waiting[:N_WAITING])
    more = " ..." if len(form.waiting) > N_WAITING else ""
    return f"{_cut(form.written)}[{named(form.due)}] {waiting}{more}".rstrip()


def _cut(written: str) -> str:
    return ("..." if len(written) > N_WRITTEN else "") + _quoted(written[-N_WRITTEN:]) if written else ""


def _some(tokens: tuple[str, ...], n: int = 6) -> str:
    """The first few, and how many more."""
    return " ".join(map(_quoted, tokens[:n])) + (f" and {len(tokens) - n} more" if len(tokens) > n else "")


def _quoted(token: str) -> str:
    """As it stands, or quoted where it could not be seen or would break the line."""
    return token if token.isprintable() and token.strip() == token and token else repr(token)


COMMANDS: dict[Callable[..., None], str] = {explain: "freerun explain 'CC(=O)Nc1ccccc1' last -o explained.html"}
