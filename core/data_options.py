"""What a run may choose about its data set: part of the spec (`data.*`), of its hash and of the protocol."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MissingPolicy = Literal["fail", "count-as-miss", "drop"]


class DataOptions(BaseModel):
    """Options of every data set; a data set with more of them has a subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    missing: MissingPolicy = "fail"
    """What becomes of videos without a file that decodes (see `core.datasets.missing`)."""


class HeldOutOptions(DataOptions):
    """Options of a data set whose `val` is a part of its training videos."""

    holdout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the training videos that becomes `val`; 0 trains on all of them and leaves no `val`
    (see `core.datasets.holdout`)."""
