"""The command line: arguments are read under app/ and nowhere else. Results go to stdout, everything else to stderr."""

import sys

import typer

from freerun.app import coding, comparing, explaining, inform, learn, optimizing, rating, scoring, use
from freerun.errors import FreerunError, Interrupted, UsageError

INTERRUPTED = 130

app = typer.Typer(
    name="freerun",
    help="Train generators of discrete sequences - molecules, sentences, formulas - and let them run free.",
    epilog="Example:  freerun train --corpus molecules.smi && freerun sample last -n 20",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (learn, use, comparing, coding, optimizing, scoring, rating, explaining, inform):
    for function, example in module.COMMANDS.items():
        app.command(epilog=f"Example:  {example}")(function)


def main() -> None:
    """Exit 0 done, 1 failed, 2 wrong usage or a refusal, 130 interrupted with everything saved."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except SystemExit as end:
        if end.code == INTERRUPTED:  # the library has made it of a KeyboardInterrupt
            explained(KeyboardInterrupt())
        raise
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            raise
        sys.exit(explained(error))


def explained(error: BaseException) -> int:
    """One line on stderr, and the exit code."""
    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # whoever read our output has gone: there is nobody to tell
        return 0
    match error:
        case KeyboardInterrupt():
            text = "interrupted; what was saved is kept, `freerun resume last` goes on"
        case FreerunError():
            text = str(error)
        case OSError():
            text = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        case MemoryError():
            text = "out of memory; use a smaller method.batch_size, -n, --beam or --batch"
        case _:
            text = f"{type(error).__name__}: {error} (a fault of freerun; --debug shows where)"
    print(f"freerun: {' '.join(text.split())}", file=sys.stderr)
    if isinstance(error, KeyboardInterrupt | Interrupted):
        return INTERRUPTED
    return 2 if isinstance(error, UsageError) else 1
