"""The report: run folders -> one HTML page that needs nothing beside itself."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from freerun.errors import UsageError
from freerun.files import write_text
from freerun.report.calls import Calls, read_calls
from freerun.report.code_map import codes_of
from freerun.report.conditions import conditions_of
from freerun.report.exposure import exposure_panels
from freerun.report.facts import differing_settings, facts_table, settings
from freerun.report.figures import colour_of, learning_panels, property_panels, temperature_panels
from freerun.report.folder import Run, read_run
from freerun.report.frontier import frontier_panels
from freerun.report.latent import codes_table
from freerun.report.measures import measures_table
from freerun.report.objectives import objectives_of, strings_of
from freerun.report.ratings import ratings_of
from freerun.report.samples import is_chemical, n_drawings, samples_of, temperatures_of
from freerun.report.summary import headline, tiles
from freerun.report.tradeoff import tradeoff_panels
from freerun.report.walks import walks_of

MAX_BYTES = 5_000_000
MAX_CHARACTERS = 600
MAX_RUNS = 24
TEMPLATES = Path(__file__).parent / "templates"


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """One page on all the runs, side by side; the same folders give the same bytes.

    Args:
        runs: Run folders; unfinished ones too. A folder that is named twice is shown once.
        out: The HTML file.

    Returns:
        `out`.

    Raises:
        UsageError: If a folder is not there, or there is none at all, or too many for one page.
    """
    folders = list(dict.fromkeys(Path(run).resolve() for run in runs))
    shown = {Path(run).resolve(): Path(run) for run in runs}
    if not folders:
        raise UsageError("a report needs at least one run; `freerun runs` lists those that there are")
    if len(folders) > MAX_RUNS:
        raise UsageError(f"{len(folders)} runs do not fit on one page; name at most {MAX_RUNS}")
    write_text(out, render([read_run(shown[folder]) for folder in folders]))
    return out


def render(runs: Sequence[Run]) -> str:
    """The page, with fewer drawings where it would grow beyond `MAX_BYTES`."""
    template = environment("freerun.report").get_template("report.html.j2")
    told = [read_calls(run.path / "scores.csv") for run in runs]
    contents = _contents(runs, told)
    n_drawn = n_drawings(len(runs))
    page = template.render(contents | _drawings(runs, told, n_drawn))
    while len(page.encode()) > MAX_BYTES and n_drawn:
        n_drawn //= 2
        page = template.render(contents | _drawings(runs, told, n_drawn))
    return page


def environment(package: str) -> jinja2.Environment:
    """How templates of this package become pages of the house: on `base.html.j2`, every value escaped and cut."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("freerun.report")]),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def style(*sheets: Path) -> Markup:
    """The style sheet of all pages, and others after it."""
    return Markup("".join(sheet.read_text("utf-8") for sheet in (TEMPLATES / "report.css", *sheets)))


def _contents(runs: Sequence[Run], told: Sequence[Calls | None]) -> dict[str, Any]:
    """All that the template shows but strings and their drawings."""
    return {
        "css": style(*(TEMPLATES / name for name in ("walks.css", "conditions.css", "latent.css"))),
        "title": runs[0].name if len(runs) == 1 else f"{len(runs)} runs, side by side",
        "runs": runs,
        "all_missing": {name for run in runs for name in run.missing},
        "colours": [colour_of(i) for i in range(len(runs))],
        "headlines": [headline(run) for run in runs],
        "tiles": tiles(runs[0]) if len(runs) == 1 else [],
        "facts": facts_table(runs),
        "differences": differing_settings(runs),
        "settings": [settings(run) for run in runs],
        "learning": learning_panels(runs),
        "measures": measures_table(runs),
        "properties": property_panels(runs),
        "exposure": exposure_panels(runs),
        "temperature_curves": temperature_panels(runs),
        "tradeoff": tradeoff_panels(runs),
        "frontier": frontier_panels(runs),
        "paid": objectives_of(runs, told),
        "conditions": [conditions_of(run) for run in runs],
        "known": codes_table(runs),
        "chemical": [is_chemical(run) for run in runs],
    }


def _drawings(runs: Sequence[Run], told: Sequence[Calls | None], n_drawn: int) -> dict[str, Any]:
    return {
        "samples": [samples_of(run, n_drawn) for run in runs],
        "rated": [ratings_of(run, n_drawn) for run in runs],
        "paid_strings": [strings_of(run, calls, n_drawn) for run, calls in zip(runs, told, strict=True)],
        "temperatures": [temperatures_of(run, n_drawn // 4) for run in runs],
        "codes": [codes_of(run, n_runs=len(runs), is_drawn=n_drawn >= 4) for run in runs],
        "walks": [walks_of(run, alone=len(runs) == 1, is_drawn=n_drawn >= 4) for run in runs],
    }


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def _shown(value: Any) -> Any:
    """Every string on its way into the page: cut where it is long; what no page may hold (controls, halves of
    surrogate pairs, marks that turn the direction of writing) becomes a visible replacement."""
    if isinstance(value, str) and not isinstance(value, Markup):
        if len(value) > MAX_CHARACTERS:
            value = f"{value[:MAX_CHARACTERS]}\u2026 ({len(value):,} characters)"
        return _CONTROL.sub("\ufffd", value)
    return value
