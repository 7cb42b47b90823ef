"""The base of every method's configuration, apart from the contract, so that reading one needs no torch."""

from pydantic import BaseModel, ConfigDict


class MethodConfig(BaseModel):
    """Base of every method's `Config`: frozen; no unknown key, no infinite number (see `core.axes`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
