"""What papers, logs and users have published, under which protocol, and what contradicts what.

Three files of facts: `published.csv` (a row per printed result), `protocols.csv` (how the released code of a
method arrives at its numbers) and `footnotes.yaml` (known contradictions).
"""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, Field, model_validator
from pydantic import ValidationError as Invalid

from core.errors import BenchError
from core.evaluation.tie_policies import TiePolicy
from core.scoring.scoring import Condition
from core.spec import Frozen, explain

HERE = Path(__file__).parent


def stated(value: Any) -> Any:
    """An empty cell as None."""
    return None if value == "" else value


Points = Annotated[Annotated[float, Field(ge=0, le=100)] | None, BeforeValidator(stated)]
Rank = Annotated[Annotated[float, Field(ge=1)] | None, BeforeValidator(stated)]
StatedCount = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(stated)]
Stated = Annotated[Condition | None, BeforeValidator(stated)]


class PublishedRow(Frozen):
    """One printed result. An empty cell is something that is not stated, or could not be read."""

    source_paper: str
    """Paper, log, repository or thread that prints it."""
    table: str
    """Table, section, epoch or `issue`."""
    method: str
    """As it is printed."""
    backbone: str
    dataset: str
    split: str
    direction: Literal["t2v", "v2t", ""]
    modality: str
    """V picture, T text, A sound, F further features."""
    post_processing: str
    """`none`, `DSL`, ...: what rescored the similarities."""
    r1: Points
    r5: Points
    r10: Points
    mdr: Rank
    mnr: Rank
    extra: str
    """Anything else that the row prints."""
    evidence: Literal[
        "paper",
        "paper, in part",
        "another paper",
        "author's log",
        "author's repository",
        "mirror",
        "quoted",
        "reproduction",
        "claim",
        "missing",
    ]
    """Who says so; `missing` rows wait for someone who has the paper."""
    note: str
    """What is odd about the row, as a fact."""
    gallery: StatedCount
    """Videos that were ranked, where the source says so."""
    training_videos: StatedCount
    """Videos that were trained on, where the source says so."""
    condition: Stated
    """Scoring condition, where it differs from that of the method's released code."""
    run_method: str
    """The method here that answers to the row; empty: none does."""
    run_settings: str
    """What it must be told, `key=value` separated by semicolons."""

    @model_validator(mode="after")
    def recall_grows_with_k(self) -> "PublishedRow":
        """Refuses rows in which a longer list finds less."""
        known = [value for value in (self.r1, self.r5, self.r10) if value is not None]
        if known != sorted(known):
            raise ValueError("R@K falls as K grows")
        return self


class ReleasedProtocol(Frozen):
    """How the released code of a method arrives at the numbers of its paper."""

    method: str
    """Registered name."""
    dataset: str
    """Empty: wherever no row of its own says otherwise."""
    frames: int
    text_length: int
    """Tokens, begin and end included."""
    selection: Literal["last", "val", "test-best"]
    condition: Condition
    tie_policy: TiePolicy
    source: str


class Footnote(Frozen):
    """A known contradiction of published tables."""

    source: str
    """`source_paper` of the rows that it concerns."""
    tables: tuple[str, ...] = ()
    """Tables that it concerns; empty: all of the source."""
    methods: tuple[str, ...] = ()
    """Rows that it concerns; empty: all of those tables."""
    text: str

    def concerns(self, row: PublishedRow) -> bool:
        """Whether it belongs under a table that shows the row."""
        return (
            row.source_paper == self.source
            and (not self.tables or row.table in self.tables)
            and (not self.methods or row.method in self.methods)
        )


Model = TypeVar("Model", bound=BaseModel)


def read_csv(path: Path, model: type[Model]) -> list[Model]:
    """The rows of a CSV file as records; raises `BenchError` naming file, line and column of a bad one."""
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            try:
                rows.append(model.model_validate(row))
            except Invalid as error:
                raise BenchError(f"{path.name}, line {reader.line_num}: {explain(error)}") from error
    return rows


@cache
def published() -> Sequence[PublishedRow]:
    """Every published row."""
    return read_csv(HERE / "published.csv", PublishedRow)


@cache
def released_protocol(method: str, dataset: str) -> ReleasedProtocol | None:
    """How a method's released code measures on a data set, named as in published.csv; None if unknown."""
    rows = [row for row in read_csv(HERE / "protocols.csv", ReleasedProtocol) if row.method == method]
    exact = [row for row in rows if row.dataset == dataset]
    return next(iter(exact or [row for row in rows if not row.dataset]), None)


@cache
def footnotes() -> Sequence[Footnote]:
    """Every known contradiction."""
    content = yaml.safe_load((HERE / "footnotes.yaml").read_text(encoding="utf-8"))
    return [Footnote.model_validate(entry) for entry in content]
