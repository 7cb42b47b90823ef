"""The tables of accuracy and cost: leak-free measures of a direction, and what the leak would add."""

import math
from dataclasses import dataclass, replace

from core.evaluation.measures import MEASURES, PRIMARY
from core.evaluation.significance import smallest_detectable, standard_error
from reports.convergence import unmeasured_notes
from reports.differences import ALPHABET, DETECTABLE_NOTE, letters_of
from reports.results import Results, SeededRows
from reports.shown import (
    FEWEST_NOTE,
    FEWEST_QUERIES,
    UNDEFINED_NOTE,
    gap,
    interval_in_words,
    shown_interval,
)
from reports.table import DASH, Mark, Table, number, places

DIRECTIONS = {"t2v": "Text-to-video", "v2t": "Video-to-text"}

SPREAD_NOTE = (
    "95 %: bootstrap interval of R@1 over queries and, where there are several, seeds; queries whose clips "
    "share their pixels or their video are resampled together. n: queries. Ties count in random order "
    "(`expected`)."
)
LETTERS_NOTE = (
    "Letters: the rows (#) of the same data that this one is significantly better than, as trained here, by "
    "paired permutation tests, false discovery rate 5 % over the table. Best in bold, second underlined."
)
COST_NOTE = (
    "M trained: parameters that trained, towers included; index s: encoding every video and building the "
    "index, backbone features given; query ms: encoding a text and scoring it against the gallery, the "
    "fastest of several repeats; peak GB: resident memory of the whole run, with training."
)
UNRELIABLE_NOTE = (
    "?: query ms was not measured alone: another cell or other work ran on the machine; `bench time` "
    "repeats it."
)


def metrics_table(results: Results, direction: str) -> Table | None:
    """Leak-free measures of a direction and the cost, a row per configuration; None where there is none."""
    groups = results.by_data(condition="leak-free", rescoring="none", direction=direction)
    if not groups:
        return None
    columns = ["data", "method", "#", "n", "seeds"]
    for name in MEASURES:
        columns += [name, "95 %"] if name == PRIMARY.name else [name]
    columns += ["M trained", "train s", "index s", "query ms", "peak GB"]
    rows: list[list[str]] = []
    marks: dict[tuple[int, int], Mark] = {}
    for cells, letters in zip(groups.values(), letters_of(list(groups.values())), strict=True):
        for name, measure in MEASURES.items():
            figures = [cell.figure(measure) for cell in cells]
            ranked = places(figures, lower_is_better=not measure.higher, digits=measure.digits)
            for row, (cell, place) in enumerate(zip(cells, ranked, strict=True)):
                won = letters.get((cell.label, name), "")
                marks[len(rows) + row, columns.index(name)] = Mark(place, won)
        for row, cell in enumerate(cells):
            line = [
                cell.data,
                cell.label,
                ALPHABET[row] if 1 < len(cells) <= len(ALPHABET) else "",
                str(cell.answers.entry.protocol.queries),
                str(len(cell.rows)),
            ]
            for measure in MEASURES.values():
                line.append(shown_interval(cell, measure))
                line += [interval_in_words(cell)] if measure is PRIMARY else []
            rows.append([*line, *costs_of(cell)])
    notes = [SPREAD_NOTE, LETTERS_NOTE, measures_note(), COST_NOTE]
    every = [cell for cells in groups.values() for cell in cells]
    notes += unmeasured_notes([cell.run for cell in every])
    if any(cell.answers.entry.protocol.queries < FEWEST_QUERIES for cell in every):
        notes.append(FEWEST_NOTE)
    if any(not reliable(cell) for cell in every):
        notes.append(UNRELIABLE_NOTE)
    if any(len(cells) > len(ALPHABET) for cells in groups.values()):
        notes.append(f"Data with more than {len(ALPHABET)} rows have no letters; see the differences.")
    return Table(f"{DIRECTIONS[direction]}, leak-free", columns, rows, notes, marks)


def measures_note() -> str:
    """What the measures are whose names do not say it."""
    return "; ".join(f"{name}: {measure.about}" for name, measure in MEASURES.items() if measure.about) + "."


def mean_of(cell: SeededRows, name: str) -> float:
    """A figure of the manifest averaged over the runs of a cell; NaN where a run does not have it."""
    found = [getattr(row.run.manifest, name) for row in cell.rows]
    return math.nan if None in found else sum(found) / len(found)


def milliseconds(cell: SeededRows) -> float:
    """Time of a query, averaged over the runs of a cell."""
    return sum(1000 * r.run.manifest.query_seconds / r.run.manifest.queries for r in cell.rows) / len(
        cell.rows
    )


def reliable(cell: SeededRows) -> bool:
    """Whether nothing disturbed the measurement of the time of a query."""
    return all(row.run.manifest.query_reliable for row in cell.rows)


def costs_of(cell: SeededRows) -> list[str]:
    """Parameters, seconds, milliseconds and memory of a configuration."""
    return [
        number(mean_of(cell, "trained_parameters") / 1e6, 2),
        number(mean_of(cell, "train_seconds"), 0),
        number(mean_of(cell, "index_seconds"), 2),
        number(milliseconds(cell), 2) + ("" if reliable(cell) else " ?"),
        number(mean_of(cell, "peak_memory_bytes") / 1e9, 2),
    ]


@dataclass(frozen=True)
class Pair:
    """One configuration under both conditions, on the same checkpoints."""

    any: SeededRows
    """Either of the two."""
    clean: SeededRows | None
    """Leak-free; None where it was not scored so."""
    released: SeededRows | None


def beside_released(results: Results, direction: str) -> list[Pair]:
    """Each configuration under both conditions, without rescoring."""
    pairs: dict[tuple[str, str], Pair] = {}
    for cell in results.cells(rescoring="none", direction=direction):
        key = (cell.data, cell.label)
        found = pairs.get(key, Pair(cell, None, None))
        pairs[key] = (
            replace(found, released=cell)
            if cell.protocol.condition == "released"
            else replace(found, clean=cell)
        )
    return list(pairs.values())


def leak_table(results: Results) -> Table | None:
    """Leak-free R@1 beside the released condition's on the same checkpoints, with the gap, per direction."""
    pairs = {d: found for d in DIRECTIONS if (found := beside_released(results, d))}
    lines: dict[tuple[str, str], dict[str, list[str]]] = {}
    for direction, found in pairs.items():
        for pair in found:
            queries, seeds = pair.any.answers.entry.protocol.queries, len(pair.any.rows)
            line = lines.setdefault((pair.any.data, pair.any.label), {"": [str(queries), str(seeds)]})
            line[direction] = [
                shown_interval(pair.clean),
                shown_interval(pair.released),
                gap(pair.released, pair.clean),
                detectable(pair),
            ]
    if not lines:
        return None
    rows = [
        [data, name, *line[""], *(text for d in pairs for text in line.get(d, [DASH] * 4))]
        for (data, name), line in lines.items()
    ]
    columns = ["data", "method", "n", "seeds"]
    columns += [f"{d} {c}" for d in pairs for c in ("leak-free", "released", "gap", "detectable")]
    notes = [
        "R@1. released: under the authors' scoring condition on the same checkpoint; gap: released minus "
        "leak-free, taken before rounding.",
        DETECTABLE_NOTE,
    ]
    if any(text.startswith("undefined") for row in rows for text in row):
        notes.append(UNDEFINED_NOTE)
    return Table("Leak-free and released R@1 side by side", columns, rows, notes)


def detectable(pair: Pair) -> str:
    """The smallest gap that the queries of a configuration could show."""
    clean, released = pair.clean, pair.released
    if clean is None or released is None or released.undefined or clean.undefined:
        return DASH
    ours = clean.sample()
    return number(smallest_detectable(standard_error(released.sample().mean() - ours.mean(), ours.clusters)))
