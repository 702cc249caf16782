"""Means over queries with their uncertainty, as a report holds them. `estimator.py` computes them."""

from pydantic import BaseModel, ConfigDict


class Estimate(BaseModel):
    """A mean over queries with its 95% interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


class Difference(Estimate):
    """The tuned model's mean less the base's. `detectable` is the smallest difference that this many queries could
    show."""

    p: float
    detectable: float | None
