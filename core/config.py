"""The base of every method's configuration, apart from the contract, so that reading one needs no torch."""

from pydantic import BaseModel, ConfigDict

METHOD_GROUP = "av_retrieval_bench.methods"
"""Entry point group under which packages offer methods."""


class MethodConfig(BaseModel):
    """Base of every method's `Config`: immutable, unknown keys refused (see `core.axes`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
