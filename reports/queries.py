"""What each query of a run came to, and whether two runs asked the same queries of the same gallery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from core.errors import BenchError
from core.evaluation.metrics import credit
from core.runs import RunDirectory

RECALL = {"R@1": 1, "R@5": 5, "R@10": 10}
"""The recalls of the tables."""


class Protocol(NamedTuple):
    """What a query was asked under."""

    split: str
    condition: str = "leak-free"
    rescoring: str = "none"
    direction: str = "t2v"

    def __str__(self) -> str:
        return " ".join(self)


@dataclass(frozen=True)
class Outcomes:
    """The ranks of one run's queries under one protocol, in the order of the split; fields `(Q,)`."""

    best: Tensor
    """float64: the rank with ties behind the query's own candidate; NaN where undefined."""
    worst: Tensor
    """float64: the rank with ties before it."""
    clusters: Tensor
    """int64: equal for queries that stand or fall together, numbered in order of appearance."""

    def credit(self, k: int = 1) -> Tensor:
        """What each query adds to R@K, `(Q,)` float64 in [0, 1]; NaN where undefined."""
        return credit(self.best, self.worst - self.best, k).where(self.best.isfinite(), torch.nan)


COLUMNS = ["split", "condition", "rescoring", "direction", "group"]
RANKS = ["rank_optimistic", "rank_pessimistic"]


def read_outcomes(directory: RunDirectory, **protocol: str) -> Mapping[Protocol, Outcomes]:
    """The outcomes of a run under every protocol that agrees with the given fields.

    Raises `BenchError` naming the file where it is missing or damaged.
    """
    filters = [(name, "==", value) for name, value in protocol.items()]
    table = read_rows(directory, "queries.parquet", [*COLUMNS, *RANKS], filters)
    found = {}
    for key, rows in table.groupby(list(Protocol._fields), sort=False, observed=True):
        asked = Protocol(*map(str, key))
        best, worst = (torch.tensor(rows[name].to_numpy(), dtype=torch.float64) for name in RANKS)
        clusters = torch.tensor(pd.factorize(rows["group"])[0], dtype=torch.int64)
        found[asked] = Outcomes(best, worst, clusters)
    return found


def read_rows(
    directory: RunDirectory,
    name: str,
    columns: Sequence[str],
    filters: Sequence[tuple[str, str, str]],
) -> pd.DataFrame:
    """Rows of a run's parquet file; raises `BenchError` naming it where it is missing or damaged."""
    path = directory.path / name
    try:
        table = pq.read_table(path, columns=list(columns), filters=list(filters), use_threads=False)
        return pd.DataFrame(table.to_pandas(strings_to_categorical=True))
    except (OSError, pa.ArrowException, KeyError) as error:
        reason = " ".join(str(error).split())
        raise BenchError(f"{path} is damaged ({reason}); delete the folder and run the cell again") from error


def require_same_gallery(first: Mapping[str, str], second: Mapping[str, str]) -> None:
    """Raises `BenchError` unless two entries of metrics.json speak of the same queries and gallery.

    Each has `run`, `split`, `queries`, `gallery` and `gallery_fingerprint`.
    """
    if first["gallery_fingerprint"] != second["gallery_fingerprint"]:
        ours, theirs = (
            f"{entry['run']} ({entry['split']}: {entry['queries']} queries, {entry['gallery']} videos, "
            f"fingerprint {entry['gallery_fingerprint'][:8]})"
            for entry in (first, second)
        )
        raise BenchError(f"{ours} and {theirs} were not asked the same queries; compare runs of one gallery")


Answers = Mapping[str, Mapping[Protocol, Outcomes]]
"""Run -> protocol -> what its queries came to."""


@dataclass(frozen=True)
class Sample:
    """R@K credit of one configuration on one gallery under one protocol."""

    credit: Tensor
    """`(S, Q)` float64 in [0, 1], a row per seed; NaN where undefined."""
    clusters: Tensor
    """`(Q,)` int64."""

    def mean(self) -> Tensor:
        """Credit of each query averaged over the seeds, `(Q,)`."""
        return self.credit.mean(0)


def sample_of(rows: pd.DataFrame, answers: Answers, k: int = 1) -> Sample:
    """The sample behind some rows of `frame_of` that differ in nothing but their seed."""
    asked = rows[["run", *Protocol._fields]].astype(str).itertuples(index=False)
    outcomes = [answers[run][Protocol(*protocol)] for run, *protocol in asked]
    return Sample(torch.stack([outcome.credit(k) for outcome in outcomes]), outcomes[0].clusters)
