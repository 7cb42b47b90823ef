"""What the queries of a run came to: one typed record per protocol and direction, read once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import BenchError, unknown_name
from core.evaluation.measures import HUB_SIZE, Measure, Ranks, ranks_of
from core.evaluation.ranking import Counts, QueryRecords
from core.evaluation.results import RANK_COUNTS
from core.evaluation.tie_policies import TiePolicy
from core.evaluation.top import times_listed
from core.run_files import PROTOCOL_COLUMNS, QUERY_TABLE, TOP_TABLE, ResultEntry, numbers, read_columns, words
from core.runs import RunDirectory


class ResultKey(NamedTuple):
    """What a query was asked under."""

    split: str
    condition: str = "leak-free"
    rescoring: str = "none"
    direction: str = "t2v"

    def __str__(self) -> str:
        return " ".join(self)


def not_scored(run: str, asked: Sequence[str], present: Iterable[Sequence[str]]) -> BenchError:
    """The error for a protocol, or the first fields of one, under which a run was not scored.

    It names the field that no result has, with the values that there are, and not every combination.
    """
    words = f"{run} was not scored under '{' '.join(asked)}'"
    results = [result[: len(asked)] for result in present]
    for field, value, values in zip(ResultKey._fields, asked, zip(*results, strict=True), strict=False):
        if value not in values:
            return BenchError(f"{words}: {unknown_name(field, value, values)}")
    return BenchError(f"{words}, though it has each of these words: see metrics.json in its folder")


QUERY_COLUMNS = ("query", "text", "video", "group", "stratum", "rival")
"""The fields of `Answers` with a value per query."""


@dataclass(frozen=True)
class Answers:
    """The queries of one run under one protocol, in the order of the split."""

    protocol: ResultKey
    entry: ResultEntry
    """The protocol in full, with what is kept beside the ranks."""
    query: NDArray[np.int64]
    """Position of the caption (t2v) or of the video (v2t) in the split, `(Q,)`."""
    text: NDArray[np.object_]
    """The caption, in video-to-text the name of the video; `(Q,)`."""
    video: NDArray[np.object_]
    """Name of the right answer; `(Q,)`."""
    group: NDArray[np.object_]
    """Equal for clips that share their pixels or their video; `(Q,)`."""
    stratum: NDArray[np.object_]
    """Why the sound matters, empty where that is not known; `(Q,)`."""
    rival: NDArray[np.object_]
    """Name of the best wrong answer; `(Q,)`."""
    records: QueryRecords
    """What every tie policy needs."""
    clusters: Tensor
    """`(Q,)` int64: equal for queries of one group, numbered in order of appearance."""
    listed: Tensor
    """`(C,)` int64: how often each candidate is among the first ten."""
    part: str = ""
    """The stratum of which these queries are; empty where they are all that there are."""

    def ranks(self, policy: TiePolicy = "expected") -> Ranks:
        """Their ranks under a tie policy."""
        return ranks_of(self.records, policy, self.listed)

    def figure(self, measure: Measure, policy: TiePolicy = "expected") -> float:
        """A measure over the queries that have a rank; NaN where none has."""
        return measure(self.ranks(policy))

    def undefined(self) -> int:
        """Queries with an undefined pair: their own score or that of a candidate is no number."""
        counts, own = self.records.counts, self.records.own_score
        return int((~own.isfinite() | (counts.undefined > 0)).sum())

    def within(self, stratum: str) -> Self:
        """The queries of a stratum against the same candidates; raises `BenchError` where there are none."""
        chosen = np.flatnonzero(self.stratum == stratum)
        if not len(chosen):
            raise unknown_name("stratum", stratum, [name for name in dict.fromkeys(self.stratum) if name])
        rows = torch.from_numpy(chosen)
        counts, records = self.records.counts, self.records
        stated = self.entry.protocol.model_copy(update={"queries": len(chosen)})
        return replace(
            self,
            part=stratum,
            entry=self.entry.model_copy(update={"protocol": stated}),
            **{name: getattr(self, name)[chosen] for name in QUERY_COLUMNS},
            records=replace(
                records,
                query=records.query[rows],
                video=records.video[rows],
                own_score=records.own_score[rows],
                counts=Counts(**{field.name: getattr(counts, field.name)[rows] for field in fields(counts)}),
            ),
            clusters=self.clusters[rows],
        )

    def strata(self, measure: Measure) -> dict[str, float]:
        """A measure per stratum, `{}` where strata are not known."""
        ranks, found = self.ranks(), {}
        for name in dict.fromkeys(self.stratum.tolist()):
            if name:
                chosen = torch.from_numpy(self.stratum == name)
                found[name] = measure(Ranks(ranks.first[chosen], ranks.width[chosen]))
        return found


def read_answers(directory: RunDirectory, entries: tuple[ResultEntry, ...]) -> Mapping[ResultKey, Answers]:
    """The answers of a run under each protocol of its metrics.json, in that order.

    Raises `BenchError` naming the file where one is damaged, or where the two do not belong together.
    """
    queries = read_columns(directory, "queries.parquet", QUERY_TABLE, QUERY_TABLE.names)
    top = read_columns(directory, "top.parquet", TOP_TABLE, TOP_TABLE.names)
    if not pc.all(pc.is_finite(top["score"])).as_py() and len(top):
        raise directory.damaged("top.parquet", "column 'score' is not finite")
    top = top.filter(pc.less_equal(top["position"], HUB_SIZE))
    rows, lists = by_protocol(queries), by_protocol(top)
    found = {}
    for entry in entries:
        stated = entry.protocol
        asked = ResultKey(stated.split, stated.condition, stated.rescoring, entry.direction)
        here = rows.get(asked, queries.slice(0, 0))
        if len(here) != entry.protocol.queries:
            raise directory.damaged(
                "queries.parquet", f"{len(here)} rows of '{asked}', {entry.protocol.queries} in metrics.json"
            )
        listed = lists.get(asked, top.slice(0, 0))["video"].combine_chunks().dictionary_encode().indices
        found[asked] = answers_of(asked, entry, here, torch.from_numpy(numbers(listed)).long())
        problem = contradiction(found[asked])
        if problem:
            raise directory.damaged("queries.parquet", f"{problem} in '{asked}'")
    if len(found) != len(entries) or set(rows) - set(found):
        raise directory.damaged("metrics.json", "results: not the protocols of queries.parquet, each once")
    return found


def by_protocol(table: pa.Table) -> dict[ResultKey, pa.Table]:
    """The rows of each protocol, in their order."""
    codes = np.zeros(len(table), dtype=np.int64)
    for name in PROTOCOL_COLUMNS:
        column = table[name].combine_chunks().dictionary_encode()
        codes = codes * max(1, len(column.dictionary)) + numbers(column.indices)
    found = {}
    for code in dict.fromkeys(codes.tolist()):
        rows = table.take(pa.array(np.flatnonzero(codes == code)))
        found[ResultKey(*(rows[name][0].as_py() for name in PROTOCOL_COLUMNS))] = rows
    return found


def answers_of(asked: ResultKey, entry: ResultEntry, rows: pa.Table, listed: Tensor) -> Answers:
    """The record of some rows; `listed` `(n,)` numbers the candidates of all lists."""
    names = {name: words(rows[name]) for name in ("text", "video", "group", "stratum", "best_wrong_video")}
    counted = {name: torch.from_numpy(numbers(rows[name])) for name in ("query", "own_score", *RANK_COUNTS)}
    video = numbered(names["video"])
    nothing = torch.zeros_like(video)
    records = QueryRecords(
        direction=entry.direction,
        query=counted["query"],
        video=video,
        own_score=counted["own_score"],
        counts=Counts(
            **{name: counted[name] for name in RANK_COUNTS},
            best_wrong=nothing,
            best_wrong_score=nothing.double(),
        ),
        candidates=entry.protocol.gallery,
        several_captions=len(video.unique()) < len(video),
    )
    return Answers(
        asked,
        entry,
        counted["query"].numpy(),
        names["text"],
        names["video"],
        names["group"],
        names["stratum"],
        names["best_wrong_video"],
        records,
        numbered(names["group"]),
        times_listed(listed, entry.protocol.gallery),
    )


def contradiction(answers: Answers) -> str:
    """What cannot be true of some answers; empty where nothing is wrong."""
    counts = answers.records.counts
    if any(bool((getattr(counts, name) < 0).any()) for name in RANK_COUNTS):
        return "a negative count"
    last = 1 + counts.greater + counts.ties + counts.undefined
    if bool((last > answers.records.candidates).any()):
        return f"a rank beyond the {answers.records.candidates} candidates"
    if len(answers.listed) != answers.records.candidates:
        return "more candidates in top.parquet than in the gallery"
    return ""


def numbered(names: NDArray[np.object_]) -> Tensor:
    """A number per name `(Q,)` int64, by order of appearance."""
    number = {name: position for position, name in enumerate(dict.fromkeys(names.tolist()))}
    return torch.tensor([number[name] for name in names.tolist()], dtype=torch.int64)


def require_same_gallery(first: tuple[str, Answers], second: tuple[str, Answers]) -> None:
    """Raises `BenchError` unless two named runs were asked the same queries of the same gallery."""
    protocols = [answers.entry.protocol for _, answers in (first, second)]
    if protocols[0].gallery_fingerprint != protocols[1].gallery_fingerprint:
        ours, theirs = (
            f"{name} ({asked.split}: {asked.queries} queries, {asked.gallery} videos, "
            f"fingerprint {asked.gallery_fingerprint[:8]})"
            for (name, _), asked in zip((first, second), protocols, strict=True)
        )
        raise BenchError(
            f"{ours} and {theirs} were evaluated on different queries; compare runs of one gallery"
        )
