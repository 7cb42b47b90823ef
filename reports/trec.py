"""`bench export trec`: a run's lists and judgements as `trec_eval`, ranx and their kin read them.

Identifiers have no white space in TREC files, so video names are percent-encoded; a text is named by its
position in the split. In video-to-text a video is the query and a document is the caption group of a video,
named by that video.
"""

from pathlib import Path
from urllib.parse import quote

import pandas as pd

from core.errors import BenchError
from reports.collect import Run
from reports.queries import read_rows
from reports.write import write_files

KEYS = ["direction", "query", "video"]


def export(run: Run, split: str, condition: str, rescoring: str, folder: Path) -> list[Path]:
    """Writes `DIRECTION.run` and `DIRECTION.qrels` for both directions; returns the paths.

    The lists hold the best candidates that the run kept. Raises `BenchError` where the run has no such
    protocol or a file of it cannot be read.
    """
    protocol = {"split": split, "condition": condition, "rescoring": rescoring}
    filters = [(name, "==", value) for name, value in protocol.items()]
    asked = read_rows(run.directory, "queries.parquet", KEYS, filters)
    listed = read_rows(run.directory, "top.parquet", [*KEYS, "position", "score"], filters)
    if asked.empty:
        raise BenchError(
            f"{run.directory.path.name} was not scored under '{' '.join(protocol.values())}'; "
            "see its metrics.json for what it was scored under"
        )
    contents = {}
    for direction, queries in asked.groupby("direction", sort=False, observed=True):
        rows = listed[listed["direction"] == direction]
        contents[f"{direction}.run"] = run_lines(rows, run.directory.path.name)
        contents[f"{direction}.qrels"] = judgement_lines(queries)
    return write_files(contents, folder)


def run_lines(rows: pd.DataFrame, tag: str) -> str:
    """`query Q0 document rank score tag`, a line per kept candidate."""
    return "".join(
        f"{row.query} Q0 {quote(str(row.video))} {row.position} {row.score:.9g} {tag}\n"
        for row in rows.itertuples()
    )


def judgement_lines(rows: pd.DataFrame) -> str:
    """`query 0 document 1`: every query has one relevant document, its own video."""
    return "".join(f"{row.query} 0 {quote(str(row.video))} 1\n" for row in rows.itertuples())
