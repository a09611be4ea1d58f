"""Commands of latent runs: encode, decode, interpolate."""

from typing import TYPE_CHECKING, Annotated

import typer

from freerun.app.use import Device, GivenOption, Last, Run, asked
from freerun.errors import UsageError

if TYPE_CHECKING:
    from freerun.app.screen import Screen
    from freerun.corpora.reading import Refusals

N_SHOWN = 5  # refusals that are told
Raw = Annotated[bool, typer.Option("--raw", help="Strings as they were written, not canonical.")]


def encode(
    run: Run,
    what: Annotated[str, typer.Argument(metavar="FILE", help="Strings: .smi .txt .csv .tsv .parquet, .gz, or -.")],
    out: Annotated[
        str, typer.Option("-o", "--out", help=".npy .npz .csv .tsv .parquet, or - for CSV on stdout.")
    ] = "-",
    column: Annotated[str | None, typer.Option(help="Of a table: the column of the strings.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A line that has no code ends the work.")] = False,
    last: Last = False,
    device: Device = "auto",
) -> None:
    """The latent code of each string of a file, the mean of its posterior: a row a line, NaN where there is none."""
    from freerun.app.screen import Screen
    from freerun.code_files import check_suffix, writer
    from freerun.codes import latent_method
    from freerun.corpora.own_files import open_file
    from freerun.corpora.reading import Reading
    from freerun.encoded_files import encoded, told
    from freerun.run_folder import RunFolder
    from freerun.trained import Trained

    check_suffix(out)
    with Screen() as screen:
        trained = Trained.load(RunFolder.found(run), device=device, last=last)
        width, n, reading = latent_method(trained).d_latent, 0, Reading(strict)
        reader = open_file(what, column)
        if remark := told(trained, reader):
            screen.say(remark)
        with writer(out, width) as put:
            for piece in encoded(trained, reader, reading, lambda done: screen.work("lines", done, 0)):
                put(piece.strings, piece.means, piece.log_vars)
                n += len(piece.strings)
            if n == reading.refusals.count:
                _say_refusals(screen, n, reading.refusals)
                raise UsageError(f"no line of {reader.file.name} has a code under {trained.folder.path}")
        for note in reading.notes:
            screen.say(note)
        _say_refusals(screen, n, reading.refusals)
        if out != "-":
            screen.say(f"{n:,} rows of width {width} into {out}")


def decode(
    run: Run,
    what: Annotated[
        str, typer.Argument(metavar="CODES", help="What encode writes: .npy .npz .csv .tsv .parquet, or -.")
    ],
    out: Annotated[str, typer.Option("-o", "--out", help=".smi .txt .csv .tsv .parquet, or - for stdout.")] = "-",
    sample: Annotated[bool, typer.Option("--sample", help="Drawn strings in place of the greedy one.")] = False,
    n: Annotated[int, typer.Option("-n", help="Of --sample: strings of each code.")] = 1,
    seed: Annotated[int, typer.Option(help="Of --sample.")] = 0,
    given: GivenOption = None,
    raw: Raw = False,
    last: Last = False,
    device: Device = "auto",
) -> None:
    """The strings of latent codes, greedily or drawn."""
    import numpy as np

    from freerun import codes
    from freerun.app.screen import Screen
    from freerun.code_sources import read_codes
    from freerun.run_folder import RunFolder
    from freerun.samples import known_as
    from freerun.string_files import writer
    from freerun.trained import Trained

    if n < 1:
        raise UsageError(f"-n {n} must be at least 1")
    if n > 1 and not sample:
        raise UsageError(f"-n {n} needs --sample: greedy decoding writes one string of a code")
    with Screen() as screen:
        trained = Trained.load(RunFolder.found(run), device=device, last=last)
        wanted = asked(given)
        z = read_codes(what, codes.latent_method(trained).d_latent)
        for remark in trained.state.world.conditions.remarks(wanted):
            screen.say(remark)
        with writer(out, raw) as put:
            n_missing, n_at_once = 0, max(1, codes.N_AT_ONCE // n)
            for first in range(0, len(z), n_at_once):
                piece = np.array(z[first : first + n_at_once])
                found = codes.decode(trained, piece, greedy=not sample, n_each=n, seed=seed, given=wanted, first=first)
                n_missing += sum(not strings for strings in found)
                rows = [first + place for place, strings in enumerate(found) for _ in strings]
                written = [string for strings in found for string in strings]
                put(rows, written, [known_as(trained.representation, string) for string in written])
                screen.work("codes", first + len(piece), len(z))
        if not len(z):
            screen.say(f"{what} holds no code")
        if n_missing:
            screen.say(f"{n_missing:,} of {len(z):,} rows are NaN, and left out")
        if out != "-":
            screen.say(f"{(len(z) - n_missing) * n:,} strings into {out}")


def interpolate(
    run: Run,
    a: Annotated[str, typer.Argument(metavar="A", help="The string at one end, in quotes.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The string at the other.")],
    n: Annotated[int, typer.Option("-n", help="How many strings, with those of the ends.")] = 9,
    given: GivenOption = None,
    raw: Raw = False,
    last: Last = False,
    device: Device = "auto",
) -> None:
    """Strings on the way from one string's code to another's, a line each."""
    from freerun import codes
    from freerun.app.screen import Screen
    from freerun.outputs import one_line
    from freerun.run_folder import RunFolder
    from freerun.samples import known_as
    from freerun.trained import Trained

    with Screen() as screen:
        trained = Trained.load(RunFolder.found(run), device=device, last=last)
        wanted = asked(given)
        codes.latent_method(trained)
        for remark in trained.state.world.conditions.remarks(wanted):
            screen.say(remark)
        found = codes.interpolate(trained, a, b, n, wanted)
    for string in found:
        print(one_line(string if raw else known_as(trained.representation, string)[0]))


def _say_refusals(screen: "Screen", n: int, refusals: "Refusals") -> None:
    if refusals.count:
        screen.say(f"{refusals.count:,} of {n:,} lines without a code, NaN in the file:")
        for example in refusals.examples[:N_SHOWN]:
            screen.say(f"  {example}")


COMMANDS = {
    encode: "freerun encode last molecules.smi -o z.npy",
    decode: "freerun decode last z.npy --sample -n 10 -o decoded.csv",
    interpolate: "freerun interpolate last 'c1ccccc1O' 'CCN(CC)CC'",
}
