"""What the files of a finished run hold: schemas that writers fill and readers validate.

docs/run-directory.md says what each field means. A field that no reader needs may be missing, so that
fields can be added without a new schema number; one that has a wrong type never passes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from core.checksums import first_damaged
from core.runs import RunDirectory
from core.scoring.scoring import Condition

WholeNumber = Annotated[int, Field(ge=0, lt=2**63)]
RowCount = Annotated[int, Field(ge=1, le=10**8)]
"""Queries or videos of a scored split: more of them fit into no memory."""
Duration = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RunRecord(BaseModel):
    """A JSON object of a run; keys that are not named are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")


class ResultProtocol(RunRecord):
    """Under which protocol one direction was scored."""

    split: str
    condition: Condition
    rescoring: str
    rescoring_uses: str
    queries: RowCount
    gallery: RowCount
    gallery_fingerprint: str


class SimilarityCounts(RunRecord):
    """Counts of cosines in equal bins over [-1, 1]."""

    positive: tuple[WholeNumber, ...]
    negative: tuple[WholeNumber, ...]


class ResultEntry(RunRecord):
    """One split, condition, rescoring and direction."""

    direction: Literal["t2v", "v2t"]
    protocol: ResultProtocol
    metrics: Mapping[str, Mapping[str, float]] = {}
    """A summary for people; readers compute every figure from the ranks."""
    similarities: SimilarityCounts | None = None


class GateScores(RunRecord):
    """How the audio gates of a split do against the truth: gate -> stratum -> value."""

    axis: Literal["frame", "layer"]
    """What there is a gate for."""
    auroc: Mapping[str, Mapping[str, float]]
    average_precision: Mapping[str, Mapping[str, float]]


class MetricsFile(RunRecord):
    """metrics.json."""

    results: tuple[ResultEntry, ...] = Field(min_length=1)
    gates: Mapping[str, GateScores]


def moment(text: str) -> str:
    """A date and time in ISO 8601; raises `ValueError` for any other text."""
    datetime.fromisoformat(text)
    return text


class Commit(RunRecord):
    """The code of a run."""

    sha: str | None = None
    dirty: bool | None = None


class Manifest(RunRecord):
    """manifest.json: where a run comes from and what it cost."""

    started: Annotated[str, AfterValidator(moment)]
    fingerprints: Mapping[str, str]
    store: str
    parameters: WholeNumber
    trained_parameters: WholeNumber | None = None
    training_videos: WholeNumber
    text_length: WholeNumber
    train_seconds: Duration
    index_seconds: Duration
    query_seconds: Duration
    queries: Annotated[int, Field(ge=1)]
    peak_memory_bytes: WholeNumber
    wall_seconds: Duration | None = None
    query_reliable: bool = True
    """Whether nothing disturbed the measurement of `query_seconds`."""
    selected_epoch: int | None = None
    selection_looks: int | None = None
    annotation_files: Mapping[str, str] = {}
    """SHA-256 of each annotation file by its name; empty for a generated world."""
    commit: Commit | None = None
    hardware: Mapping[str, Any] | None = None
    packages: Mapping[str, str] | None = None
    files: Mapping[str, tuple[int, int]] = {}
    """Size in bytes and CRC-32 of the run's other files; empty in runs of before they were kept."""
    python: str | None = None


class EpochLook(RunRecord):
    """A line of epochs.jsonl: what the checkpoint of an epoch was worth on the split that selects."""

    epoch: Annotated[int, Field(ge=1)]
    recall_at_1: float


PROTOCOL_COLUMNS = ("split", "condition", "rescoring", "direction")
"""Which entry of metrics.json a row of a table belongs to."""

PROTOCOL_FIELDS = [(name, pa.string()) for name in PROTOCOL_COLUMNS]

QUERY_TABLE = pa.schema(
    [
        *PROTOCOL_FIELDS,
        ("query", pa.int64()),
        *((name, pa.string()) for name in ("text", "video", "group", "stratum")),
        *((name, pa.int64()) for name in ("greater", "ties", "above", "equal", "equal_before", "undefined")),
        ("own_score", pa.float64()),
        ("best_wrong_video", pa.string()),
    ]
)
"""queries.parquet, as far as readers need it; the counts are those of `core.evaluation.ranking.Counts`."""

CHECKPOINT = "checkpoint.safetensors"
"""The trained weights, which no report reads."""
DIGESTED = (
    "metrics.json",
    "queries.parquet",
    "top.parquet",
    "gates.safetensors",
    "epochs.jsonl",
    "gallery.json",
    CHECKPOINT,
)
"""The files of a run whose digests its manifest keeps."""

TOP_TABLE = pa.schema(
    [
        *PROTOCOL_FIELDS,
        ("query", pa.int64()),
        ("position", pa.int64()),
        ("video", pa.string()),
        ("score", pa.float64()),
    ]
)
"""top.parquet."""

Record = TypeVar("Record", bound=RunRecord)


def read_record(directory: RunDirectory, name: str, model: type[Record]) -> Record:
    """A JSON file of a run; raises `BenchError` naming file and key where it is damaged."""
    try:
        return model.model_validate(directory.read_json(name))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "the object"
        raise directory.damaged(name, f"{key}: {first['msg']}") from error


def verify(directory: RunDirectory, files: Mapping[str, tuple[int, int]]) -> None:
    """Compares a run's files with the digests of its manifest; each file is read once while it is unchanged.

    Raises `BenchError` naming the first that is missing, truncated or has other contents.
    """
    found = first_damaged(directory.path, files)
    if found is not None:
        raise directory.damaged(*found)


def read_manifest(directory: RunDirectory) -> Manifest:
    """The manifest of a finished run whose files are as they were written.

    The weights are left to whoever loads them. Raises `BenchError` naming the file that is damaged.
    """
    manifest = read_record(directory, "manifest.json", Manifest)
    verify(directory, {name: digest for name, digest in manifest.files.items() if name != CHECKPOINT})
    return manifest


def read_records(directory: RunDirectory, name: str, model: type[Record]) -> list[Record]:
    """The lines of a JSON Lines file of a run, `[]` where there is none; raises as `read_record` does."""
    path = directory.path / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [model.model_validate_json(line) for line in lines]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "a line"
        raise directory.damaged(name, f"{key}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise directory.damaged(name, str(error)) from error


def read_columns(directory: RunDirectory, name: str, schema: pa.Schema, columns: list[str]) -> pa.Table:
    """Some columns of a parquet file of a run, none of them null.

    Raises `BenchError` naming file and column where one is missing, null or of another type.
    """
    chosen = pa.schema([schema.field(column) for column in columns])
    try:
        with pq.ParquetFile(directory.path / name, page_checksum_verification=True) as file:
            found = file.read(columns=columns, use_threads=False)
        missing = [column for column in columns if column not in found.column_names]
        if missing:
            raise directory.damaged(name, f"no column {missing[0]!r}")
        table = found.select(columns).cast(chosen)
        table.validate(full=True)  # that texts are UTF-8, too
    except (OSError, pa.ArrowException, ValueError) as error:
        raise directory.damaged(name, str(error)) from error
    for position, column in enumerate(columns):
        if pa.types.is_floating(chosen.field(column).type):  # pandas writes NaN as an empty cell
            table = table.set_column(position, column, pc.fill_null(table[column], float("nan")))
        elif table[column].null_count:
            raise directory.damaged(name, f"column {column!r} has empty cells")
    return table


def numbers(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """A column of numbers without empty cells, `(n,)`; not by `to_numpy`, which imports pandas."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.from_dlpack(array).copy() if len(array) else np.zeros(0, array.type.to_pandas_dtype())


def words(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """A column of strings, `(n,)`."""
    found = np.empty(len(column), dtype=object)
    found[:] = column.to_pylist()
    return found
