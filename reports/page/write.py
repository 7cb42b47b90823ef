"""`bench report --html`: one file that needs no network, to look, listen and compare in."""

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from core.evaluation.measures import MEASURES
from core.paths import written_whole
from reports.header import header_of
from reports.page.failures import failures
from reports.page.gallery import gate_gallery
from reports.page.library import Library
from reports.page.overview import overview_notes, results_overview, short_protocols
from reports.page.pictures import GATE_FIGURES, page_figures
from reports.page.rows import galleries, result_rows
from reports.provenance import provenance
from reports.results import Results


def write_page(results: Results, folder: Path, pictures: Iterable[Path] = ()) -> tuple[Path, list[str]]:
    """Writes page.html into an existing folder; returns its path and a line for all that it lacks.

    `pictures` are the PNGs of the report's figures, which the page embeds.
    """
    library = Library()
    failed = failures(results.runs, library)
    gallery = gate_gallery(results.runs, library)
    notes = list(library.notes)
    if library.full:
        notes.append("pictures and sounds of some clips: the page is full")
    data = {
        "galleries": galleries(results),
        "failures": failed,
        "gates": gallery,
        "clips": {key: clip.record() for key, clip in library.clips.items()},
    }
    drawn = page_figures(pictures)
    page = rendered(
        data=Markup(script_safe(data)),
        header=header_of(results),
        overview=results_overview(results),
        protocol=short_protocols(results),
        figures=[figure for figure in drawn if figure["name"] not in GATE_FIGURES],
        gate_figures=[figure for figure in drawn if figure["name"] in GATE_FIGURES],
        rows=result_rows(results),
        rescorings=sorted({row.protocol.rescoring for row in results.rows}, key=lambda name: name != "none"),
        measures=list(MEASURES),
        provenance=provenance(results.runs),
        notes=notes,
        labels=overview_notes(results),
    )
    path = folder / "page.html"
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path, notes


def rendered(**values: Any) -> str:
    """The template with its style and script; every value is escaped."""
    folder = files("reports.page")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((folder / "page.html").read_text(encoding="utf-8"))
    parts = {
        name: Markup((folder / f"page.{kind}").read_text(encoding="utf-8"))
        for name, kind in (("style", "css"), ("script", "js"))
    }
    return template.render(**parts, **values)


def script_safe(data: Mapping[str, Any]) -> str:
    """JSON that no text in it can break out of a script element with."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
