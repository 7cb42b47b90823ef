"""The table that holds published numbers beside measured ones, with footnotes on what contradicts what.

Where both speak of one data set, their difference stands beside the smallest one that two unpaired sets of
queries can show; where they do not, there is no difference.
"""

import math
from collections.abc import Sequence

import pandas as pd

from core.evaluation.significance import binomial_error, smallest_detectable, standard_error
from reports.collect import Run
from reports.matches import Match, configurations, matches_of, tie_policy
from reports.published import footnotes
from reports.queries import RECALL, Answers, sample_of
from reports.table import Table, number, signed


def published_table(frame: pd.DataFrame, runs: Sequence[Run], answers: Answers) -> Table | None:
    """Published | measured | delta | protocol matches; None where nothing published answers to a run."""
    matches = [match for measured in configurations(frame, runs) for match in matches_of(measured)]
    if not matches:
        return None
    notes = [note for note in footnotes() if any(note.concerns(match.row) for match in matches)]
    rows = []
    for match in matches:
        row, measured = match.row, match.measured
        marks = ",".join(str(i + 1) for i, note in enumerate(notes) if note.concerns(row))
        rows.append(
            [
                measured.data,
                measured.label,
                " ".join(measured.protocol(n) for n in ("direction", "condition", "rescoring")),
                f"{row.source_paper.split(' arXiv')[0]}, {row.table}: {row.method} ({row.evidence})",
                " / ".join(map(number, (row.r1, row.r5, row.r10)))
                + (f" [{','.join(marks)}]" if marks else ""),
                *figures(match, answers),
                match.verdict,
            ]
        )
    columns = ["data", "method", "protocol", "source", "published", "measured", "delta", "detectable"]
    lines = [
        "R@1 / R@5 / R@10. measured: under the tie policy of the method's released code; delta: measured "
        "minus published, only on the same data set; detectable: the smallest true difference that two such "
        "sets of queries, unpaired, show at 5 % with 80 % power.",
        *(f"[{i + 1}] {note.text}" for i, note in enumerate(notes)),
    ]
    columns.append("protocol matches?")
    return Table("Published beside measured", columns, rows, lines, words=(0, 1, 2, 3, 8))


def figures(match: Match, answers: Answers) -> list[str]:
    """Measured recall, its difference to the published one, and the smallest detectable difference."""
    row, measured = match.row, match.measured
    recall = measured.recall(tie_policy(row))
    shown = " / ".join(map(number, recall))
    if not match.same_data:
        return [shown, "–", "–"]
    deltas, detectable = [], []
    for k, ours, theirs in zip(RECALL.values(), recall, (row.r1, row.r5, row.r10), strict=True):
        deltas.append(math.nan if theirs is None else ours - theirs)
        if theirs is None or measured.protocol("rescoring") != "none":
            detectable.append(math.nan)
            continue
        sample = sample_of(measured.rows, answers, k)
        known = sample.mean().isfinite()
        error = standard_error(100 * sample.mean()[known], sample.clusters[known])
        queries = row.gallery or int(measured.rows["queries"].iloc[0])
        detectable.append(smallest_detectable(math.hypot(error, binomial_error(theirs, queries))))
    return [shown, " / ".join(map(signed, deltas)), " / ".join(map(number, detectable))]
