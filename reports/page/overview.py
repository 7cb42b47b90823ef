"""The first screen of the page: a line of protocol, and one row per method with what sound adds."""

from typing import Any

from reports.accuracy import Pair
from reports.header import POINTS
from reports.results import Results, natural
from reports.shown import (
    FEWEST_NOTE,
    FEWEST_QUERIES,
    UNDEFINED_NOTE,
    defined_figure,
    gap,
    interval_of,
    shown_interval,
)
from reports.summary import first_pairs
from reports.table import DASH, Table, between
from reports.tables import CEILING, strata_table

SHORT_POINTS = ("condition", "checkpoint chosen by", "epochs", "backbone", "pictures", "sound", "hardware")
"""Points of the protocol that are read without opening anything."""

SHORT_LABEL = 46
"""Letters of a label that stay on one line of a wide screen."""


def short_protocols(results: Results) -> list[str]:
    """The protocol of each data set in one line; values that differ between rows side by side."""
    lines = []
    for dataset in dict.fromkeys(run.spec.dataset for run in results.runs):
        runs = [run for run in results.runs if run.spec.dataset == dataset]
        sizes = dict.fromkeys(
            f"{pair.any.data}: {asked.queries:,} queries, {asked.gallery:,} videos"
            for pair in first_pairs(results)
            if pair.any.run.spec.dataset == dataset
            for asked in [pair.any.answers.entry.protocol]
        )
        points = list(sizes)
        for name, value in POINTS:
            if name in SHORT_POINTS:
                values = sorted({value(run) or "none" for run in runs}, key=natural)
                points.append(f"{name} {' / '.join(values)}")
        seeds = sorted({run.spec.seeds.initialisation for run in runs})
        lines.append("; ".join([*points, f"seeds {', '.join(map(str, seeds))}"]) + ".")
    return lines


def results_overview(results: Results) -> list[dict[str, Any]]:
    """A table per data set, of its first split: rows of methods, then of ceilings, all on 0 to 100."""
    found: dict[str, list[Pair]] = {}
    for pair in first_pairs(results):
        found.setdefault(pair.any.data, []).append(pair)
    table = strata_table(results)
    return [overview_part(data, pairs, table) for data, pairs in found.items()]


def overview_part(data: str, pairs: list[Pair], table: Table | None) -> dict[str, Any]:
    """The overview of one gallery, with the columns of its strata where it has some."""
    columns: list[str] = []
    per_stratum: dict[str, list[str]] = {}
    ceilings: list[dict[str, Any]] = []
    if table is not None:
        asked = pairs[0].any
        place = f"{asked.run.spec.dataset}/{asked.protocol.split}"
        first = table.columns.index("all") + 1
        own = [row for row in table.rows if row[0] == data and not row[1].startswith(CEILING)]
        observed = [row for row in table.rows if row[0] == place and row[1].startswith(CEILING)]
        kept = [at for at in range(first, len(table.columns)) if any(row[at] != DASH for row in own)]
        columns = [table.columns[at] for at in kept]
        per_stratum = {row[1]: [row[at] for at in kept] for row in own}
        ceilings = [
            {"label": row[1], "all": row[first - 1], "strata": [row[at] for at in kept]} for row in observed
        ]
    rows = [overview_row(pair, per_stratum.get(pair.any.label, [DASH] * len(columns))) for pair in pairs]
    return {
        "data": data,
        "columns": columns,
        "rows": rows,
        "ceilings": ceilings if columns else [],
        "short": all(len(row["label"]) <= SHORT_LABEL for row in rows),
    }


def overview_row(pair: Pair, strata: list[str]) -> dict[str, Any]:
    """R@1 of a method: leak-free, interval, released, gap, queries, per stratum, and its bar."""
    interval = None if pair.clean is None else interval_of(pair.clean)
    leak_free, released = defined_figure(pair.clean), defined_figure(pair.released)
    known = leak_free == leak_free and released == released  # a NaN equals nothing
    return {
        "label": pair.any.label,
        "run": pair.any.run.name,
        "queries": pair.any.answers.entry.protocol.queries,
        "leak_free": shown_interval(pair.clean),
        "interval": "" if interval is None else between(interval.low, interval.high),
        "released": shown_interval(pair.released),
        "gap": gap(pair.released, pair.clean),
        "strata": strata,
        "bar": None if leak_free != leak_free else f"{leak_free:.2f}",
        "low": None if interval is None else f"{interval.low:.2f}",
        "high": None if interval is None else f"{interval.high:.2f}",
        "gap_from": f"{min(leak_free, released):.2f}" if known else None,
        "gap_width": f"{abs(released - leak_free):.2f}" if known else None,
    }


def overview_notes(results: Results) -> list[str]:
    """What the overview leaves out, in lines: marks, figures that do not exist, missing intervals."""
    cells = [cell for pair in first_pairs(results) for cell in (pair.clean, pair.released) if cell]
    few = any(cell.answers.entry.protocol.queries < FEWEST_QUERIES for cell in cells)
    undefined = any(cell.undefined for cell in cells)
    table = strata_table(results)
    return [
        *([] if table is None else table.notes),
        *results.notes,
        *([UNDEFINED_NOTE] if undefined else []),
        *([FEWEST_NOTE] if few else []),
    ]
