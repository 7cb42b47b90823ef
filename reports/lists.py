"""The best candidates of each query, as a run has kept them in top.parquet."""

from typing import NamedTuple

from core.run_files import PROTOCOL_COLUMNS, TOP_TABLE, read_columns
from core.runs import RunDirectory
from reports.queries import ResultKey, by_protocol


class ListedVideo(NamedTuple):
    """A candidate of a query."""

    video: str
    position: int
    """From 1."""
    score: float


def read_lists(directory: RunDirectory, asked: ResultKey) -> dict[int, list[ListedVideo]]:
    """Query -> its best candidates, best first; raises `BenchError` naming a damaged file."""
    table = read_columns(directory, "top.parquet", TOP_TABLE, [*PROTOCOL_COLUMNS, *TOP_TABLE.names[4:]])
    rows = by_protocol(table).get(asked, table.slice(0, 0))
    found: dict[int, list[ListedVideo]] = {}
    columns = (rows[name].to_pylist() for name in ("query", "video", "position", "score"))
    for query, video, position, score in zip(*columns, strict=True):
        found.setdefault(query, []).append(ListedVideo(video, position, score))
    return found
