"""The first screen of the page: one row per method, and what sound adds per stratum."""

from typing import Any

from reports.accuracy import beside_released
from reports.results import Results
from reports.shown import (
    FEWEST_NOTE,
    FEWEST_QUERIES,
    UNDEFINED_NOTE,
    defined_figure,
    gap,
    interval_of,
    shown_interval,
)
from reports.table import between
from reports.tables import strata_table


def results_overview(results: Results) -> list[dict[str, Any]]:
    """Per gallery the text-to-video R@1 of each method: leak-free, interval, released, gap, on 0 to 100."""
    found: dict[str, list[dict[str, Any]]] = {}
    for pair in beside_released(results, "t2v"):
        interval = None if pair.clean is None else interval_of(pair.clean)
        leak_free, released = defined_figure(pair.clean), defined_figure(pair.released)
        known = leak_free == leak_free and released == released  # a NaN equals nothing
        found.setdefault(pair.any.data, []).append(
            {
                "label": pair.any.label,
                "run": pair.any.run.name,
                "leak_free": shown_interval(pair.clean),
                "interval": "" if interval is None else between(interval.low, interval.high),
                "released": shown_interval(pair.released),
                "gap": gap(pair.released, pair.clean),
                "bar": None if leak_free != leak_free else f"{leak_free:.2f}",
                "low": None if interval is None else f"{interval.low:.2f}",
                "high": None if interval is None else f"{interval.high:.2f}",
                "gap_from": f"{min(leak_free, released):.2f}" if known else None,
                "gap_width": f"{abs(released - leak_free):.2f}" if known else None,
            }
        )
    return [{"data": data, "rows": rows} for data, rows in found.items()]


def overview_notes(results: Results) -> list[str]:
    """What the overview leaves out, in lines: marks, figures that do not exist, missing intervals."""
    cells = [cell for pair in beside_released(results, "t2v") for cell in (pair.clean, pair.released) if cell]
    few = any(cell.answers.entry.protocol.queries < FEWEST_QUERIES for cell in cells)
    undefined = any(cell.undefined for cell in cells)
    return [*results.notes, *([UNDEFINED_NOTE] if undefined else []), *([FEWEST_NOTE] if few else [])]


def strata(results: Results) -> dict[str, Any] | None:
    """The table of strata as the page shows it; None where no data set knows them."""
    table = strata_table(results)
    if table is None:
        return None
    return {"columns": table.columns, "rows": table.rows, "notes": table.notes, "words": table.words}
