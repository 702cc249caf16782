"""Means over queries with their uncertainty, as a report holds them. `estimator.py` computes them."""

from pydantic import BaseModel, ConfigDict

from trainer.prove.levels import LAST_LEVEL, ROUNDING


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

    def shown(self, level: float) -> bool:
        """Whether the tuned model is better by more than chance, where p may be so much."""
        return self.low > ROUNDING and self.p <= level

    @property
    def worse(self) -> bool:
        """Whether the tuned model is worse by more than chance."""
        return self.high < -ROUNDING and self.p <= LAST_LEVEL
