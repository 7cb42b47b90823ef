"""The table that puts published numbers beside measured ones, with footnotes on what contradicts what.

Only data sets that were run are in it: a published figure on other data says nothing about a run.
"""

import math

from core.evaluation.measures import MEASURES, RECALL_AT
from core.evaluation.significance import binomial_error, smallest_detectable, standard_error
from reports.matches import Match, matches_of, tie_policy
from reports.published import footnotes
from reports.results import Results
from reports.shown import UNDEFINED_NOTE
from reports.table import DASH, Table, number, signed

COMPARED_MEASURES = tuple(MEASURES[f"R@{k}"] for k in RECALL_AT)


def published_table(results: Results) -> Table | None:
    """Published | measured | delta | protocol; None where no data set of a published row was run."""
    matches = [match for cell in results.cells() for match in matches_of(cell)]
    if not matches:
        return None
    notes = [note for note in footnotes() if any(note.concerns(match.row) for match in matches)]
    rows = []
    for match in matches:
        row, cell = match.row, match.measured
        marks = [str(i + 1) for i, note in enumerate(notes) if note.concerns(row)]
        rows.append(
            [
                cell.data,
                cell.label,
                str(cell.answers.entry.protocol.queries),
                " ".join((cell.protocol.direction, cell.protocol.condition, cell.protocol.rescoring)),
                f"{row.source_paper.split(' arXiv')[0]}, {row.table}: {row.method} ({row.evidence})",
                " / ".join(map(number, (row.r1, row.r5, row.r10)))
                + (f" [{', '.join(marks)}]" if marks else ""),
                *figures(match),
                match.verdict,
            ]
        )
    columns = ["data", "method", "n", "protocol", "source", "published", "measured", "ties", "delta"]
    columns += ["detectable", "protocol compared"]
    lines = [
        "R@1 / R@5 / R@10. measured: under the tie policy of the method's released code (ties), so R@1 can "
        "differ from that of the other tables, whose ties count in random order; delta: measured minus "
        "published; detectable: the smallest true difference that two such sets of queries, unpaired, show "
        "at 5 % with 80 % power. matches: every point of the protocol is stated and the same; partly: those "
        "that are stated are. What authors do not print is that of their released code; of other people's "
        "trainings it is not stated.",
        *(f"[{i + 1}] {note.text}" for i, note in enumerate(notes)),
    ]
    if any(match.measured.undefined for match in matches):
        lines.append(UNDEFINED_NOTE)
    return Table("Published beside measured", columns, rows, lines, words=(0, 1, 3, 4, 7, 10))


def figures(match: Match) -> list[str]:
    """Measured recall, its tie policy, its difference to the published one, the smallest detectable one."""
    row, cell, policy = match.row, match.measured, tie_policy(match.row)
    queries = cell.answers.entry.protocol.queries
    if cell.undefined:
        return [f"undefined ({cell.undefined} of {queries})", policy, DASH, DASH]
    deltas, detectable = [], []
    recall = [cell.figure(measure, policy) for measure in COMPARED_MEASURES]
    for measure, ours, theirs in zip(COMPARED_MEASURES, recall, (row.r1, row.r5, row.r10), strict=True):
        deltas.append(math.nan if theirs is None else ours - theirs)
        if theirs is None or cell.protocol.rescoring != "none":
            detectable.append(math.nan)
            continue
        sample = cell.sample(measure)
        error = standard_error(sample.mean(), sample.clusters)
        detectable.append(
            smallest_detectable(math.hypot(error, binomial_error(theirs, row.gallery or queries)))
        )
    return [
        " / ".join(map(number, recall)),
        policy,
        " / ".join(map(signed, deltas)),
        " / ".join(map(number, detectable)),
    ]
