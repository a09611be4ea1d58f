"""The command `rate`: people's ratings of strings, on a page or in the terminal."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freerun.app.use import Device, Last
from freerun.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from freerun.app.screen import Screen
    from freerun.rating.plan import Item, Plan


def rate(
    what: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A run folder, `last`, a file of strings, or -.")],
    n: Annotated[int, typer.Option("-n", help="How many different strings.")] = 50,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.csv", help="The ratings.")] = Path("people.csv"),
    seed: Annotated[int, typer.Option(help="Of the strings and of their order.")] = 0,
    repeat: Annotated[float, typer.Option(help="Share that is asked twice, which measures the rater.")] = 0.1,
    scale: Annotated[int, typer.Option(help="Ratings are 1 to this, at most 9.")] = 5,
    rater: Annotated[str, typer.Option(metavar="NAME", help="Who rates; the page asks for it.")] = "",
    terminal: Annotated[bool, typer.Option("--terminal", help="Here, by keys, instead of on a page.")] = False,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.html", help="The page; left out: beside the ratings.")
    ] = None,
    next_: Annotated[
        Path | None, typer.Option("--next", metavar="FILE.csv", help="Ask what these ratings leave least certain.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
    last: Last = False,
    device: Device = "auto",
) -> None:
    """Let people rate strings; their ratings are a score, `ratings:people.csv`."""
    from freerun.app.screen import Screen
    from freerun.rating.plan import Plan, check_scale, order_of

    if terminal and page is not None:
        raise UsageError("--terminal rates here and --page writes a page; choose one")
    if terminal and what == "-":
        raise UsageError("stdin cannot bring both the strings and the ratings; put the strings into a file")
    if n < 1:
        raise UsageError(f"-n {n} leaves nothing to rate; ask for at least 1 string")
    if out.suffix.lower() != ".csv":
        raise UsageError(f"-o {out}: ratings are a table; name a file that ends in .csv")
    check_scale(scale)
    order_of(0, repeat, seed)
    with Screen() as screen:
        items, is_chemical = _items(what, n, seed, next_, column, last, device, screen)
        order = order_of(len(items), repeat, seed)
        plan = Plan(tuple(items), order, scale, is_chemical, out.name, rater.strip())
        if terminal:
            _session(plan, out, screen)
        else:
            _page(plan, page or out.with_suffix(".html"), screen)


def _items(
    what: str, n: int, seed: int, rated: Path | None, column: str | None, last: bool, device: str, screen: "Screen"
) -> "tuple[list[Item], bool]":
    from freerun.rating import candidates
    from freerun.run_folder import RunFolder
    from freerun.trained import Trained

    is_run = what == "last" or Path(what).is_dir() or (not Path(what).exists() and (Path("runs") / what).is_dir())
    if is_run:
        trained = Trained.load(RunFolder.found(what), device=device, last=last)
        n_drawn = n if rated is None else max(candidates.N_CANDIDATES, 5 * n)
        items, is_chemical = candidates.of_run(trained, n_drawn, seed, screen.say)
    else:
        items, is_chemical = candidates.of_file(what, column, screen.say)
    if not items:
        raise UsageError(f"{what} holds no string that can be rated")
    if rated is not None:
        items = candidates.to_ask_next(items, rated, n)
    elif not is_run:
        items = candidates.chosen(items, n, seed)
    if len(items) < n:
        screen.say(f"{len(items):,} different strings instead of {n:,}: there are no more")
    return items, is_chemical


def _page(plan: "Plan", path: Path, screen: "Screen") -> None:
    from freerun.rating.page import write_page

    print(write_page(plan, path))
    n_again = len(plan.order) - len(plan.items)
    screen.say(
        f"{len(plan.items):,} strings, {n_again:,} of them twice; open the page in a browser, rate, save {plan.file}, "
        f"and learn from it: --objective ratings:{plan.file}"
    )


def _session(plan: "Plan", out: Path, screen: "Screen") -> None:
    """Answers are asked for on stderr and stdin; each is in the file before the next is asked for."""
    from freerun.rating.answer_file import AnswerFile
    from freerun.rating.terminal import Desk, keys, places_left, rate

    file = AnswerFile(out)
    places = places_left(plan, file.rated(plan.rater))
    n_done = len(plan.order) - len(places)
    screen.say(f"{n_done:,} of {len(plan.order):,} are rated in {out} already" if n_done else f"answers go to {out}")
    screen.say(keys(plan.scale))

    def ask() -> str | None:
        print("> ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline() or None

    try:
        n_rated = rate(plan, places, Desk(screen.say, ask, file.append, file.take_back, time.monotonic))
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; every answer so far is in {out}, the same command goes on") from stop
    screen.say(f"{n_rated:,} ratings more in {out}")


COMMANDS: dict[Callable[..., None], str] = {rate: "freerun rate last -n 50 -o people.csv"}
